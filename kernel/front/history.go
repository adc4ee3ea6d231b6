package front

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"patchlab/kernel/message"
	"patchlab/save"
)

// keepEntries bounds the cells in a history file; the oldest go first.
const keepEntries = 10_000

// keepOutput bounds the bytes of a result in the history: whoever looks for a cell needs its beginning.
const keepOutput = 64 << 10

// entry is a cell that was run.
type entry struct {
	Session int    `json:"session"`
	Line    int    `json:"line"`
	Code    string `json:"code"`
	Output  string `json:"output,omitempty"`
}

// History keeps the cells of this and earlier sessions. Its methods may be called by several goroutines.
type History struct {
	mu      sync.Mutex
	file    string // empty: memory only
	session int
	entries []entry
}

// NewHistory returns a history without a file.
func NewHistory() *History { return &History{session: 1} }

// OpenHistory returns the history in a file, one JSON object a line, which several kernels may share. The file comes
// into being with the first cell; lines that are none are passed over.
func OpenHistory(file string) (*History, error) {
	h := &History{file: file, session: 1}
	if err := h.load(); err != nil {
		return nil, err
	}
	if len(h.entries) > keepEntries {
		if err := h.shorten(); err != nil {
			return nil, err
		}
	}
	for _, e := range h.entries {
		h.session = max(h.session, e.Session+1)
	}
	return h, nil
}

// load reads the file, if there is one.
func (h *History) load() error {
	b, err := os.ReadFile(h.file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the history: %w", err)
	}
	h.entries = nil
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, MaxCell*8)
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Session > 0 {
			h.entries = append(h.entries, e)
		}
	}
	return nil
}

// shorten leaves only the last entries in the file.
func (h *History) shorten() error {
	lock := flock.New(h.file + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("locking the history: %w", err)
	}
	defer lock.Unlock()
	if err := h.load(); err != nil { // another kernel may have added some
		return err
	}
	h.entries = slices.Clone(h.entries[max(0, len(h.entries)-keepEntries):])
	var b bytes.Buffer
	for _, e := range h.entries {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	return save.Bytes(h.file, b.Bytes()) // which keeps it from others' eyes, as it was
}

// Add keeps a cell of this session, with the text of its result, which is cut where it is long. Where the file cannot be written, the cell is kept in
// memory, and the error says why.
func (h *History) Add(line int, code, output string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(output) > keepOutput {
		output = strings.ToValidUTF8(output[:keepOutput], "") + "…"
	}
	e := entry{h.session, line, code, output}
	h.entries = append(h.entries, e)
	if h.file == "" {
		return nil
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return fmt.Errorf("keeping a cell in the history: %w", err)
	}
	lock := flock.New(h.file + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("keeping a cell in the history: %w", err)
	}
	defer lock.Unlock()
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keeping a cell in the history: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// Find returns what a request asks for, oldest first.
func (h *History) Find(r message.HistoryRequest) ([][3]any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []entry
	last := func(n int) {
		if n > 0 && len(found) > n {
			found = found[len(found)-n:]
		}
	}
	switch r.Access {
	case "tail":
		found = slices.Clone(h.entries)
		last(r.N)
	case "range":
		session := r.Session
		if session <= 0 {
			session += h.session
		}
		for _, e := range h.entries {
			if e.Session == session && e.Line >= r.Start && (r.Stop <= 0 || e.Line < r.Stop) {
				found = append(found, e)
			}
		}
	case "search":
		pattern := r.Pattern
		if pattern == "" {
			pattern = "*"
		}
		seen := map[string]bool{}
		for _, e := range slices.Backward(h.entries) {
			if !glob(pattern, e.Code) || r.Unique && seen[e.Code] {
				continue
			}
			seen[e.Code] = true
			found = append(found, e)
		}
		slices.Reverse(found)
		last(r.N)
	default:
		return nil, fmt.Errorf("hist_access_type %q, allowed are tail, range and search", r.Access)
	}
	result := make([][3]any, len(found))
	for i, e := range found {
		result[i] = [3]any{e.Session, e.Line, e.Code}
		if r.Output {
			result[i][2] = [2]any{e.Code, e.Output}
		}
	}
	return result, nil
}

// glob matches as shells do, but * and ? match every character.
func glob(pattern, text string) bool {
	const slash = "\x00" // path.Match lets * stop at slashes
	replace := func(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte("/"), []byte(slash))) }
	ok, err := path.Match(replace(pattern), replace(text))
	return err == nil && ok
}
