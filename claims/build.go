package claims

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// build names the program that measures, such as "commit 9ab080dcd9ad"; where it
// was built from no commit, or from one with changes, by its file's SHA-256.
func build() (string, error) {
	settings := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the program's own file: %w", err)
	}
	return name(settings, path)
}

// name is the build of a program at path with such settings.
func name(settings map[string]string, path string) (string, error) {
	commit := settings["vcs.revision"]
	if commit != "" && settings["vcs.modified"] == "false" {
		return fmt.Sprintf("commit %.12s", commit), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("read the program: %w", err)
	}
	text := fmt.Sprintf("program %.6x", sum.Sum(nil))
	if commit != "" {
		text += fmt.Sprintf(" (commit %.12s with changes)", commit)
	}
	return text, nil
}

// place is where something was measured: machine and backend, and with what
// computed there, plugin and program.
func place(env map[string]string, exactly bool) []string {
	at := []string{env["machine"], env["backend"]}
	if exactly {
		at = append(at, env["plugin_version"], env["build"])
	}
	return at
}
