//go:build linux && (amd64 || arm64) && cgo && !noxla

package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func testPrograms(t *testing.T) *programs {
	t.Helper()
	t.Setenv(ProgramsEnv, filepath.Join(t.TempDir(), "programs"))
	t.Setenv("XLA_FLAGS", "")
	p, err := openPrograms(os.Args[0], "1.2") // any file serves as the plugin
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProgramsAreKeptWhole(t *testing.T) {
	p := testPrograms(t)
	key := p.key([]byte("program"), []byte("options"))
	if b := p.get(key); b != nil {
		t.Fatalf("an empty folder gave %q", b)
	}
	if err := p.put(key, []byte("machine code")); err != nil {
		t.Fatal(err)
	}
	if b := p.get(key); string(b) != "machine code" {
		t.Fatalf("got %q", b)
	}
	for _, other := range [][sha256.Size]byte{
		p.key([]byte("program"), []byte("option"), []byte("s")), p.key([]byte("programo"), []byte("ptions")), p.key([]byte("program")),
	} {
		if p.get(other) != nil {
			t.Error("another program's key found it")
		}
	}
	whole, err := os.ReadFile(p.path(key))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cut": whole[:len(whole)-1], "empty": nil, "longer": append(slices.Clone(whole), 0), "no code": whole[:sha256.Size],
		"changed": append(slices.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1),
	} {
		write(t, p.path(key), string(content))
		if b := p.get(key); b != nil {
			t.Errorf("%s file gave %q", name, b)
		}
	}
	// A whole file under another program's name does not serve either.
	other := p.key([]byte("other"))
	write(t, p.path(other), string(whole))
	if b := p.get(other); b != nil {
		t.Errorf("a file under another's name gave %q", b)
	}
}

func TestProgramsUnusedLongestGoFirst(t *testing.T) {
	p := testPrograms(t)
	p.limit = 3 * (sha256.Size + 100)
	var keys [][sha256.Size]byte
	for i := range 4 {
		key := p.key([]byte{byte(i)})
		keys = append(keys, key)
		if i == 3 { // the first was used again
			if p.get(keys[0]) == nil {
				t.Fatal("lost")
			}
		}
		if err := p.put(key, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if i < 3 {
			at := time.Now().Add(time.Duration(i-10) * time.Hour)
			if err := os.Chtimes(p.path(key), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, key := range keys {
		if got, want := p.get(key) != nil, i != 1; got != want {
			t.Errorf("program %d is there: %v, want %v", i, got, want)
		}
	}
}

func TestProgramsFolderMustBePrivate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	_, err := openPrograms(os.Args[0], "1.2")
	wantError(t, err, dir, "chmod 700", ProgramsEnv)

	for name, value := range map[string]string{ProgramsEnv: "off", "XLA_FLAGS": "--xla_dump_to=x"} {
		t.Setenv(name, value)
		if p, err := openPrograms(os.Args[0], "1.2"); p != nil || err != nil {
			t.Errorf("%s=%s: %v, %v; want nothing kept", name, value, p, err)
		}
	}
}

// TestXLALoadsKeptPrograms runs x+1 and x+2, then puts the code of each under the other's key: what a fresh backend
// computes tells that it did not compile.
func TestXLALoadsKeptPrograms(t *testing.T) {
	plugin := needPlugin(t)
	dir := filepath.Join(t.TempDir(), "programs")
	t.Setenv(ProgramsEnv, dir)
	t.Setenv("XLA_FLAGS", "")
	t.Setenv(pluginPathEnv, filepath.Dir(plugin))
	add := func(n float64) float32 {
		t.Helper()
		b, _, err := Open(context.Background(), XLA, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Finalize()
		out, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.AddScalar(x, n) }, float32(10))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.ToScalar[float32](out)
	}
	files := func() (found [][]byte, paths []string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			paths = append(paths, filepath.Join(dir, e.Name()))
			b, err := os.ReadFile(paths[len(paths)-1])
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, b)
		}
		return found, paths
	}
	if add(1) != 11 || add(2) != 12 || add(1) != 11 {
		t.Fatal("wrong sums")
	}
	contents, paths := files()
	if len(paths) != 2 {
		t.Fatalf("%d programs were kept, want 2: %q", len(paths), paths)
	}

	p := kept.Load()
	var keys [2][sha256.Size]byte
	for i, path := range paths {
		keys[i] = keyOf(t, path)
	}
	for i, key := range keys {
		if err := p.put(key, contents[1-i][sha256.Size:]); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := add(1), add(2); a != 12 || b != 11 {
		t.Errorf("with their programs exchanged 10+1 and 10+2 gave %g and %g, want 12 and 11", a, b)
	}

	// What is damaged, or what the plugin refuses, is compiled anew and kept.
	write(t, paths[0], "damaged")
	if err := p.put(keys[1], []byte("no machine code")); err != nil {
		t.Fatal(err)
	}
	if a, b := add(1), add(2); a != 11 || b != 12 {
		t.Errorf("with damaged programs 10+1 and 10+2 gave %g and %g", a, b)
	}
	if again, _ := files(); len(again) != 2 || p.get(keys[0]) == nil || p.get(keys[1]) == nil {
		t.Error("the damaged programs were not replaced")
	}
}

// TestKeptProgramsComputeTheSame compares bits.
func TestKeptProgramsComputeTheSame(t *testing.T) {
	plugin := needPlugin(t)
	t.Setenv(ProgramsEnv, filepath.Join(t.TempDir(), "programs"))
	t.Setenv("XLA_FLAGS", "")
	t.Setenv(pluginPathEnv, filepath.Dir(plugin))
	var results [2][]float32
	for i := range results {
		b, _, err := Open(context.Background(), XLA, nil)
		if err != nil {
			t.Fatal(err)
		}
		results[i] = tinyNetwork(t, b)
		b.Finalize()
	}
	if !slices.Equal(results[0], results[1]) {
		t.Errorf("compiled %v, loaded %v", results[0], results[1])
	}
}

func keyOf(t *testing.T, path string) (key [sha256.Size]byte) {
	t.Helper()
	b, err := hex.DecodeString(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(b)
}
