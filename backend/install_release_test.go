//go:build linux && (amd64 || arm64) && cgo && !noxla

package backend

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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

// allowReleases names the hash of the release that may be installed, and takes back go-xla's switch, which a developer's
// environment may set.
func allowReleases(t *testing.T, packed []byte) {
	t.Helper()
	t.Setenv(PluginSHA256Env, fmt.Sprintf("sha256:%x", sha256.Sum256(packed)))
	t.Setenv(xla.NoAutoInstallEnv, "") // restores it afterwards
	os.Unsetenv(xla.NoAutoInstallEnv)
}

func TestInstallRelease(t *testing.T) {
	o, log := lonely(t)
	so, err := os.ReadFile(library(t, filepath.Join(t.TempDir(), "p.so"), nullPlugin))
	if err != nil {
		t.Fatal(err)
	}
	packed := release(t, map[string]string{"README": "x", "lib/pjrt_c_api_cpu_" + pjrt.DefaultCPUVersion + "_plugin.so": string(so)})
	allowReleases(t, packed)
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked += r.URL.Path + "\n"
		w.Write(packed)
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
	if want := "/download/" + pjrt.DefaultCPUVersion + "/pjrt_cpu_linux_" + runtime.GOARCH + ".tar.gz\n"; asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if !strings.Contains(log.String(), "getting go-xla's CPU plugin") {
		t.Errorf("said %q", log)
	}
}

// A release whose hash is not the one that the user names is never unpacked, and without a name none is asked for.
func TestInstallReleaseIsChecked(t *testing.T) {
	allowReleases(t, []byte("what the page shows"))
	o, _ := lonely(t)
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Write(release(t, map[string]string{"pjrt_c_api_cpu_plugin.so": "forged"}))
	}))
	defer server.Close()
	_, err := o.installRelease(context.Background(), server.URL)
	wantError(t, err, "pjrt_cpu_linux_"+runtime.GOARCH+".tar.gz has SHA-256 ", "it was not used")
	t.Setenv(PluginSHA256Env, "")
	_, err = o.installRelease(context.Background(), server.URL)
	wantError(t, err, PluginSHA256Env+" is not set", server.URL+"/tag/"+pjrt.DefaultCPUVersion, "pjrt_cpu_linux_"+runtime.GOARCH+".tar.gz")
	for _, wrong := range []string{"sha256:" + strings.Repeat("a", 63), strings.Repeat("x", 64)} {
		t.Setenv(PluginSHA256Env, wrong)
		_, err = o.installRelease(context.Background(), server.URL)
		wantError(t, err, PluginSHA256Env, wrong, "64 hexadecimal digits")
	}
	if asked != 1 {
		t.Errorf("the server was asked %d times, want once", asked)
	}
	if found := o.find(context.Background(), XLA); found != nil {
		t.Errorf("left %v", found)
	}
}

// A hash is taken as a page or a tool writes it, and as it is pasted.
func TestNamedSHA256(t *testing.T) {
	want := strings.Repeat("0a", 32)
	for _, value := range []string{want, strings.ToUpper(want), "sha256:" + want, "SHA256:" + want, " sha256:" + strings.ToUpper(want) + "\n"} {
		t.Setenv(PluginSHA256Env, value)
		if got, err := namedSHA256(); err != nil || got != want {
			t.Errorf("of %q: %q, %v", value, got, err)
		}
	}
}

// Where a package is known by its hash, it comes first.
func TestInstallersBeginWithTheKnownHash(t *testing.T) {
	o, _ := lonely(t)
	var names []string
	for _, way := range o.defaultInstallers() {
		names = append(names, way.name)
	}
	want := "go-xla's release"
	if runtime.GOARCH == "amd64" {
		want = "pip, " + want
	}
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("ways to install: %s; want %s", got, want)
	}
}

func TestInstallReleaseFailures(t *testing.T) {
	for name, c := range map[string]struct {
		packed []byte
		status int
		length string
		says   string
	}{
		"absent":   {nil, 404, "", "404"},
		"not tar":  {[]byte("<html>"), 200, "", "unpacking pjrt_cpu_"},
		"no file":  {release(t, map[string]string{"a": "b"}), 200, "", "holds no plugin"},
		"torn":     {[]byte("x"), 200, "99", "unexpected EOF"},
		"escaping": {release(t, map[string]string{"../x": "b"}), 200, "", "unsafe"},
	} {
		t.Run(name, func(t *testing.T) {
			allowReleases(t, c.packed)
			o, _ := lonely(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.length != "" {
					w.Header().Set("Content-Length", c.length)
				}
				w.WriteHeader(c.status)
				w.Write(c.packed)
			}))
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
	allowReleases(t, nil)
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
