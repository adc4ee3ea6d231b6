//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/go-xla/compute/xla"
	goxla "github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// stallTimeout ends a download that stands still.
const stallTimeout = 30 * time.Second

// defaultInstallers are the ways to get XLA's CPU plugin on this platform, in order: first the one whose hash is known.
func (o *opener) defaultInstallers() []installer {
	var ways []installer
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		ways = append(ways, installer{"pip", func(ctx context.Context) (string, error) { return o.installWheel(ctx, cpuWheel) }})
	}
	return append(ways, installer{"go-xla's release", func(ctx context.Context) (string, error) {
		return o.installRelease(ctx, "https://github.com/"+goxla.BinaryCPUReleasesRepo+"/releases")
	}})
}

// installRelease does what go-xla's installer does: the release that this go-xla was tested with, from the same
// place, into the same folder under the same name and lock, so that either finds the other's. It differs in that it
// installs nothing but what has the SHA-256 of [PluginSHA256Env], ends with ctx, gives up within seconds where the
// server does not answer, and prints nothing. releases is the address of the releases' pages.
func (o *opener) installRelease(ctx context.Context, releases string) (string, error) {
	if _, set := os.LookupEnv(xla.NoAutoInstallEnv); set {
		return "", fmt.Errorf("%s is set", xla.NoAutoInstallEnv)
	}
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if !slices.Contains(goxla.CPUSupportedPlatforms, platform) {
		return "", fmt.Errorf("no release for %s", platform)
	}
	library := ".so"
	if runtime.GOOS == "darwin" {
		library = ".dylib"
	}
	version := pjrt.DefaultCPUVersion
	lib, err := goxla.DefaultHomeLibPath()
	if err != nil {
		return "", fmt.Errorf("finding the folder for libraries: %w", err)
	}
	dir := filepath.Join(lib, "go-xla")
	target := filepath.Join(dir, "pjrt_c_api_cpu_"+version+"_plugin"+library)
	unlock, err := o.lockFolder(ctx, target+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if o.usable(target) {
		return target, nil
	}
	packed := "pjrt_cpu_" + platform + ".tar.gz"
	sum, err := namedSHA256()
	if err != nil {
		return "", fmt.Errorf("nothing is installed unchecked: %w; set it to the SHA-256 that %s/tag/%s shows for %s", err, releases, version, packed)
	}
	tmp, err := os.MkdirTemp(dir, ".download-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	packed = filepath.Join(tmp, packed)
	if err := o.download(ctx, releases+"/download/"+version+"/"+filepath.Base(packed), packed); err != nil {
		return "", err
	}
	if err := checkSHA256(packed, sum); err != nil {
		return "", err
	}
	files, err := goxla.Untar(packed, filepath.Join(tmp, "unpacked"))
	if err != nil {
		return "", fmt.Errorf("unpacking %s: %w", filepath.Base(packed), err)
	}
	for _, file := range files {
		base := filepath.Base(file)
		if !strings.HasPrefix(base, "pjrt_c_api_cpu_") || !strings.Contains(base, "_plugin.") {
			continue
		}
		src, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the unpacked plugin: %w", err)
		}
		defer src.Close()
		return target, placeFile(target, src, 0o755)
	}
	return "", fmt.Errorf("%s holds no plugin", filepath.Base(packed))
}

// namedSHA256 is the hash that [PluginSHA256Env] names, in lower case. It may be pasted as GitHub writes it, after
// "sha256:".
func namedSHA256() (string, error) {
	value := os.Getenv(PluginSHA256Env)
	sum := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(value)), "sha256:")
	if sum == "" {
		return "", fmt.Errorf("%s is not set", PluginSHA256Env)
	}
	if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("%s is %q, which is no SHA-256 of 64 hexadecimal digits", PluginSHA256Env, value)
	}
	return sum, nil
}

// download gets url into the file path.
func (o *opener) download(ctx context.Context, url, path string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(o.reach, func() { cancel(fmt.Errorf("no answer within %s", o.reach)) })
	defer func() { silence.Stop() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("downloading %s: %w", url, err)
	}
	why := func(err error) error {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return fmt.Errorf("downloading from %s: %w", request.URL.Host, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op // without the address, which is said once
		}
		return why(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return why(fmt.Errorf("%s: the server answers %s", request.URL.Path, response.Status))
	}
	silence.Stop()
	silence = time.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("nothing arrived for %s", stallTimeout)) })
	total := max(0, response.ContentLength)
	o.say("backend: getting go-xla's CPU plugin (%d MB, once)", total>>20)
	f, err := os.Create(path)
	if err != nil {
		return why(err)
	}
	defer f.Close()
	bar := &progress{o: o, what: "go-xla's CPU plugin", total: total, last: time.Now()}
	alive := writerFunc(func(b []byte) (int, error) { silence.Reset(stallTimeout); return len(b), nil })
	if _, err := io.Copy(f, io.TeeReader(response.Body, io.MultiWriter(bar, alive))); err != nil {
		return why(err)
	}
	return f.Close()
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
