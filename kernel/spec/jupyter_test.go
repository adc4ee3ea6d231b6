package spec_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/process"
	"patchlab/kernel/spec"
)

// patience bounds what a test waits for; it is reached only where something is broken.
const patience = 5 * time.Minute

// place is a folder into which the kernel was installed by its own command.
type place struct {
	root, dir, mark string
	env             []string
}

// install builds patchlab and installs its kernel into a folder of the test's. The mark is in the environment of all
// that the test starts.
func install(t *testing.T) *place {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the program")
	}
	jupytertest.Bin(t, "python")
	if tools, err := spec.ToolsFolder(); err != nil || !spec.ToolsBuilt(tools) {
		if os.Getenv("CI") != "" {
			t.Fatalf("the kernel's programs are missing: patchlab kernel install --tools-only (%v)", err)
		}
		t.Skipf("the kernel's programs are missing: patchlab kernel install --tools-only (%v)", err)
	}
	root, err := jupytertest.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "ps") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "patchlab")
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run("go", "build", "-o", program, "./cmd/patchlab")
	run(program, "kernel", "install", "--prefix", filepath.Join(dir, "env"))
	run(program, "kernel", "warm") // the suite waits 15 seconds for a cell
	p := &place{root: root, dir: dir, mark: fmt.Sprintf("PATCHLAB_TEST_MARK=%d-%s", os.Getpid(), filepath.Base(dir))}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), p.mark, "TMPDIR="+filepath.Join(dir, "tmp"), "JUPYTER_PATH="+filepath.Join(dir, "env", "share", "jupyter"),
		"JUPYTER_RUNTIME_DIR="+filepath.Join(dir, "run"))
	return p
}

// left waits until nothing is left of what the test has started, neither a process nor a file, and says how long it
// took.
func (p *place) left(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows the environment of processes")
	}
	begin := time.Now()
	for {
		pids := process.WithEntry(p.mark)
		files, _ := filepath.Glob(filepath.Join(p.dir, "tmp", "patchlab-*"))
		if len(pids) == 0 && len(files) == 0 {
			t.Logf("nothing was left after %v", time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Since(begin) > patience {
			for _, pid := range pids {
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				t.Errorf("process %d is left: %q", pid, b)
				syscall.Kill(pid, syscall.SIGKILL)
			}
			t.Fatalf("files left: %v", files)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestJupyterKernelTest(t *testing.T) {
	p := install(t)
	cmd := exec.Command(jupytertest.Bin(t, "python"), filepath.Join(p.root, "kernel", "testdata", "kernel_suite.py"))
	cmd.Env, cmd.Dir = p.env, p.dir // from a folder that is not the module's
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(string(out), "skipped") {
		t.Error("a part of the suite was skipped")
	}
	p.left(t)
}

// start runs a client that has a cell run, and returns the kernel's process number.
func (p *place) start(t *testing.T) (client *exec.Cmd, kernel int) {
	t.Helper()
	client = exec.Command(jupytertest.Bin(t, "python"), filepath.Join(p.root, "kernel", "testdata", "client.py"), "1000")
	client.Env, client.Dir, client.Stderr = p.env, p.dir, os.Stderr
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(errors.Join(err, client.Wait()))
	}
	if kernel, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return client, kernel
}

// A client that is killed leaves nothing behind, nor does a kernel that is killed, alone or with its process group.
func TestKilled(t *testing.T) {
	p := install(t)
	for name, kill := range map[string]func(client *exec.Cmd, kernel int){
		"client": func(client *exec.Cmd, _ int) { client.Process.Kill() },
		"kernel": func(client *exec.Cmd, kernel int) {
			syscall.Kill(kernel, syscall.SIGKILL)
			client.Process.Kill()
		},
		"group": func(client *exec.Cmd, kernel int) {
			syscall.Kill(-kernel, syscall.SIGKILL)
			client.Process.Kill()
		},
		"terminated": func(client *exec.Cmd, kernel int) {
			syscall.Kill(kernel, syscall.SIGTERM)
			client.Process.Kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, kernel := p.start(t)
			kill(client, kernel)
			client.Wait()
			p.left(t)
		})
	}
}
