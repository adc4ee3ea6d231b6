package backend

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// lonely gives the test an empty home and cache folder and no plugin path, and returns an opener that sees no plugin
// of the machine, logs into the returned buffer, and has no way to install.
func lonely(t *testing.T) (*opener, *lines) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv(pluginPathEnv, "")
	t.Setenv(OfflineEnv, "")
	log := &lines{}
	o := newOpener(log, false)
	o.system, o.installers = nil, nil
	return o, log
}

// lines is a log that several goroutines may write to.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// needPlugin returns the path of a CPU plugin that the machine has, or skips the test.
func needPlugin(t *testing.T) string {
	t.Helper()
	if !xlaBuilt {
		t.Skip("built without XLA")
	}
	found := newOpener(io.Discard, true).find(context.Background(), XLA)
	for _, c := range found {
		if checkLibrary(c.path) == nil {
			return c.path
		}
	}
	t.Skip("no XLA plugin is installed (run: patchlab setup)")
	return ""
}

// library compiles C source into a shared library at path.
func library(t *testing.T, path, source string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler on PATH")
	}
	cmd := exec.Command(cc, "-shared", "-fPIC", "-x", "c", "-o", path, "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling a library: %v\n%s", err, out)
	}
	return path
}

// nullPlugin exports the function that a PJRT plugin must have, but no API behind it.
const nullPlugin = "void *GetPjrtApi(void) { return 0; }\n"

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantError fails the test unless err's text holds every part and is one line.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}
