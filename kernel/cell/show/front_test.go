package show

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// front reads a pipe as the kernel's front does and returns the messages of one program.
func front(t *testing.T, source string) (messages []message, output string) {
	t.Helper()
	dir := t.TempDir()
	pipe, file, program := filepath.Join(dir, "pipe"), filepath.Join(dir, "main.go"), filepath.Join(dir, "cell")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", program, file).CombinedOutput(); err != nil {
		t.Fatalf("compiling a cell: %v\n%s", err, out)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		lines := bufio.NewReader(r)
		for {
			text, err := lines.ReadString('\n')
			if err != nil || text == "end\n" {
				read <- err
				return
			}
			var m message
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				read <- fmt.Errorf("%w in %.200q", err, text)
				return
			}
			messages = append(messages, m)
		}
	}()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), pipeVariable+"="+pipe)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the cell: %v\n%s", err, out)
	}
	if _, err := r.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	r.Close()
	return messages, string(out)
}

func TestWhatTheFrontReads(t *testing.T) {
	messages, output := front(t, `package main

import (
	"encoding/json"
	"image"
	"strings"
	"sync"

	"patchlab/kernel/cell/show"
)

func main() {
	show.Value(image.NewGray(image.Rect(0, 0, 4, 4)), nil)
	show.SVG("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"><title>t</title></svg>")
	show.JSON(map[string]any{"a": nil, "b": []int{1}})
	show.JSON(func() {})
	show.Result("quoted \"text\"\nhere")
	bar := show.NewProgress("work", 3)
	for range 3 {
		bar.Add(1)
	}
	curve := show.NewCurve("c")
	curve.Add(1, map[string]float64{"loss": 1})
	curve.Add(2, map[string]float64{"loss": 0.5})
	curve.Close()
	var group sync.WaitGroup // longer than what a pipe takes at once
	for i := range 8 {
		group.Go(func() { show.Printf("%s", strings.Repeat(string(rune('a'+i)), 15_000)) })
	}
	group.Wait()
	show.Value(json.RawMessage("[1]"))
}
`)
	if output != "" {
		t.Errorf("it printed %q", output)
	}
	kinds := map[string]int{}
	for _, m := range messages {
		kinds[m.Type]++
		if m.Content.Data[Text] == nil || m.Content.Metadata == nil {
			t.Errorf("a message without text or metadata: %.200v", m)
		}
	}
	if len(messages) < 17 {
		t.Fatalf("%d messages: %v", len(messages), kinds)
	}
	if p, err := base64.StdEncoding.DecodeString(messages[0].Content.Data[PNGType].(string)); err != nil || !strings.HasPrefix(string(p), "\x89PNG") {
		t.Errorf("the picture is %.40q: %v", p, err)
	}
	if svg := messages[1].Content.Data[SVGType].(string); !strings.HasPrefix(svg, "<svg ") || messages[1].Content.Data[HTMLType] != nil {
		t.Errorf("the SVG is %v", messages[1].Content.Data)
	}
	if object, ok := messages[2].Content.Data[JSONType].(map[string]any); !ok || object["b"] == nil {
		t.Errorf("the JSON is %v", messages[2].Content.Data)
	}
	if text := messages[3].Content.Data[Text].(string); !strings.Contains(text, "no JSON: json: unsupported type: func()") {
		t.Errorf("a function as JSON is %q", text)
	}
	if m := messages[4]; m.Type != result || m.Content.Data[Text] != `"quoted \"text\"\nhere"` {
		t.Errorf("the result is %v", m)
	}
	ids := map[any][]string{}
	for _, m := range messages {
		if id := m.Content.Transient["display_id"]; id != nil {
			ids[id] = append(ids[id], m.Type)
		}
	}
	if len(ids) != 2 {
		t.Errorf("%d live areas: %v", len(ids), ids)
	}
	for id, types := range ids {
		if types[0] != displayData || len(types) < 2 || types[len(types)-1] != updateData {
			t.Errorf("area %v was sent as %v", id, types)
		}
	}
}
