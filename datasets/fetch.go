package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// remoteFile is a file on the network whose content is known beforehand.
type remoteFile struct {
	name   string
	size   int64 // bytes
	sha256 string
}

// origin is a set of files that lie below each of some base URLs.
type origin struct {
	bases []string
	files []remoteFile
}

func (o origin) size() int64 {
	sum := int64(0)
	for _, f := range o.files {
		sum += f.size
	}
	return sum
}

// patience is how long a download waits for what.
type patience struct {
	connect  time.Duration // for name, connection and TLS handshake each
	answer   time.Duration // for the response's header
	stall    time.Duration // for the next byte
	pause    time.Duration // between attempts
	attempts int           // in a row that bring no new byte, before a base is given up
}

// fetcher downloads the files of an origin into a folder.
type fetcher struct {
	client   *http.Client
	patience patience
	progress func(done, total int64) // may be nil
	before   int64                   // bytes of files already complete
	total    int64                   // bytes of all files
}

// refusal is an error of one base URL that a further attempt won't mend.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// silence is the error of a request that brought no answer at all.
type silence struct{ error }

func (s silence) Unwrap() error { return s.error }

// fetch makes sure that dir holds every file of an origin, complete and verified: what is there is
// kept, what was begun is continued. A file gets its name only when its checksum is right.
// The caller holds the folder's lock.
func fetch(ctx context.Context, from origin, dir string, p patience, progress func(done, total int64)) error {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: p.connect}).DialContext,
		TLSHandshakeTimeout:   p.connect,
		ResponseHeaderTimeout: p.answer,
		DisableCompression:    true, // the bytes on disk are the bytes that are checked
		ForceAttemptHTTP2:     true,
	}
	defer transport.CloseIdleConnections()
	f := fetcher{client: &http.Client{Transport: transport}, patience: p, progress: progress, total: from.size()}
	for _, file := range from.files {
		if err := f.file(ctx, from.bases, file, dir); err != nil {
			return err
		}
		f.before += file.size
		f.report(0)
	}
	return nil
}

func (f *fetcher) report(done int64) {
	if f.progress != nil {
		f.progress(f.before+done, f.total)
	}
}

// file brings one file from the first base that has it.
func (f *fetcher) file(ctx context.Context, bases []string, file remoteFile, dir string) error {
	final := filepath.Join(dir, file.name)
	if verify(final, file) == nil {
		return nil
	}
	part := final + ".part"
	var failure error
	for _, base := range bases {
		err := f.from(ctx, strings.TrimSuffix(base, "/")+"/"+file.name, file, part)
		if err == nil {
			return commit(part, final)
		}
		if fileSize(part) == 0 {
			os.Remove(part) // nothing to continue from
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failure == nil {
			failure = err
		} else {
			failure = fmt.Errorf("%w; %w", failure, err)
		}
	}
	return failure
}

// from downloads one URL into part, in as many attempts as bring something new, and verifies it.
func (f *fetcher) from(ctx context.Context, address string, file remoteFile, part string) error {
	mismatches, answered := 0, false
	for fruitless := 0; ; {
		before := fileSize(part)
		err := f.attempt(ctx, address, file, part)
		if err == nil {
			if err = verify(part, file); err == nil {
				return nil
			}
			// Perhaps an older part was wrong: once more, from the start.
			if mismatches++; mismatches == 2 || before == 0 {
				os.Remove(part)
				return fmt.Errorf("%s: %w", address, err)
			}
			if err := os.Remove(part); err != nil {
				return err
			}
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Where nobody ever answered there is probably no network, and the caller should know at once.
		if silent := (silence{}); errors.As(err, &silent) && !answered {
			return err
		} else if refused := (refusal{}); errors.As(err, &refused) {
			return err
		}
		answered = true
		if fileSize(part) > before {
			fruitless = 0
		} else if fruitless++; fruitless >= f.patience.attempts {
			return fmt.Errorf("%w (given up after %d attempts in a row without a new byte)", err, fruitless)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.patience.pause):
		}
	}
}

// attempt asks for what part still lacks and appends it. A nil error means that part is as long as
// the file should be.
func (f *fetcher) attempt(ctx context.Context, address string, file remoteFile, part string) error {
	have := fileSize(part)
	if have > file.size {
		if err := os.Truncate(part, 0); err != nil {
			return refusal{err}
		}
		have = 0
	}
	if have == file.size {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return refusal{err}
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := f.client.Do(request)
	if err != nil {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			err = failed.Err // without the URL, whose host is enough
		}
		return silence{fmt.Errorf("no connection to %s: %w", request.URL.Host, err)}
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusPartialContent && rangeStart(response) == have && have > 0:
	case response.StatusCode == http.StatusOK: // the server doesn't do ranges: the whole file comes
		have = 0
		if response.ContentLength >= 0 && response.ContentLength != file.size {
			return refusal{fmt.Errorf("%s: the server offers %d bytes, the file has %d", address, response.ContentLength, file.size)}
		}
	case response.StatusCode == http.StatusPartialContent, response.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := os.Truncate(part, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return refusal{err}
		}
		return fmt.Errorf("%s: the server answered %s with range %q to a request from byte %d",
			address, response.Status, response.Header.Get("Content-Range"), have)
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s: the server answered %s", address, response.Status)
	default:
		return refusal{fmt.Errorf("%s: the server answered %s", address, response.Status)}
	}
	stalled := time.AfterFunc(f.patience.stall, func() {
		cancel(fmt.Errorf("no byte came for %v", f.patience.stall))
	})
	defer stalled.Stop()
	err = f.store(response.Body, part, have, file.size, func() { stalled.Reset(f.patience.stall) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

// store writes a response's body to part from offset on, until it is size bytes long.
func (f *fetcher) store(body io.Reader, part string, offset, size int64, alive func()) (err error) {
	out, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return refusal{err}
	}
	defer func() {
		if closed := out.Close(); err == nil && closed != nil {
			err = refusal{closed}
		}
	}()
	if err := out.Truncate(offset); err != nil {
		return refusal{err}
	}
	if _, err := out.Seek(offset, io.SeekStart); err != nil {
		return refusal{err}
	}
	buffer := make([]byte, 128<<10)
	for offset < size {
		n, err := body.Read(buffer[:min(int64(len(buffer)), size-offset)])
		if n > 0 {
			alive()
			if _, err := out.Write(buffer[:n]); err != nil {
				return refusal{err}
			}
			offset += int64(n)
			f.report(offset)
		}
		if err != nil && offset < size {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("the connection ended at byte %d of %d: %w", offset, size, err)
		}
	}
	if err := out.Sync(); err != nil {
		return refusal{err}
	}
	return nil
}

// rangeStart is the first byte that a partial response holds, -1 where it doesn't say.
func rangeStart(response *http.Response) int64 {
	start := int64(-1)
	if _, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-", &start); err != nil {
		return -1
	}
	return start
}

// fileSize is 0 where there is no such file.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// verify compares a file with what it should be.
func verify(path string, want remoteFile) error {
	content, err := os.Open(path)
	if err != nil {
		return err
	}
	defer content.Close()
	h := sha256.New()
	n, err := io.Copy(h, content)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != want.size || got != want.sha256 {
		return fmt.Errorf("%d bytes with SHA-256 %s came, must be %d with %s", n, got, want.size, want.sha256)
	}
	return nil
}

// commit gives a complete file, already flushed, its name.
func commit(part, final string) error {
	if err := os.Rename(part, final); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(final))
}

// syncFolder flushes the names in a folder. File systems that can't are left alone.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	folder.Sync()
	return nil
}

// unavailable is the one sentence that says why a dataset can't be had and what to do. A cancelled
// context is not among its reasons.
func unavailable(ctx context.Context, cause error, advice string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w (%w): %s, or take the built-in pictures with --data shapes", ErrUnavailable, cause, advice)
}

var errOffline = errors.New("it is not in the cache, and the network is switched off")

// mirrored is the origin with another base URL, unless that is empty.
func (o origin) mirrored(base string) origin {
	if base != "" {
		o.bases = []string{base}
	}
	return o
}
