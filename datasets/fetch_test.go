package datasets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// noisyRecord is a CIFAR record that gzip can't make smaller, so that an archive of them has some length.
func noisyRecord(label uint8) []byte {
	record := make([]byte, cifarRecord)
	keyed("patchlab: tests ", uint64(label), 0).Read(record)
	record[0] = label
	return record
}

// cifarArchiveOf is a small archive in the official layout, two records a file.
func cifarArchiveOf(t testing.TB) []byte {
	entries := []tarEntry{{cifarFolder + "/readme.html", []byte("<p>not needed")}}
	for i, name := range cifarFiles() {
		entries = append(entries, tarEntry{cifarFolder + "/" + name, append(noisyRecord(uint8(i)), noisyRecord(uint8(i+1))...)})
	}
	return archiveOf(t, entries)
}

func TestDownload(t *testing.T) {
	archive := cifarArchiveOf(t)
	third := len(archive)/3 + 1
	wrong := bytes.Repeat([]byte("x"), len(archive))
	for _, c := range []struct {
		name     string
		part     []byte // left over from an earlier attempt
		answer   func(w http.ResponseWriter, r *http.Request, request int)
		stall    time.Duration // when set, how long the client waits for the next byte
		requests []string      // the Range header of each
		fails    string        // part of the error; empty: succeeds
	}{
		{name: "good server", answer: whole(archive), requests: []string{""}},
		{
			name: "continues a part", part: archive[:third], answer: whole(archive),
			requests: []string{fmt.Sprintf("bytes=%d-", third)},
		},
		{name: "part already complete", part: archive, answer: whole(archive), requests: []string{}},
		{
			name: "truncates each answer",
			answer: func(w http.ResponseWriter, r *http.Request, _ int) {
				http.ServeContent(&cutter{ResponseWriter: w, left: third}, r, "", time.Time{}, bytes.NewReader(archive))
			},
			requests: []string{"", fmt.Sprintf("bytes=%d-", third), fmt.Sprintf("bytes=%d-", 2*third)},
		},
		{
			name: "ignores ranges", part: archive[:third],
			answer:   func(w http.ResponseWriter, _ *http.Request, _ int) { w.Write(archive) },
			requests: []string{fmt.Sprintf("bytes=%d-", third)},
		},
		{
			name: "answers another range, then properly", part: archive[:third],
			answer: func(w http.ResponseWriter, r *http.Request, request int) {
				if request == 1 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes 1-%d/%d", len(archive)-1, len(archive)))
					w.WriteHeader(http.StatusPartialContent)
					w.Write(archive[1:])
					return
				}
				whole(archive)(w, r, request)
			},
			requests: []string{fmt.Sprintf("bytes=%d-", third), ""},
		},
		{
			name: "refuses the range, then answers properly", part: archive[:third],
			answer: func(w http.ResponseWriter, r *http.Request, request int) {
				if request == 1 {
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
					return
				}
				whole(archive)(w, r, request)
			},
			requests: []string{fmt.Sprintf("bytes=%d-", third), ""},
		},
		{
			name: "the part was wrong", part: wrong[:third], answer: whole(archive),
			requests: []string{fmt.Sprintf("bytes=%d-", third), ""},
		},
		{
			name: "the part was too long", part: append(bytes.Clone(archive), 0), answer: whole(archive),
			requests: []string{""},
		},
		{
			name:     "wrong bytes",
			answer:   func(w http.ResponseWriter, _ *http.Request, _ int) { w.Write(wrong) },
			requests: []string{""},
			fails:    "with SHA-256 " + sum(wrong),
		},
		{
			name:     "a page in place of the file",
			answer:   func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, "<html>log in first</html>") },
			requests: []string{""},
			fails:    "the server offers 25 bytes",
		},
		{
			name:     "not found",
			answer:   func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) },
			requests: []string{""},
			fails:    "404 Not Found",
		},
		{
			name: "busy, then answers",
			answer: func(w http.ResponseWriter, r *http.Request, request int) {
				if request < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				whole(archive)(w, r, request)
			},
			requests: []string{"", "", ""},
		},
		{
			name:     "busy for good",
			answer:   func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusServiceUnavailable) },
			requests: []string{"", "", ""},
			fails:    "503 Service Unavailable (given up after 3 attempts",
		},
		{
			name: "stalls once", stall: 300 * time.Millisecond,
			answer: func(w http.ResponseWriter, r *http.Request, request int) {
				if request == 1 {
					stallAfter(w, r, archive, third)
					return
				}
				whole(archive)(w, r, request)
			},
			requests: []string{"", fmt.Sprintf("bytes=%d-", third)},
		},
		{
			name: "stalls at once, each time", stall: 100 * time.Millisecond,
			answer:   func(w http.ResponseWriter, r *http.Request, _ int) { stallAfter(w, r, archive, 0) },
			requests: []string{"", "", ""},
			fails:    "no byte came for 100ms",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.answer)
			cache := t.TempDir()
			parent := filepath.Join(cache, "cifar10")
			if c.part != nil {
				if err := os.MkdirAll(parent, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(parent, cifarArchive+".part"), c.part, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			l := shelf(archive, s.URL)
			if c.stall > 0 {
				l.patience.stall = c.stall
			}
			last := int64(-1)
			d, err := l.load(t.Context(), "cifar10", Options{CacheDir: cache, Progress: func(done, total int64) {
				if total != int64(len(archive)) || done > total {
					t.Errorf("progress %d of %d, the file has %d bytes", done, total, len(archive))
				}
				last = done
			}})
			if got := s.seen(); strings.Join(got, ",") != strings.Join(c.requests, ",") || len(got) != len(c.requests) {
				t.Errorf("requests with ranges %q, want %q", got, c.requests)
			}
			if c.fails != "" {
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error is %v, want ErrUnavailable with %q", err, c.fails)
				}
				if !strings.Contains(err.Error(), "--data-dir") || strings.Contains(err.Error(), "\n") {
					t.Errorf("error isn't one sentence that says what to do: %q", err)
				}
				wantNames(t, parent) // nothing that a later attempt could take for data
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if last != int64(len(archive)) {
				t.Errorf("progress ended at %d of %d", last, len(archive))
			}
			if d.Train.Len() != 10 || d.Test.Len() != 2 {
				t.Errorf("%d train and %d test images, want 10 and 2", d.Train.Len(), d.Test.Len())
			}
			wantNames(t, parent, cifarFolder)
			// The second time nothing is asked for.
			before := len(s.seen())
			again, err := shelf(archive, s.URL).load(t.Context(), "cifar10", Options{CacheDir: cache, Offline: true})
			if err != nil || again.Digest != d.Digest || len(s.seen()) != before {
				t.Errorf("second load: error %v, %d requests", err, len(s.seen())-before)
			}
		})
	}
}

// wantNames checks which names, beside the lock, are in a folder.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Name() != ".lock" {
			got = append(got, e.Name())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the cache holds %q, want %q", got, want)
	}
}

func TestDownloadWithoutNetworkIsQuick(t *testing.T) {
	archive := cifarArchiveOf(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, part := range []int{0, 100} { // a part left over makes no difference
		cache := t.TempDir()
		if part > 0 {
			if err := os.Mkdir(filepath.Join(cache, "cifar10"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(cache, "cifar10", cifarArchive+".part"), archive[:part], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		_, err := shelf(archive, gone.URL).load(t.Context(), "cifar10", Options{CacheDir: cache})
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no connection to") {
			t.Errorf("error is %v, want ErrUnavailable", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v to say so", took)
		}
	}
}

func TestOfflineTouchesNothing(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	for _, name := range []string{"cifar10", "fashion-mnist"} {
		_, err := shelf(nil).load(t.Context(), name, Options{CacheDir: cache, Offline: true})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: error is %v, want ErrUnavailable", name, err)
		}
	}
	if _, err := os.Stat(cache); !os.IsNotExist(err) {
		t.Errorf("the cache folder was made (stat: %v)", err)
	}
}

func TestDownloadFallsBackToAnotherBase(t *testing.T) {
	archive := cifarArchiveOf(t)
	broken := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) })
	good := serve(t, whole(archive))
	_, err := shelf(archive, broken.URL+"/", good.URL).load(t.Context(), "cifar10", Options{CacheDir: t.TempDir()})
	if err != nil || len(broken.seen()) != 1 || len(good.seen()) != 1 {
		t.Errorf("error %v after %d and %d requests", err, len(broken.seen()), len(good.seen()))
	}
}

func TestMirrorReplacesTheOfficialBase(t *testing.T) {
	archive := cifarArchiveOf(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	mirror := serve(t, whole(archive))
	if _, err := shelf(archive, gone.URL).load(t.Context(), "cifar10", Options{CacheDir: t.TempDir(), Mirror: mirror.URL}); err != nil {
		t.Error(err)
	}
}

func TestDownloadCancelledKeepsItsPart(t *testing.T) {
	archive := cifarArchiveOf(t)
	half := len(archive) / 2
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(w http.ResponseWriter, r *http.Request, request int) {
		if request == 1 {
			stallAfter(w, r, archive, half)
			return
		}
		whole(archive)(w, r, request)
	})
	l := shelf(archive, s.URL)
	cache := t.TempDir()
	_, err := l.load(ctx, "cifar10", Options{CacheDir: cache, Progress: func(done, _ int64) {
		if done == int64(half) {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
	if _, err := l.load(t.Context(), "cifar10", Options{CacheDir: cache}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.seen(), []string{"", fmt.Sprintf("bytes=%d-", half)}; strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("requests with ranges %q, want %q", got, want)
	}
}

func TestDownloadOnceForAll(t *testing.T) {
	archive := cifarArchiveOf(t)
	s := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		time.Sleep(50 * time.Millisecond) // long enough for the others to arrive
		whole(archive)(w, r, n)
	})
	l, cache := shelf(archive, s.URL), t.TempDir()
	var wait sync.WaitGroup
	var failed atomic.Int32
	for range 4 {
		wait.Go(func() {
			if d, err := l.load(t.Context(), "cifar10", Options{CacheDir: cache}); err != nil || d.Train.Len() != 10 {
				t.Error(err)
				failed.Add(1)
			}
		})
	}
	wait.Wait()
	if n := len(s.seen()); n != 1 {
		t.Errorf("four loads at once made %d requests, want 1", n)
	}
}

func TestArchivePlacedByHand(t *testing.T) {
	archive := cifarArchiveOf(t)
	cache := t.TempDir()
	if err := os.Mkdir(filepath.Join(cache, "cifar10"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, "cifar10", cifarArchive), archive, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := shelf(archive).load(t.Context(), "cifar10", Options{CacheDir: cache}); err != nil {
		t.Error(err)
	}
}

func TestUnwritableCacheSaysSo(t *testing.T) {
	archive := cifarArchiveOf(t)
	s := serve(t, whole(archive))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := shelf(archive, s.URL).load(t.Context(), "cifar10", Options{CacheDir: file})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), file) {
		t.Errorf("error is %v, want ErrUnavailable that names %s", err, file)
	}
}
