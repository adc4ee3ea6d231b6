package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

// notebookFile writes a Python notebook with these code cells; the first is the
// one with the parameters.
func notebookFile(t *testing.T, sources ...string) string {
	t.Helper()
	prefix := filepath.Dir(filepath.Dir(jupytertest.Bin(t, "python")))
	t.Setenv("JUPYTER_PATH", filepath.Join(prefix, "share", "jupyter"))
	t.Setenv("JUPYTER_RUNTIME_DIR", t.TempDir())
	t.Setenv("IPYTHONDIR", t.TempDir())
	n := notebook.New("python3", "Python 3", "python")
	for i, s := range sources {
		n.Insert(i, notebook.NewCell(notebook.Code, s))
	}
	n.Cells[0] = notebook.NewCell(notebook.Code, sources[0], "parameters")
	path := filepath.Join(t.TempDir(), "my notebook.ipynb")
	if err := n.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNotebookRunFailsAndResumes(t *testing.T) {
	in := notebookFile(t, "n = 1", "import os\nprint(n, os.path.basename(os.getcwd()))", "1/0", "n + 1")
	out := filepath.Join(t.TempDir(), "out.ipynb")
	file := filepath.Join(t.TempDir(), "n.yaml")
	if err := os.WriteFile(file, []byte("n: 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := execute(t, "notebook", "run", in, "-o", out, "-f", file, "-p", "n=5")
	var failure *runner.CellError
	if !errors.As(err, &failure) || err.Error() != "cell 4 of 5 failed: ZeroDivisionError: division by zero" || stdout != "" {
		t.Fatalf("%v\n%s", err, stdout)
	}
	stderr = regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(stderr, "1.0 s")
	for _, want := range []string{
		"[1/5] done       1.0 s  n = 1\n[2/5] done       1.0 s  # Parameters\n[3/5] done       1.0 s  import os\n[4/5] FAILED     1.0 s  1/0\n",
		"    1  1/0\n", "ZeroDivisionError: division by zero\n",
		"Saved " + out + "; to go on where it stopped:\n  patchlab notebook run '" + in + "' -o " + out + " -p n=5 -f " + file + " --resume\n",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %s\nin %s", want, stderr)
		}
	}
	n, err := notebook.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	n.Cells[2].SetSource("n / 5")
	if err := n.Write(in); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err = execute(t, "notebook", "run", in, "-o", out, "--resume") // the parameters are those of the run
	if err != nil || !regexp.MustCompile(`out.ipynb: 2 cells in \d+\.\d s\n$`).MatchString(stdout) || strings.Count(stderr, "\n") != 2 {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	done, err := notebook.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, c := range done.Cells {
		for _, o := range c.Outputs() {
			text, _ := o.MIME("text/plain")
			texts = append(texts, o.Text()+text)
		}
	}
	if got := strings.Join(texts, "|"); got != "5 "+filepath.Base(filepath.Dir(in))+"\n|1.0|6" {
		t.Errorf("outputs %q", got)
	}

	must(t, "notebook", "check", out, "--cwd", filepath.Dir(in))
	done.Cells[3].Outputs()[0].SetText("")
	if err := os.WriteFile(out, []byte(strings.Replace(string(done.Bytes()), `"1.0"`, `"2.0"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, _, err = execute(t, "notebook", "check", out, "--cwd", filepath.Dir(in))
	if err == nil || err.Error() != out+": the outputs of 1 of 5 cells differ" || !strings.Contains(stdout, "  @ output text/plain\n  -2.0 (no newline at the end)\n  +1.0 (no newline at the end)\n") {
		t.Errorf("%v\n%s", err, stdout)
	}
	page := must(t, "notebook", "export", out, "-o", "-")
	if !strings.Contains(page, `<pre class="output">2.0</pre>`) {
		t.Error(page)
	}
	if text := must(t, "notebook", "export", out, "--to", "markdown"); text != strings.TrimSuffix(out, "ipynb")+"md\n" {
		t.Error(text)
	}
}

func TestNotebookRefuses(t *testing.T) {
	in := notebookFile(t, "1")
	broken := filepath.Join(t.TempDir(), "broken.ipynb")
	if err := os.WriteFile(broken, []byte("{\n \"cells\": [,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.ipynb")
	for want, args := range map[string][]string{
		"no output; say where with -o OUT":                                      {"run", in},
		"broken.ipynb: not a notebook: no valid JSON at line 2, column 12":      {"run", broken, "-o", out},
		`no kernel "nosuch" is installed; allowed: python3`:                     {"run", in, "-o", out, "--kernel-name", "nosuch"},
		`parameter "x"; allowed: name=value`:                                    {"run", in, "-o", out, "-p", "x"},
		"parameter x is given twice":                                            {"run", in, "-o", out, "-p", "x=1", "-p", "x=2"},
		`parameters in -y "3": line 1 is no mapping`:                            {"run", in, "-o", out, "-y", "3"},
		"reading parameters: open /no/such.yaml":                                {"run", in, "-o", out, "-f", "/no/such.yaml"},
		"--resume=fully; allowed: auto, declare, rerun, nothing":                {"run", in, "-o", out, "--resume=fully"},
		"--cwd /no/such; allowed: an existing folder":                           {"run", in, "-o", out, "--cwd", "/no/such"},
		"--cell-timeout -1s; allowed: a positive time":                          {"run", in, "-o", out, "--cell-timeout", "-1s"},
		`transport "udp"; allowed: tcp, ipc`:                                    {"run", in, "-o", out, "--transport", "udp"},
		"holds no outputs to compare with; run it first: patchlab notebook run": {"check", in},
		"--pixel-levels 0; allowed: 1 to 255":                                   {"check", in, "--pixel-levels", "0"},
		"--to pdf; allowed: html, markdown, go":                                 {"export", in, "--to", "pdf"},
		`exporting a program from a notebook in "python"; allowed: go`:          {"export", in, "--to", "go"},
		"no such file": {"export", filepath.Join(t.TempDir(), "none.ipynb")},
	} {
		if _, _, err := execute(t, append([]string{"notebook"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v\n  want %s", args, err, want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused run wrote its output")
	}
}

// Ctrl-C interrupts the cell, saves what there is, ends the kernel, and the
// program's code is 130.
func TestNotebookInterrupted(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "flag")
	in := notebookFile(t, "import os, time", "open('"+flag+"', 'w').write(str(os.getpid()))\nprint('begun', flush=True)\ntime.sleep(1000)")
	out := filepath.Join(t.TempDir(), "out.ipynb")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "notebook", "run", in, "-o", out)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid []byte
	for deadline := time.Now().Add(time.Minute); len(pid) == 0; time.Sleep(50 * time.Millisecond) {
		if pid, _ = os.ReadFile(flag); time.Now().After(deadline) {
			t.Fatalf("the cell did not begin\n%s", stderr.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 130 || !strings.Contains(stderr.String(), "--resume") {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	n, err := notebook.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	outputs := n.Cells[1].Outputs()
	if len(outputs) == 0 || outputs[len(outputs)-1].Type() != notebook.Error {
		t.Errorf("saved %s", n.Bytes())
	}
	if _, err := os.Stat("/proc/" + string(pid)); err == nil {
		t.Errorf("kernel %s is still there", pid)
	}
}
