package child

import (
	"io"
	"strings"
	"sync"
)

// tail keeps the end of what is written to it, and passes all of it on.
type tail struct {
	to io.Writer // may be nil

	mu   sync.Mutex
	kept []byte
}

// tailSize bounds what is kept.
const tailSize = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if len(t.kept) > tailSize {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailSize:]...)
	}
	if t.to != nil {
		return t.to.Write(p)
	}
	return len(p), nil
}

// last returns the last lines, for an error message; it is empty where nothing was written.
func (t *tail) last() string {
	const most = 6
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	return "; it said last:\n" + strings.Join(lines[max(0, len(lines)-most):], "\n")
}
