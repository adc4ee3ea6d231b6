//go:build linux && (amd64 || arm64) && cgo && !noxla

package backend

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// release packs files as go-xla's releases are packed.
func release(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	tw := tar.NewWriter(gz)
	for name, content := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// allowReleases takes back go-xla's switch, which a developer's environment may set.
func allowReleases(t *testing.T) {
	t.Helper()
	t.Setenv(xla.NoAutoInstallEnv, "") // restores it afterwards
	os.Unsetenv(xla.NoAutoInstallEnv)
}

func TestInstallRelease(t *testing.T) {
	allowReleases(t)
	o, log := lonely(t)
	so, err := os.ReadFile(library(t, filepath.Join(t.TempDir(), "p.so"), nullPlugin))
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked += r.URL.Path + "\n"
		w.Write(release(t, map[string]string{"README": "x", "lib/pjrt_c_api_cpu_" + pjrt.DefaultCPUVersion + "_plugin.so": string(so)}))
	}))
	defer server.Close()
	for range 2 { // the second finds what the first installed
		path, err := o.installRelease(context.Background(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkLibrary(path); err != nil {
			t.Error(err)
		}
		if found := paths(o.find(context.Background(), XLA)); len(found) != 1 || found[0] != path {
			t.Errorf("found %q after installing %s", found, path)
		}
		leftovers(t, filepath.Dir(path), filepath.Base(path), filepath.Base(path)+".lock")
	}
	if want := "/" + pjrt.DefaultCPUVersion + "/pjrt_cpu_linux_" + runtime.GOARCH + ".tar.gz\n"; asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if !strings.Contains(log.String(), "getting go-xla's CPU plugin") {
		t.Errorf("said %q", log)
	}
}

func TestInstallReleaseFailures(t *testing.T) {
	allowReleases(t)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"absent":  {http.NotFound, "404"},
		"not tar": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "unpacking pjrt_cpu_"},
		"no file": {func(w http.ResponseWriter, _ *http.Request) { w.Write(release(t, map[string]string{"a": "b"})) }, "holds no plugin"},
		"torn": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			w.Write([]byte("x"))
		}, "unexpected EOF"},
		"escaping": {func(w http.ResponseWriter, _ *http.Request) { w.Write(release(t, map[string]string{"../x": "b"})) }, "unsafe"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := lonely(t)
			server := httptest.NewServer(c.answer)
			defer server.Close()
			_, err := o.installRelease(context.Background(), server.URL)
			wantError(t, err, c.says)
			if found := o.find(context.Background(), XLA); found != nil {
				t.Errorf("left %v", found)
			}
		})
	}
}

// A server that takes the connection and never answers costs seconds.
func TestInstallReleaseGivesUpSoon(t *testing.T) {
	allowReleases(t)
	o, _ := lonely(t)
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	o.reach = 300 * time.Millisecond
	start := time.Now()
	_, err := o.installRelease(context.Background(), server.URL)
	wantError(t, err, "no answer within 300ms", strings.TrimPrefix(server.URL, "http://"))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestInstallReleaseHonoursGoXLAsSwitch(t *testing.T) {
	o, _ := lonely(t)
	t.Setenv(xla.NoAutoInstallEnv, "1")
	_, err := o.installRelease(context.Background(), "http://unused.invalid")
	wantError(t, err, xla.NoAutoInstallEnv)
}
