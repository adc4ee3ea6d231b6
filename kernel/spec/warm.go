package spec

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"patchlab/kernel/process"
)

// Warming is what Warm compiles, and how.
type Warming struct {
	Module   string // the folder of the module whose packages cells import
	Flags    string // GOFLAGS, as cells are built with
	Progress io.Writer
}

// stamp is the file that says that Go's build cache was filled for the module, its dependencies and this Go.
func (w Warming) stamp() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	version, err := exec.Command("go", "env", "GOVERSION", "GOCACHE").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for its version: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", w.Module, w.Flags, version)
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(w.Module, name))
		if err != nil && !os.IsNotExist(err) {
			return "", err
		}
		h.Write(b)
	}
	return filepath.Join(cache, "patchlab", "kernel", fmt.Sprintf("warm-%x", h.Sum(nil)[:8])), nil
}

// Warmed says whether Warm has run for the module as it is. Go may have trimmed its cache since.
func (w Warming) Warmed() bool {
	stamp, err := w.stamp()
	if err != nil {
		return false
	}
	_, err = os.Stat(stamp)
	return err == nil
}

var goLine = regexp.MustCompile(`(?m)^go (\d+\.\d+(?:\.\d+)?)`)

// Warm fills Go's build cache with the module's packages and all that they import, so that the first cells need not
// compile them. It works at low priority, in a workspace such as cells have, and changes nothing in the module.
func (w Warming) Warm(ctx context.Context) error {
	mod, err := os.ReadFile(filepath.Join(w.Module, "go.mod"))
	if err != nil {
		return fmt.Errorf("reading the module: %w", err)
	}
	version := goLine.FindSubmatch(mod)
	if version == nil {
		return fmt.Errorf("%s names no version of Go", filepath.Join(w.Module, "go.mod"))
	}
	folder, err := os.MkdirTemp("", "patchlab-warm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for name, text := range map[string]string{
		"go.mod":  fmt.Sprintf("module patchlabwarm\n\ngo %s\n", version[1]),
		"go.work": fmt.Sprintf("go %s\n\nuse (\n\t.\n\t%q\n)\n", version[1], w.Module),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	run := func(dir string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS="+w.Flags, "GOWORK=")
		// What the go command has started ends with it.
		cmd.Cancel = func() error { process.KillTree(cmd.Process.Pid, ""); return nil }
		cmd.WaitDelay = time.Second
		var out, problems strings.Builder
		cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(&problems, w.Progress)
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", strings.Join(args[:2], " "), err, strings.TrimSpace(problems.String()))
		}
		return out.String(), nil
	}
	// What other modules may import: no programs, nothing internal.
	list, err := run(w.Module, "go", "list", "-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
	if err != nil {
		return err
	}
	build := []string{"go", "build"}
	if nice, err := exec.LookPath("nice"); err == nil {
		build = append([]string{nice, "-n", "10"}, build...)
	}
	n := 0
	for _, p := range strings.Fields(list) {
		if !strings.Contains("/"+p+"/", "/internal/") {
			build = append(build, p)
			n++
		}
	}
	if n > 0 {
		if _, err := run(folder, build...); err != nil {
			return err
		}
	}
	stamp, err := w.stamp()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(stamp), 0o755); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(w.Module+"\n"), 0o644)
}
