package sweeps

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// tail is the end of a file.
func tail(path string) []byte {
	const size = 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > size {
		f.Seek(-size, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	return b
}

// LastLine is the last line of a trial's log.
func (s *Sweep) LastLine(digest string) string {
	lines := strings.Split(strings.TrimSpace(string(tail(s.LogPath(digest)))), "\n")
	return lines[len(lines)-1]
}

// Epoch is the last epoch that a trial's log tells of, and of how many; 0 where the
// first has not ended.
func (s *Sweep) Epoch(digest string) (epoch, of int) {
	for _, line := range slices.Backward(bytes.Split(tail(s.LogPath(digest)), []byte("\n"))) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == "epoch" {
			fmt.Sscanf(f[1], "%d/%d", &epoch, &of)
			break
		}
	}
	return epoch, of
}
