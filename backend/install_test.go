package backend

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// makeWheel writes a pip package with a plugin into dir and returns its description.
func makeWheel(t *testing.T, dir string) wheel {
	t.Helper()
	so, err := os.ReadFile(library(t, filepath.Join(t.TempDir(), "p.so"), nullPlugin))
	if err != nil {
		t.Fatal(err)
	}
	w := wheel{name: "patchlab-test-plugin", version: "1.0", library: cpuPluginFile}
	path := filepath.Join(dir, "patchlab_test_plugin-1.0-py3-none-any.whl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	info := "patchlab_test_plugin-1.0.dist-info/"
	for name, content := range map[string]string{
		"patchlab_test_plugin/" + cpuPluginFile: string(so),
		info + "METADATA":                       "Metadata-Version: 2.1\nName: patchlab-test-plugin\nVersion: 1.0\n",
		info + "WHEEL":                          "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":                         "",
	} {
		entry, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	w.sha256 = hex.EncodeToString(sum[:])
	return w
}

// localPip lets pip find packages in one folder only.
func localPip(t *testing.T) (packages string) {
	t.Helper()
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		t.Skip("no python3 with pip")
	}
	packages = t.TempDir()
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", packages)
	return packages
}

// leftovers lists what an installation left in dir besides what it is meant to.
func leftovers(t *testing.T, dir string, meant ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ok := e.Name() == ".lock"
		for _, m := range meant {
			ok = ok || e.Name() == m
		}
		if !ok {
			t.Errorf("left %s behind", filepath.Join(dir, e.Name()))
		}
	}
}

func TestInstallWheel(t *testing.T) {
	o, log := lonely(t)
	w := makeWheel(t, localPip(t))
	path, err := o.installWheel(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := CacheDir()
	if want := filepath.Join(dir, cpuPluginFile); path != want {
		t.Errorf("installed %s, want %s", path, want)
	}
	if err := checkLibrary(path); err != nil {
		t.Error(err)
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", stat.Mode(), err)
	}
	leftovers(t, dir, cpuPluginFile)
	if !strings.Contains(log.String(), "with pip (patchlab-test-plugin 1.0") {
		t.Errorf("said %q", log)
	}
	if found := o.find(context.Background(), XLA); len(found) != 1 || found[0].path != path {
		t.Errorf("found %v after installing %s", found, path)
	}
	// Whole and not known to be broken: nothing is downloaded again. Known to be broken: it is replaced.
	t.Setenv("PIP_FIND_LINKS", t.TempDir())
	if _, err := o.installWheel(context.Background(), w); err != nil {
		t.Errorf("installing what is installed: %v", err)
	}
	o.broken = []string{path}
	_, err = o.installWheel(context.Background(), w)
	wantError(t, err, "pip download", "No matching distribution")
	leftovers(t, dir, cpuPluginFile)
}

func TestInstallWheelRefusesAnotherHash(t *testing.T) {
	o, _ := lonely(t)
	w := makeWheel(t, localPip(t))
	w.sha256 = strings.Repeat("0", 64)
	_, err := o.installWheel(context.Background(), w)
	wantError(t, err, "patchlab-test-plugin 1.0", "SHA-256 is not 0000", "not used")
	dir, _ := CacheDir()
	leftovers(t, dir)

	file := write(t, filepath.Join(t.TempDir(), "x.whl"), "abc")
	wantError(t, checkSHA256(file, w.sha256), "x.whl", "ba7816bf", "not used") // FIPS 180-4's example
	if err := checkSHA256(file, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); err != nil {
		t.Error(err)
	}
}

func TestInstallWheelWithoutPython(t *testing.T) {
	o, _ := lonely(t)
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	_, err := o.installWheel(context.Background(), cpuWheel)
	wantError(t, err, "python3 is not on PATH")
	write(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho \"$0: No module named pip\" >&2\nexit 1\n")
	_, err = o.installWheel(context.Background(), cpuWheel)
	wantError(t, err, "has no pip", bin)
}

func TestInstallWheelEndsWithItsContext(t *testing.T) {
	o, _ := lonely(t)
	bin := t.TempDir()
	write(t, filepath.Join(bin, "python3"), "#!/bin/sh\nexec sleep 60\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := o.installWheel(ctx, cpuWheel)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
}

// Several processes that start at once install once. Locks hold between open files, so goroutines show the same.
func TestInstallOnlyOnce(t *testing.T) {
	o, log := lonely(t)
	w := makeWheel(t, localPip(t))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			other := &opener{log: o.log}
			if _, err := other.installWheel(context.Background(), w); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(log.String(), "with pip"); n != 1 {
		t.Errorf("pip ran %d times:\n%s", n, log)
	}
}

func TestAutoLeavesAFailedInstallationAlone(t *testing.T) {
	if !xlaBuilt {
		t.Skip("built without XLA")
	}
	o, log := lonely(t)
	tries := 0
	o.installers = []installer{
		{"first", func(context.Context) (string, error) { tries++; return "", errors.New("no route") }},
		{"second", func(context.Context) (string, error) { return "", errors.New("not here\neither.") }},
	}
	for try := 1; try <= 2; try++ {
		b, info, err := o.open(context.Background(), Auto)
		if err != nil {
			t.Fatal(err)
		}
		b.Finalize()
		checkSentence(t, info.Sentence)
		for _, part := range []string{"first: no route", "second: not here either", "patchlab setup"} {
			if !strings.Contains(info.Sentence, part) {
				t.Errorf("sentence %q does not say %q", info.Sentence, part)
			}
		}
		if tries != 1 {
			t.Errorf("%d tries after %d starts, want 1", tries, try)
		}
	}
	if !strings.Contains(log.String(), "backend: first: no route\nbackend: second: not here either\n") {
		t.Errorf("said %q", log)
	}
	if _, _, err := o.open(context.Background(), XLA); err == nil || tries != 2 {
		t.Errorf("XLA: %v after %d tries, want an error and a second try", err, tries)
	}
	dir, _ := CacheDir()
	old := time.Now().Add(-2 * retryAfter)
	if err := os.Chtimes(filepath.Join(dir, "install-failed"), old, old); err != nil {
		t.Fatal(err)
	}
	b, _, err := o.open(context.Background(), Auto)
	if err != nil || tries != 3 {
		t.Fatalf("%v after %d tries, want a third", err, tries)
	}
	b.Finalize()
}

func TestAutoInstallsAndOpens(t *testing.T) {
	plugin := needPlugin(t)
	o, log := lonely(t)
	o.installers = []installer{
		{"absent", func(context.Context) (string, error) { return "", errors.New("no route") }},
		{"copy", func(context.Context) (string, error) { return plugin, nil }},
	}
	b, info, err := o.open(context.Background(), XLA)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if info.Source != "copy" || info.Plugin != plugin {
		t.Errorf("info %+v", info)
	}
	if !strings.Contains(log.String(), "backend: installed "+plugin) {
		t.Errorf("said %q", log)
	}
}

func TestPlaceFileLeavesTheOldOneOnFailure(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "plugin.so"), "old")
	err := placeFile(path, &failing{strings.NewReader("half of it")}, 0o755)
	wantError(t, err, path, "torn")
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("the file holds %q", data)
	}
	leftovers(t, filepath.Dir(path), "plugin.so")
}

// failing reads all of r, then fails.
type failing struct{ r *strings.Reader }

func (f *failing) Read(b []byte) (int, error) {
	if f.r.Len() == 0 {
		return 0, errors.New("torn")
	}
	return f.r.Read(b)
}

func TestLastError(t *testing.T) {
	for output, want := range map[string]string{
		"":                                   "",
		"one\ntwo\n\n":                       "two",
		"ERROR: a\nERROR: b\n[notice] new\n": "b",
	} {
		if got := lastError(output); got != want {
			t.Errorf("lastError(%q) = %q, want %q", output, got, want)
		}
	}
}

func TestProgressSaysHowFar(t *testing.T) {
	o, log := lonely(t)
	p := &progress{o: o, what: "it", total: 10 << 20, last: time.Now().Add(-time.Minute)}
	fmt.Fprint(p, strings.Repeat("x", 3<<20))
	fmt.Fprint(p, "more, within seconds")
	if want := "backend: it: 3 of 10 MB\n"; log.String() != want {
		t.Errorf("said %q, want %q", log, want)
	}
}
