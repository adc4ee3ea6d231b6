package front

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/kernel/message"
)

func TestHistory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", "history.jsonl")
	open := func() *History {
		t.Helper()
		h, err := OpenHistory(file)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := open()
	for i, code := range []string{"a/b", "c", "a/b"} {
		if err := h.Add(i+1, code, ""); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("nonsense\n{\"session\":0}\n")
	f.Close()
	h = open()
	if err := h.Add(1, "d", "out"); err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]message.HistoryRequest{
		"[[1 3 a/b] [2 1 d]]":         {Access: "tail", N: 2},
		"[[1 1 a/b] [1 2 c]]":         {Access: "range", Session: 1, Start: 1, Stop: 3},
		"[[2 1 [d out]]]":             {Access: "range", Session: 0, Output: true},
		"[[1 2 c] [1 3 a/b]]":         {Access: "range", Session: -1, Start: 2},
		"[[1 3 a/b]]":                 {Access: "search", Pattern: "a*", Unique: true},
		"[[1 1 a/b] [1 3 a/b]]":       {Access: "search", Pattern: "a?b"},
		"[[1 2 c] [1 3 a/b] [2 1 d]]": {Access: "search", N: 3},
		"[]":                          {Access: "search", Pattern: "["},
	} {
		got, err := h.Find(r)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%+v: %v, %v, want %s", r, got, err, want)
		}
	}
	if _, err := h.Find(message.HistoryRequest{Access: "all"}); err == nil || !strings.Contains(err.Error(), `"all"`) {
		t.Errorf("error %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.jsonl")
	var b strings.Builder
	for i := range keepEntries + 5 {
		fmt.Fprintf(&b, "{\"session\":1,\"line\":%d,\"code\":\"x\"}\n", i)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := OpenHistory(file)
	if err != nil || len(h.entries) != keepEntries || h.entries[0].Line != 5 {
		t.Errorf("%d entries, %v", len(h.entries), err)
	}
	if left, err := os.ReadFile(file); err != nil || strings.Count(string(left), "\n") != keepEntries {
		t.Errorf("%d lines, %v", strings.Count(string(left), "\n"), err)
	}
}

// A result as large as a cell can make it does not keep the history from being read again.
func TestHistoryCutsResults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.jsonl")
	h, err := OpenHistory(file)
	if err != nil {
		t.Fatal(err)
	}
	for line, output := range []string{strings.Repeat("é", MaxCell*5), "7"} {
		if err := h.Add(line+1, "x", output); err != nil {
			t.Fatal(err)
		}
	}
	if h, err = OpenHistory(file); err != nil || len(h.entries) != 2 || h.entries[1].Output != "7" {
		t.Fatalf("%d entries, %v", len(h.entries), err)
	}
	if kept := h.entries[0].Output; len(kept) > keepOutput+3 || !strings.HasSuffix(kept, "é…") {
		t.Errorf("%d bytes are kept, ending in %q", len(kept), kept[len(kept)-8:])
	}
}
