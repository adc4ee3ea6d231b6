package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// retryAfter is how long [Auto] leaves a failed installation alone, so that a machine without network does not wait
// for it at every start. [XLA] always tries.
const retryAfter = time.Hour

// reachTimeout is how long a server may take to answer before the next way to install is tried: go-xla's own client
// would wait for minutes.
const reachTimeout = 6 * time.Second

// installer is one way to get XLA's CPU plugin; it returns the plugin's file.
type installer struct {
	name string
	run  func(ctx context.Context) (string, error)
}

// install gets XLA's CPU plugin by the first way that works.
func (o *opener) install(ctx context.Context, kind Kind) (candidate, error) {
	dir, err := CacheDir()
	if err != nil {
		return candidate{}, err
	}
	marker := filepath.Join(dir, "install-failed")
	if kind == Auto {
		if stat, err := os.Stat(marker); err == nil && time.Since(stat.ModTime()).Abs() < retryAfter {
			text, _ := os.ReadFile(marker)
			return candidate{}, fmt.Errorf("tried %s ago and left alone for an hour: %s", time.Since(stat.ModTime()).Round(time.Second), text)
		}
	}
	var failures []error
	for _, way := range o.installers {
		start := time.Now()
		path, err := way.run(ctx)
		if err == nil {
			o.say("backend: installed %s in %s", path, time.Since(start).Round(100*time.Millisecond))
			os.Remove(marker)
			return candidate{path: path, source: way.name}, nil
		}
		if ctx.Err() != nil {
			return candidate{}, ctx.Err()
		}
		err = fmt.Errorf("%s: %w", way.name, err)
		o.say("backend: %s", oneLine(err))
		failures = append(failures, err)
	}
	err = joinLine(failures)
	if os.MkdirAll(dir, 0o755) == nil {
		os.WriteFile(marker, []byte(oneLine(err)), 0o644) // only a note; without it the next start tries again
	}
	return candidate{}, err
}

// joinLine joins errors in one line.
func joinLine(failures []error) error {
	if len(failures) == 0 {
		return errors.New("no installer serves this platform")
	}
	err := failures[0]
	for _, f := range failures[1:] {
		err = fmt.Errorf("%w; %w", err, f)
	}
	return err
}

// lockFolder makes dir and waits until no other process installs into it. The lock ends with unlock or the process.
func (o *opener) lockFolder(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder: %w", err)
	}
	lock := flock.New(path)
	locked, err := lock.TryLock()
	if err == nil && !locked {
		o.say("backend: waiting for another process that is installing the plugin (lock %s)", path)
		_, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { lock.Close() }, nil
}

// usable reports whether a plugin at path needs no installation: it is whole, and loading it has not failed before.
func (o *opener) usable(path string) bool {
	return checkLibrary(path) == nil && !slices.Contains(o.broken, path)
}

// placeFile writes src to path so that path never holds a part of it.
func placeFile(path string, src io.Reader, mode fs.FileMode) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer f.Cleanup()
	if _, err := io.Copy(f, src); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.CloseAtomicallyReplace()
}

// progress says on the log how far a download is, at most every few seconds.
type progress struct {
	o           *opener
	what        string
	done, total int64 // bytes; total 0 where unknown
	last        time.Time
}

func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if time.Since(p.last) > 3*time.Second {
		p.last = time.Now()
		if p.total > 0 {
			p.o.say("backend: %s: %d of %d MB", p.what, p.done>>20, p.total>>20)
		} else {
			p.o.say("backend: %s: %d MB", p.what, p.done>>20)
		}
	}
	return len(b), nil
}

// lastError returns the last line of a tool's output that reads like an error, else the last line.
func lastError(output string) string {
	var last, lastErr string
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		last = line
		if after, ok := strings.CutPrefix(line, "ERROR: "); ok {
			lastErr = after
		}
	}
	if lastErr != "" {
		return lastErr
	}
	return last
}
