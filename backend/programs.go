//go:build linux && (amd64 || arm64) && cgo && !noxla

package backend

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// programs is a folder of compiled programs, each under the digest of all that it depends on. A later process
// loads what an earlier one compiled, in a tenth of the time.
//
// What is loaded is machine code: the folder must be the user's own and closed to all others, and a file serves
// only if it holds the digest of its content. A file that does not, or that the plugin refuses, is compiled anew.
type programs struct {
	dir   string
	basis [sha256.Size]byte // of what all programs depend on
	limit int64             // bytes; beyond it those go that were unused longest
}

// programsLimit is room for some hundred programs of a few megabytes at most.
const programsLimit = 512 << 20

// openPrograms returns the folder for a plugin's programs, made where it is missing. nil: nothing is to be kept.
func openPrograms(plugin, version string) (*programs, error) {
	dir := os.Getenv(ProgramsEnv)
	flags := os.Getenv("XLA_FLAGS")
	if dir == "off" || strings.Contains(flags, "dump") { // dumps are made while compiling
		return nil, nil
	}
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("finding the cache folder: %w", err)
		}
		dir = filepath.Join(cache, "patchlab", "programs")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder for compiled programs: %w", err)
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	about, err := os.Stat(plugin)
	if err != nil {
		return nil, err
	}
	path, err := filepath.EvalSymlinks(plugin)
	if err != nil {
		return nil, err
	}
	// XLA compiles for the processor that it finds, and for a number of threads.
	basis := fmt.Sprintf("1\n%s %d %d\n%s\n%s\n%s\n%s\n%d\n", path, about.Size(), about.ModTime().UnixNano(), version,
		processor(), flags, os.Getenv("NPROC"), runtime.NumCPU())
	return &programs{dir: dir, basis: sha256.Sum256([]byte(basis)), limit: programsLimit}, nil
}

// processor tells which instructions there are.
func processor() string {
	const file = "/proc/cpuinfo"
	return firstValue(file, ":", "model name", "CPU part") + "\n" + firstValue(file, ":", "flags", "Features")
}

// private reports a folder that others could write to.
func private(dir string) error {
	about, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := about.Sys().(*syscall.Stat_t)
	if !about.IsDir() || about.Mode().Perm()&0o077 != 0 || !ok || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s (%s) must be a folder that belongs to you and is closed to others (chmod 700), or set %s", dir, about.Mode(), ProgramsEnv)
	}
	return nil
}

// key is the digest of a program and of all that its machine code depends on.
func (p *programs) key(parts ...[]byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(p.basis[:])
	for _, part := range parts {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (p *programs) path(key [sha256.Size]byte) string {
	return filepath.Join(p.dir, hex.EncodeToString(key[:]))
}

// get returns the program that was put under the key; nil where there is none, or one that is damaged.
func (p *programs) get(key [sha256.Size]byte) []byte {
	path := p.path(key)
	b, err := os.ReadFile(path)
	if err != nil || len(b) <= sha256.Size {
		return nil
	}
	code := b[sha256.Size:]
	if digest := p.key(key[:], code); !bytes.Equal(digest[:], b[:sha256.Size]) {
		return nil // the next put writes it anew
	}
	now := time.Now()
	os.Chtimes(path, now, now) // if that fails, it counts as unused
	return code
}

// put keeps a program.
func (p *programs) put(key [sha256.Size]byte, code []byte) error {
	digest := p.key(key[:], code)
	f, err := renameio.NewPendingFile(p.path(key), renameio.WithTempDir(p.dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	for _, part := range [][]byte{digest[:], code} {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return p.trim()
}

// trim deletes the programs that were unused longest, until the rest fits.
func (p *programs) trim() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		about, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process trims too
		}
		if err != nil {
			return err
		}
		files = append(files, about)
		total += about.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if total <= p.limit {
			break
		}
		if err := os.Remove(filepath.Join(p.dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= f.Size()
	}
	return nil
}
