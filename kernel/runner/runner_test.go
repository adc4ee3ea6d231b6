package runner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

// python returns ipykernel's specification, in a Jupyter of the test's own.
func python(t *testing.T) runner.Spec {
	t.Helper()
	prefix := filepath.Dir(filepath.Dir(jupytertest.Bin(t, "python")))
	t.Setenv("JUPYTER_PATH", filepath.Join(prefix, "share", "jupyter"))
	t.Setenv("JUPYTER_RUNTIME_DIR", t.TempDir())
	t.Setenv("IPYTHONDIR", t.TempDir())
	spec, err := runner.Find("python3")
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// pythonNotebook has a code cell for each source.
func pythonNotebook(sources ...string) *notebook.Notebook {
	n := notebook.New("python3", "Python 3 (ipykernel)", "python")
	for i, s := range sources {
		n.Insert(i, notebook.NewCell(notebook.Code, s))
	}
	return n
}

// said is what a cell wrote and showed, in one text.
func said(c *notebook.Cell) string {
	var parts []string
	for _, o := range c.Outputs() {
		if o.Marked(message.Notice) {
			continue
		}
		switch o.Type() {
		case notebook.Stream:
			parts = append(parts, o.Name()+":"+o.Text())
		case notebook.Error:
			name, value, _ := o.Failure()
			parts = append(parts, "error:"+name+":"+value)
		default:
			text, _ := o.MIME("text/plain")
			parts = append(parts, o.Type()+":"+text)
		}
	}
	return strings.Join(parts, "|")
}

func TestKernelStartsAndLeavesNothing(t *testing.T) {
	spec := python(t)
	for _, transport := range []string{"tcp", "ipc"} {
		k, err := runner.Start(t.Context(), spec, runner.StartOptions{Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(os.Getenv("JUPYTER_RUNTIME_DIR"), "kernel-*.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("connection files %v, %v", files, err)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", transport, info.Mode(), err)
		}
		if !strings.Contains(string(k.Info()), `"language_info"`) {
			t.Errorf("%s: info %s", transport, k.Info())
		}
		var pid string
		reply, err := k.Execute(t.Context(), message.ExecuteRequest{Code: "import os; print(os.getpid(), end='')"}, func(m *message.Message) {
			if m.Header.Type == message.TypeStream {
				var s message.Stream
				if err := m.Content(&s); err != nil {
					t.Error(err)
				}
				pid += s.Text
			}
		})
		if err != nil || reply.Status != message.StatusOK || pid == "" {
			t.Fatalf("%s: %+v, %v, pid %q", transport, reply, err, pid)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("%s: process %s is still there", transport, pid)
		}
		if left, err := os.ReadDir(os.Getenv("JUPYTER_RUNTIME_DIR")); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", transport, left, err)
		}
	}
}

func TestKernelThatDoesNotStart(t *testing.T) {
	t.Setenv("JUPYTER_RUNTIME_DIR", t.TempDir())
	for want, spec := range map[string]runner.Spec{
		"kernel a did not start: it ended (exit status 3); it last said:\nout of luck": {Name: "a", Argv: []string{"sh", "-c", "echo out of luck >&2; exit 3"}},
		"kernel b did not start: starting the kernel: ":                                {Name: "b", Argv: []string{"/no/such/program"}},
		"kernel c did not start: it did not answer within 300ms":                       {Name: "c", Argv: []string{"sh", "-c", "sleep 1000"}},
	} {
		_, err := runner.Start(t.Context(), spec, runner.StartOptions{Timeout: 300 * time.Millisecond})
		if spec.Name == "a" { // which needs the time that a shell needs
			_, err = runner.Start(t.Context(), spec, runner.StartOptions{})
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\n  want %s", err, want)
		}
	}
	if left, err := os.ReadDir(os.Getenv("JUPYTER_RUNTIME_DIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runner.Start(ctx, runner.Spec{Name: "d", Argv: []string{"sleep", "1000"}}, runner.StartOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDeathInACell(t *testing.T) {
	spec := python(t)
	for _, c := range []struct{ source, want string }{
		{"print('last words', flush=True); import os; os._exit(3)", "exit status 3"},
		{"print('last words', flush=True); import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"},
	} {
		n := pythonNotebook("1+1", c.source, "2+2")
		out := filepath.Join(t.TempDir(), "out.ipynb")
		err := runner.Run(t.Context(), n, runner.Options{Kernel: spec, Output: out})
		var failure *runner.CellError
		if !errors.As(err, &failure) || !errors.Is(err, runner.ErrDied) || failure.Cell != 2 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v", err)
		}
		back, err := notebook.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(back.Cells[1]); !strings.Contains(got, "error:DeadKernelError:the kernel died ("+c.want) {
			t.Errorf("saved: %s", got)
		}
		if got := said(back.Cells[0]); got != "execute_result:2" {
			t.Errorf("first cell: %s", got)
		}
		if got := back.Cells[2].Metadata().Object("papermill").Text("status"); got != "pending" {
			t.Errorf("last cell: %s", got)
		}
	}
}

// Where the process that was started is not the kernel but lives on without it,
// the lost connections tell.
func TestDeathBehindAWrapper(t *testing.T) {
	spec := python(t)
	spec.Argv = append([]string{"sh", "-c", `"$@"; sleep 1000`, "sh", jupytertest.Bin(t, "python")}, spec.Argv[1:]...)
	n := pythonNotebook("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
	err := runner.Run(t.Context(), n, runner.Options{Kernel: spec})
	if !errors.Is(err, runner.ErrDied) || !strings.Contains(err.Error(), "it closed its connections") {
		t.Error(err)
	}
}

func TestTimeouts(t *testing.T) {
	spec := python(t)
	t.Run("cell", func(t *testing.T) {
		n := pythonNotebook("1", "import time\nprint('begun', flush=True)\ntime.sleep(1000)", "2")
		err := runner.Run(t.Context(), n, runner.Options{Kernel: spec, CellTimeout: 5 * time.Second})
		var late *runner.TimeoutError
		if !errors.As(err, &late) || late.Notebook || err.Error() != "cell 2 of 3 was stopped: it took longer than 5s" {
			t.Error(err)
		}
		if got := said(n.Cells[1]); got != "stdout:begun\n|error:KeyboardInterrupt:" {
			t.Errorf("saved: %s", got)
		}
	})
	t.Run("heedless", func(t *testing.T) {
		n := pythonNotebook("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('begun', flush=True)\nend = time.time() + 1000\nwhile time.time() < end:\n  try: time.sleep(1)\n  except KeyboardInterrupt: pass")
		err := runner.Run(t.Context(), n, runner.Options{Kernel: spec, CellTimeout: 5 * time.Second, Start: runner.StartOptions{Grace: time.Second}})
		var late *runner.TimeoutError
		if !errors.As(err, &late) || late.Notebook || !strings.Contains(err.Error(), "the kernel did not heed the interrupt for 1s and was killed") {
			t.Error(err)
		}
	})
	t.Run("notebook", func(t *testing.T) { // which begins with the kernel's start
		err := runner.Run(t.Context(), pythonNotebook("1"), runner.Options{Kernel: runner.Spec{Argv: []string{"sleep", "1000"}}, Timeout: 300 * time.Millisecond})
		var late *runner.TimeoutError
		if !errors.As(err, &late) || !late.Notebook {
			t.Error(err)
		}
	})
}

func TestInterruptSavesAndResumes(t *testing.T) {
	spec := python(t)
	dir := t.TempDir()
	out, flag := filepath.Join(dir, "out.ipynb"), filepath.Join(dir, "flag")
	sources := []string{
		"runs = globals().get('runs', 0) + 1\nopen(" + quote(flag) + ", 'a').write('a')\nprint('first')",
		"import os, time\nheavy = 41\nopen(" + quote(flag) + ", 'a').write('b')",
		"import os, time\nopen(" + quote(flag) + ", 'a').write('c')\nif os.path.getsize(" + quote(flag) + ") < 4: time.sleep(1000)\nprint(runs)",
		"runs",
	}
	n := pythonNotebook(sources...)
	n.Cells[1] = notebook.NewCell(notebook.Code, sources[1], runner.TagSkipOnResume)
	before := n.Clone()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if info, err := os.Stat(flag); err == nil && info.Size() == 3 {
				time.Sleep(100 * time.Millisecond)
				cancel()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	err := runner.Run(ctx, n, runner.Options{Kernel: spec, Output: out})
	cancel()
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	previous, err := notebook.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := said(previous.Cells[2]); got != "error:KeyboardInterrupt:" {
		t.Errorf("interrupted: %s", got)
	}
	// The first cell is run again for its variables, its output kept; the second is not.
	again := before.Clone()
	var phases []runner.Event
	err = runner.Run(t.Context(), again, runner.Options{Kernel: spec, Output: out, Previous: previous, Progress: func(e runner.Event) { phases = append(phases, e) }})
	if err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(flag); err != nil || string(log) != "abcac" {
		t.Errorf("ran %s, %v", log, err)
	}
	for i, want := range []string{"stdout:first\n", "execute_result:1", "stdout:1\n", "execute_result:1"} {
		if got := said(again.Cells[i]); got != want || again.Cells[i].Count() != i+1 {
			t.Errorf("cell %d: [%d] %s", i+1, again.Cells[i].Count(), got)
		}
	}
	if phases[1].Phase != runner.Restoring || phases[2].Phase != runner.Running || phases[2].Cell != 3 {
		t.Errorf("%+v", phases)
	}
	// All has succeeded: nothing is run, not even a kernel.
	idle := before.Clone()
	if err := runner.Run(t.Context(), idle, runner.Options{Kernel: runner.Spec{Argv: []string{"/no/such"}}, Previous: again, Output: out}); err != nil {
		t.Error(err)
	}
	if string(idle.Bytes()) != string(again.Bytes()) {
		t.Errorf("a run of nothing changed the notebook from\n%s\nto\n%s", again.Bytes(), idle.Bytes())
	}
	// A changed cell and what follows it are run again.
	changed := before.Clone()
	changed.Cells[2].SetSource("runs + 1")
	if err := runner.Run(t.Context(), changed, runner.Options{Kernel: spec, Previous: again}); err != nil {
		t.Fatal(err)
	}
	if got := said(changed.Cells[0]) + said(changed.Cells[2]) + said(changed.Cells[3]); got != "stdout:first\nexecute_result:2execute_result:1" {
		t.Error(got)
	}
}

func quote(path string) string { return "'" + path + "'" }

func TestErrors(t *testing.T) {
	spec := python(t)
	out := filepath.Join(t.TempDir(), "out.ipynb")
	n := pythonNotebook("# fine\nprint('ok')", "def f():\n    return 1/0\nf()", "3")
	n.Insert(0, notebook.NewCell(notebook.Markdown, "# T"))
	n.Insert(2, notebook.NewCell(notebook.Code, "raise ValueError('expected')", runner.TagRaises))
	n.Insert(3, notebook.NewCell(notebook.Code, "raise SystemError('never run')", runner.TagSkip))
	n.Insert(4, notebook.NewCell(notebook.Code, "  \n"))
	all := n.Clone()
	err := runner.Run(t.Context(), n, runner.Options{Kernel: spec, Input: "in.ipynb", Output: out})
	var failure *runner.CellError
	if !errors.As(err, &failure) || err.Error() != "cell 3 of 4 failed: ZeroDivisionError: division by zero" {
		t.Fatal(err)
	}
	trace := failure.Trace(false)
	for _, want := range []string{"Cell 3 of 4 (id ", "    2      return 1/0", "ZeroDivisionError", "division by zero", "f()"} {
		if !strings.Contains(trace, want) {
			t.Errorf("no %q in\n%s", want, trace)
		}
	}
	if strings.Contains(trace, "\x1b") || !strings.Contains(failure.Trace(true), "\x1b[") {
		t.Errorf("colours: %q", failure.Trace(true))
	}
	back, err := notebook.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := said(back.Cells[5]); got != "error:ZeroDivisionError:division by zero" {
		t.Error(got)
	}
	if got := said(back.Cells[6]); got != "" || back.Metadata().Object("papermill").Get("exception") == nil {
		t.Error(got)
	}
	jupytertest.Python(t, "import sys, nbformat; nb = nbformat.read(sys.argv[1], nbformat.NO_CONVERT); nbformat.validate(nb); assert nb.metadata.papermill.exception is True; assert nb.metadata.language_info.name == 'python'", out)

	if err := runner.Run(t.Context(), all, runner.Options{Kernel: spec, AllowErrors: true}); err != nil {
		t.Error(err)
	}
	if got := said(all.Cells[6]); got != "execute_result:3" {
		t.Error(got)
	}
}

func TestHostileOutput(t *testing.T) {
	spec := python(t)
	n := pythonNotebook(
		"import sys\nfor i in range(1000): print('x' * 10239)",
		"import os, subprocess\nsys.stdout.flush()\nos.write(1, b'\\xff\\xfe bytes\\n'); sys.stdout.buffer.write(b'\\xc3(\\n') if hasattr(sys.stdout, 'buffer') else None\nprint('\\ud800 half')",
		"for i in range(2000): print(f'\\r{i:5d}', end='')\nprint('\\nab\\b\\bc')",
		"print('done')")
	out := filepath.Join(t.TempDir(), "out.ipynb")
	if err := runner.Run(t.Context(), n, runner.Options{Kernel: spec, Output: out, AllowErrors: true}); err != nil {
		t.Fatal(err)
	}
	if got := len(n.Cells[0].Outputs()[0].Text()); got != 10_240_000 || len(n.Cells[0].Outputs()) != 1 {
		t.Errorf("%d bytes in %d outputs", got, len(n.Cells[0].Outputs()))
	}
	if got := said(n.Cells[2]); got != "stdout: 1999\nc\n" {
		t.Errorf("%q", got)
	}
	if got := said(n.Cells[3]); got != "stdout:done\n" {
		t.Errorf("%q", got)
	}
	jupytertest.Python(t, "import sys, nbformat; nbformat.validate(nbformat.read(sys.argv[1], nbformat.NO_CONVERT))", out)
}

func TestNothingLeftWhenWeAreKilled(t *testing.T) {
	if os.Getenv("PATCHLAB_TEST_VICTIM") != "" {
		runner.Run(t.Context(), pythonNotebook("import os, time; open(os.environ['PATCHLAB_TEST_VICTIM'], 'w').write(str(os.getpid())); time.sleep(1000)"), runner.Options{Kernel: python(t)})
		return
	}
	python(t) // or skip
	flag := filepath.Join(t.TempDir(), "pid")
	victim, err := os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run", "^" + t.Name() + "$"}, &os.ProcAttr{Env: append(os.Environ(), "PATCHLAB_TEST_VICTIM="+flag, "TMPDIR="+t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	var pid []byte
	for deadline := time.Now().Add(time.Minute); len(pid) == 0; time.Sleep(50 * time.Millisecond) {
		if pid, _ = os.ReadFile(flag); time.Now().After(deadline) {
			t.Fatal("the cell did not begin")
		}
	}
	if err := victim.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	victim.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		status, err := os.ReadFile("/proc/" + string(pid) + "/status")
		if err != nil || strings.Contains(string(status), "State:\tZ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("kernel %s lives on", pid)
		}
	}
}
