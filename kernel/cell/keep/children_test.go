package keep_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/cell"
	"patchlab/kernel/cell/keep"
)

// build compiles a cell as GoNB does, as a program of its own.
func build(t *testing.T, imports, declarations, body string) string {
	t.Helper()
	dir := t.TempDir()
	source := "package main\n\nimport (\n\"patchlab/kernel/cell/keep\"\n" + imports + "\n)\n\n" + declarations + "\n\nfunc main() {\n" + body + "\n}\n"
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "cell")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", program, file).CombinedOutput()
	if err != nil {
		t.Fatalf("compiling a cell: %v\n%s\n%s", err, out, source)
	}
	return program
}

// run runs a cell in a session and returns what it printed on both streams.
func run(t *testing.T, session, program string) string {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), cell.Session+"="+session)
	out, _ := cmd.CombinedOutput()
	return string(out)
}

func expect(t *testing.T, output string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(output, want) {
			t.Errorf("the cell printed %q, want %q in it", output, want)
		}
	}
}

const layerType = `
type Layer struct {
	weights []float32 // the notebook's own types may have such fields
	Name    string
	next    *Layer
	act     func(float64) float64
}
type Model struct {
	layers []*Layer
	notes  map[string]any
}`

func TestAcrossProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles four programs")
	}
	session := t.TempDir()
	first := build(t, "", layerType, `
	a, b := &Layer{weights: []float32{1, 2}, Name: "a"}, &Layer{Name: "b"}
	a.next, b.next = b, a
	keep.Value("model", Model{layers: []*Layer{a, b}, notes: map[string]any{"epochs": 3, "last": *b}})
	println(keep.Once("n", func() (int, error) { println("computing"); return 7, nil }))`)
	expect(t, run(t, session, first), "computing\n7\n")

	second := build(t, `"fmt"`, layerType, `
	m := keep.Get[Model]("model")
	a := m.layers[0]
	fmt.Println(a.weights, a.next.Name, a.next.next == a, m.notes["epochs"], m.notes["last"].(Layer).next.Name)
	fmt.Println(keep.Once("n", func() (int, error) { panic("computed again") }))`)
	expect(t, run(t, session, second), "[1 2] b true 3 a\n7\n")
	expect(t, run(t, t.TempDir(), second), `panic: keep: nothing is kept under the name "model" in this session`)

	changed := strings.Replace(layerType, "Name    string", "Name    string\n\tBias    float64", 1)
	third := build(t, "", changed, `_ = keep.Get[Model]("model")`)
	expect(t, run(t, session, third), `panic: keep: "model": the type Layer has changed: it was struct{weights []float32; Name string; next *Layer; `,
		`and is struct{weights []float32; Name string; Bias float64; next *Layer;`)

	fourth := build(t, "", layerType, `keep.Value("model", Model{layers: []*Layer{{act: func(x float64) float64 { return x }}}})`)
	expect(t, run(t, session, fourth), `panic: keep: "model" cannot be kept: at .layers[0].act: a func(float64) float64 cannot be kept`)
	expect(t, run(t, session, second), "[1 2] b true 3 a") // the refused value replaced nothing
}

// TestKilledWhileWriting kills a cell in the middle of a value: the one before it stays, and the next cell that keeps
// one of that name removes what is left of it.
func TestKilledWhileWriting(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a program")
	}
	session := t.TempDir()
	program := build(t, `"fmt"; "os"; "time"`, "", `
	if len(os.Args) > 1 {
		fmt.Println(keep.Get[[]byte]("v")[0])
		return
	}
	if !keep.Has("v") {
		keep.Value("v", []byte{1})
	}
	go func() { // there are two files while one is being written
		for {
			if parts, _ := os.ReadDir(os.Getenv("PATCHLAB_SESSION") + "/values"); len(parts) > 1 {
				fmt.Println("writing")
			}
			time.Sleep(time.Millisecond)
		}
	}()
	big := make([]byte, 256<<20)
	for {
		big[0] = 2
		keep.Value("v", big)
	}`)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), cell.Session+"="+session)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil || line != "writing\n" {
		t.Fatalf("the cell printed %q: %v", line, err)
	}
	read := exec.Command(program, "read")
	read.Env = cmd.Env
	got, err := read.CombinedOutput()
	if s := string(got); err != nil || s != "1\n" && s != "2\n" {
		t.Errorf("after the kill: %q, %v; want one of the two values whole", s, err)
	}
	values := filepath.Join(session, cell.Values)
	t.Setenv(cell.Session, session)
	keep.Value("v", []byte{3})
	if files, err := os.ReadDir(values); err != nil || len(files) != 1 {
		t.Errorf("%d files are left of one value: %v, %v", len(files), files, err)
	}
}
