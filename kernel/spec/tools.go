package spec

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
)

// Programs are what the kernel runs.
var Programs = [...]string{"gonb", "gopls", "goimports"}

var packages = [...]string{"github.com/janpfeifer/gonb", "golang.org/x/tools/gopls", "golang.org/x/tools/cmd/goimports"}

// The files of the module kernel/tools, which pins the programs: a module is not embedded from another, so they lie
// here once more; a test holds them together.
var (
	//go:embed tools.mod
	toolsMod []byte
	//go:embed tools.sum
	toolsSum []byte
)

// ToolsFolder returns the folder in which the programs lie, or will: it is named after their versions, the system and
// the version of Go.
func ToolsFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for the cache folder: %w", err)
	}
	h := sha256.New()
	fmt.Fprintln(h, runtime.GOOS, runtime.GOARCH, runtime.Version())
	h.Write(toolsMod)
	h.Write(toolsSum)
	return filepath.Join(cache, "patchlab", "kernel", fmt.Sprintf("%x", h.Sum(nil)[:8])), nil
}

// ToolsBuilt says whether the programs lie in a folder.
func ToolsBuilt(folder string) bool {
	for _, p := range Programs {
		if info, err := os.Stat(filepath.Join(folder, p)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// BuildTools builds the programs into ToolsFolder, where they are not there yet; Go fetches their sources once. Several
// processes may do so at a time. What Go says while it builds goes to progress.
func BuildTools(ctx context.Context, progress io.Writer) (folder string, built bool, err error) {
	if folder, err = ToolsFolder(); err != nil {
		return "", false, err
	}
	if ToolsBuilt(folder) {
		return folder, false, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", false, fmt.Errorf("making the cache folder: %w", err)
	}
	lock := flock.New(folder + ".lock")
	if err := lock.Lock(); err != nil {
		return "", false, fmt.Errorf("locking the cache folder: %w", err)
	}
	defer lock.Unlock()
	if ToolsBuilt(folder) {
		return folder, false, nil
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "build-")
	if err != nil {
		return "", false, fmt.Errorf("making a folder to build in: %w", err)
	}
	defer os.RemoveAll(work)
	out := filepath.Join(work, "bin")
	if err := errors.Join(
		os.WriteFile(filepath.Join(work, "go.mod"), toolsMod, 0o644),
		os.WriteFile(filepath.Join(work, "go.sum"), toolsSum, 0o644),
		os.Mkdir(out, 0o755),
	); err != nil {
		return "", false, fmt.Errorf("writing the tools' module: %w", err)
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out + string(filepath.Separator)}, packages[:]...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&said, progress), io.MultiWriter(&said, progress)
	if err := cmd.Run(); err != nil {
		return "", false, fmt.Errorf("building gonb, gopls and goimports: %w: %s", err, strings.TrimSpace(said.String()))
	}
	if err := os.RemoveAll(folder); err != nil {
		return "", false, err
	}
	if err := os.Rename(out, folder); err != nil {
		return "", false, fmt.Errorf("keeping the programs: %w", err)
	}
	return folder, true, nil
}

// KeepExecutable returns a path of this program that stays: where it was built to be run once, by "go run" or "go
// test", a copy in the cache.
func KeepExecutable() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("looking for this program: %w", err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", fmt.Errorf("looking for this program: %w", err)
	}
	sep := string(filepath.Separator)
	if !strings.Contains(exe, sep+"go-build") {
		return exe, nil
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		return "", fmt.Errorf("copying this program: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for the cache folder: %w", err)
	}
	path := filepath.Join(cache, "patchlab", "kernel", "bin", fmt.Sprintf("%x", sha256.Sum256(b))[:16], "patchlab")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("copying this program: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "part-")
	if err != nil {
		return "", fmt.Errorf("copying this program: %w", err)
	}
	defer os.Remove(part.Name())
	_, err = part.Write(b)
	if err := errors.Join(err, part.Chmod(0o755), part.Close()); err != nil {
		return "", fmt.Errorf("copying this program: %w", err)
	}
	return path, os.Rename(part.Name(), path)
}
