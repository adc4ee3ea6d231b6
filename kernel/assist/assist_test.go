package assist

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/process"
)

func assistant(t *testing.T, module string) *Assistant {
	a := New(Options{Tools: jupytertest.Tools(t), Module: module, Folder: filepath.Join(t.TempDir(), "a"), Env: []string{"GOPROXY=off"}, Logf: t.Logf})
	t.Cleanup(func() { a.Close() })
	return a
}

func TestAnswers(t *testing.T) {
	a := assistant(t, "")
	if err := a.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	const declared = "package main\n\ntype Patch struct{ Width, Height int }\n\n// Area is width by height.\nfunc (p Patch) Area() int { return p.Width * p.Height }\n\nvar patch Patch\n"
	for _, test := range []struct {
		code   string
		want   []string
		start  int
		absent string
	}{
		{"fmt.Printl", []string{"Println"}, 4, "Print"},
		{"%%\npatch.", []string{"Area", "Height", "Width"}, 9, "patch"},
		{"é := patch.ar", []string{"Area"}, 11, "Width"},
		{"x := pat", []string{"patch"}, 5, "Area"},
		{"func f() {\n\tstrings.ToUpp", []string{"ToUpper"}, 20, "Area"},
		{"%noau", []string{"%noautoget"}, 0, "%env"},
		{"!ls pat", nil, 0, ""},
	} {
		c, err := a.Complete(t.Context(), test.code, len([]rune(test.code)), declared)
		if err != nil {
			t.Errorf("%q: %v", test.code, err)
			continue
		}
		for _, w := range test.want {
			if !slices.Contains(c.Matches, w) || c.Start != test.start || c.End != len([]rune(test.code)) {
				t.Errorf("%q: %q at %d to %d, want %q", test.code, c.Matches, c.Start, c.End, w)
			}
		}
		if slices.Contains(c.Matches, test.absent) {
			t.Errorf("%q: %q holds %q", test.code, c.Matches, test.absent)
		}
		if len(test.want) == 0 && len(c.Matches) > 0 {
			t.Errorf("%q: %q", test.code, c.Matches)
		}
	}
	code := "%%\nfmt.Println(patch.Area())"
	for cursor, want := range map[int]string{13: "func fmt.Println", 14: "func fmt.Println", 15: "func fmt.Println", 26: "Area is width by height", 18: "var patch Patch"} {
		markdown, plain, err := a.Inspect(t.Context(), code, cursor, declared)
		if err != nil || !strings.Contains(markdown, want) || !strings.Contains(plain, want) || strings.Contains(plain, "```") {
			t.Errorf("at %d: %q, %q, %v, want %q", cursor, markdown, plain, err, want)
		}
	}
	if markdown, _, err := a.Inspect(t.Context(), "nothing", 3, ""); err != nil || markdown != "" {
		t.Errorf("of nothing is known %q, %v", markdown, err)
	}
}

func TestModuleAndDeath(t *testing.T) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	a := assistant(t, strings.TrimSpace(string(root)))
	const code = "import \"patchlab/kernel/source\"\n%%\nsource.IsComp"
	ask := func() {
		t.Helper()
		c, err := a.Complete(t.Context(), code, len(code), "")
		if err != nil || !slices.Contains(c.Matches, "IsComplete") {
			t.Errorf("%q, %v", c.Matches, err)
		}
	}
	ask()
	pid := a.server.process.Pid
	syscall.Kill(pid, syscall.SIGKILL)
	ask()
	pid = a.server.process.Pid
	a.Close()
	if process.Began(pid) != "" {
		t.Errorf("gopls %d is left", pid)
	}
}

// A server that hangs does not hold up the kernel: what it does not read ends it, and the next one is asked.
func TestServerThatHangs(t *testing.T) {
	a := assistant(t, "")
	if err := a.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := a.server.process.Pid
	syscall.Kill(pid, syscall.SIGSTOP)
	code := "// " + strings.Repeat("x", 4<<20) + "\nfmt.Printl" // more than the pipe holds
	c, err := a.Complete(t.Context(), code, len(code), "")
	if a.server.process.Pid == pid || process.Began(pid) != "" {
		t.Errorf("the server %d is still there", pid)
	}
	t.Logf("%q, %v", c.Matches, err)
}

func TestNoServer(t *testing.T) {
	a := New(Options{Tools: t.TempDir(), Folder: t.TempDir()})
	if _, err := a.Complete(t.Context(), "x", 1, ""); err == nil || !strings.Contains(err.Error(), "gopls") {
		t.Errorf("error %v", err)
	}
}

func FuzzReadBody(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}"))
	f.Add([]byte("Content-Length: 99999999999\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 100 {
			return
		}
		if body, err := readBody(bufio.NewReader(bytes.NewReader(data))); err == nil && len(body) > len(data) {
			t.Errorf("%q held %q", data, body)
		}
	})
}
