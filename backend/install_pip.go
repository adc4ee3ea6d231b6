package backend

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// wheel is a pip package that holds a PJRT plugin: one file of one version, named by its hash.
type wheel struct {
	name, version string
	sha256        string // of the wheel, hex
	library       string // the plugin's file name inside
	megabytes     int    // of the wheel, for a hint
}

// cpuWheel holds XLA's CPU plugin (PJRT API 0.115), built from the XLA of jaxlib 0.11.2, for Linux on x86-64. It is
// neither JAX's nor GoMLX's: the authors of lammps-jax publish it. Its hash is all that Patchlab trusts.
var cpuWheel = wheel{
	name:      "lammps-jax-pjrt-cpu",
	version:   "0.11.2",
	sha256:    "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
	library:   "pjrt_c_api_cpu_plugin.so",
	megabytes: 60,
}

// pipTimeout ends a pip that hangs.
const pipTimeout = 15 * time.Minute

// installWheel downloads w with the machine's ordinary pip, under the user's own pip settings, and puts its plugin
// into Patchlab's cache folder. The plugin's path is returned.
func (o *opener) installWheel(ctx context.Context, w wheel) (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, w.library)
	unlock, err := o.lockFolder(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if o.usable(target) { // another process has just installed it
		return target, nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New("python3 is not on PATH")
	}
	o.say("backend: getting XLA's CPU plugin with pip (%s %s, about %d MB, once)", w.name, w.version, w.megabytes)
	tmp, err := os.MkdirTemp(dir, ".pip-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	file, err := o.pipDownload(ctx, python, w, tmp)
	if err != nil {
		return "", err
	}
	if err := checkSHA256(file, w.sha256); err != nil {
		return "", err
	}
	return target, extract(file, w.library, target)
}

// pipDownload runs pip and returns the wheel that it put into dir.
func (o *opener) pipDownload(ctx context.Context, python string, w wheel, dir string) (string, error) {
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", w.name, w.version, w.sha256)
	if err := os.WriteFile(requirements, []byte(line), 0o644); err != nil {
		return "", fmt.Errorf("writing pip's requirements: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pipTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-m", "pip", "download", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=1",
		"--dest", dir, "--requirement", requirements)
	cmd.Env = append(os.Environ(), "PIP_REQUIRE_VIRTUALENV=0") // nothing is installed into Python
	cmd.WaitDelay = 5 * time.Second
	done := make(chan struct{})
	defer close(done)
	go func() {
		start := time.Now()
		for tick := time.NewTicker(10 * time.Second); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				o.say("backend: pip is still at it (%s)", time.Since(start).Round(time.Second))
			}
		}
	}()
	output, err := cmd.CombinedOutput()
	switch text := string(output); {
	case err == nil:
	case ctx.Err() != nil:
		return "", fmt.Errorf("pip download: %w", ctx.Err())
	case strings.Contains(text, "DO NOT MATCH THE HASHES"):
		return "", fmt.Errorf("pip found a %s %s whose SHA-256 is not %s; it was not used", w.name, w.version, w.sha256)
	case strings.Contains(text, "No module named pip"):
		return "", fmt.Errorf("%s has no pip", python)
	case lastError(text) != "":
		return "", fmt.Errorf("pip download: %s", lastError(text))
	default:
		return "", fmt.Errorf("pip download: %w", err)
	}
	files, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*.whl"))
	if len(files) != 1 {
		return "", fmt.Errorf("pip download left %d wheels, not one", len(files))
	}
	return files[0], nil
}

// checkSHA256 returns an error where the file's SHA-256 is not want (hex).
func checkSHA256(file, want string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("checking the download: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("checking the download: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has SHA-256 %s, not %s; it was not used", filepath.Base(file), got, want)
	}
	return nil
}

// extract writes the one file of a zip archive whose base name is library to target.
func extract(archive, library, target string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(archive), err)
	}
	defer z.Close()
	for _, entry := range z.File {
		if path.Base(entry.Name) != library {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", entry.Name, err)
		}
		defer r.Close()
		return placeFile(target, r, 0o755)
	}
	return fmt.Errorf("unpacking %s: it holds no %s", filepath.Base(archive), library)
}
