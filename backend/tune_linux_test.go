package backend

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test binary stand in for a program that calls ReexecTuned first in main.
func TestMain(m *testing.M) {
	if os.Getenv("PATCHLAB_TEST_ROLE") == "tuned program" {
		os.Exit(tunedProgram())
	}
	os.Exit(m.Run())
}

// tunedReport is what the stand-in program tells about itself.
type tunedReport struct {
	PID        int
	Args       []string
	Folder     string
	Start, Now []string // the settings' environment entries: when the program last started, and now
	Line       string   // read from standard input
	Extra      string   // read from file descriptor 3
	HangupOff  bool     // whether SIGHUP is ignored
	Error      string
	Runs       string // one letter a start of the program
}

func tunedProgram() int {
	runs, err := os.OpenFile(os.Getenv("PATCHLAB_TEST_RUNS"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runs.WriteString("x")
	runs.Close()
	var r tunedReport
	for range 2 { // a second call must do nothing
		if err := ReexecTuned(); err != nil {
			r.Error = err.Error()
		}
	}
	r.PID, r.Args, r.HangupOff = os.Getpid(), os.Args, signal.Ignored(syscall.SIGHUP)
	r.Folder, _ = os.Getwd()
	start, _ := os.ReadFile("/proc/self/environ")
	// glibc before 2.39 overwrites the colons of GLIBC_TUNABLES in the block that /proc shows, not in its own copy.
	start = bytes.ReplaceAll(start, []byte("\x00glibc."), []byte(":glibc."))
	r.Start, r.Now = settings(strings.Split(string(start), "\x00")), settings(os.Environ())
	r.Line, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if f := os.NewFile(3, "extra"); f != nil {
		var b bytes.Buffer
		b.ReadFrom(f)
		r.Extra = b.String()
	}
	count, _ := os.ReadFile(os.Getenv("PATCHLAB_TEST_RUNS"))
	r.Runs = string(count)
	json.NewEncoder(os.Stdout).Encode(r)
	return 0
}

func settings(environ []string) []string {
	var found []string
	for _, entry := range environ {
		if strings.HasPrefix(entry, "MALLOC_") || strings.HasPrefix(entry, "GLIBC_TUNABLES=") {
			found = append(found, entry)
		}
	}
	slices.Sort(found)
	return found
}

// runTuned runs the stand-in program under the given extra environment.
func runTuned(t *testing.T, env ...string) (tunedReport, int) {
	t.Helper()
	if !usesGlibc() {
		t.Skip("this test binary does not use glibc")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The shell ignores SIGHUP, as nohup does, and becomes the program.
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" "$@"`, exe, "one", "two words")
	cmd.Dir = t.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, TunedEnv+"=") || len(settings([]string{entry})) > 0
	})
	cmd.Env = append(cmd.Env, "PATCHLAB_TEST_ROLE=tuned program", "PATCHLAB_TEST_RUNS="+t.TempDir()+"/runs")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader("a line\n")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(write, "kept")
	write.Close()
	cmd.ExtraFiles = []*os.File{read}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	read.Close()
	if err != nil {
		t.Fatalf("running the program: %v\n%s", err, out)
	}
	var r tunedReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Error != "" {
		t.Errorf("ReexecTuned: %s", r.Error)
	}
	if want := []string{exe, "one", "two words"}; !slices.Equal(r.Args, want) {
		t.Errorf("arguments %q, want %q", r.Args, want)
	}
	if r.Folder != cmd.Dir || r.Line != "a line\n" || r.Extra != "kept" || !r.HangupOff || r.PID != cmd.Process.Pid {
		t.Errorf("folder, input, files, signals or process number changed: %+v", r)
	}
	return r, len(r.Runs)
}

func TestReexecTuned(t *testing.T) {
	all := []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "MALLOC_ARENA_MAX=1", "MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=8000000000"}
	cases := []struct {
		name       string
		env        []string
		start, now []string
		runs       int
	}{
		{"plain", nil, all, nil, 2},
		{"a parent's guard", []string{TunedEnv + "=1:GLIBC_TUNABLES"}, all, nil, 2},
		{
			"the user's settings", []string{"GLIBC_TUNABLES=glibc.malloc.check=0", "MALLOC_ARENA_MAX=3"},
			[]string{"GLIBC_TUNABLES=glibc.malloc.check=0:glibc.malloc.hugetlb=1", "MALLOC_ARENA_MAX=3", all[2], all[3]},
			[]string{"GLIBC_TUNABLES=glibc.malloc.check=0", "MALLOC_ARENA_MAX=3"}, 2,
		},
		{
			"the user's huge pages", []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"},
			[]string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0", all[1], all[2], all[3]},
			[]string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, 2,
		},
		{"everything set", all, all, all, 1},
		{"off", []string{TunedEnv + "=off"}, nil, nil, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, runs := runTuned(t, c.env...)
			if !slices.Equal(r.Start, c.start) {
				t.Errorf("started with %q, want %q", r.Start, c.start)
			}
			if !slices.Equal(r.Now, c.now) {
				t.Errorf("hands its children %q, want %q", r.Now, c.now)
			}
			if runs != c.runs {
				t.Errorf("started %d times, want %d", runs, c.runs)
			}
		})
	}
}
