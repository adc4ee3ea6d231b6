package keep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"patchlab/kernel/cell"
)

const suffix = ".value"

// store is where encoded values lie by name.
type store interface {
	write(name string, fill func(io.Writer) error) error
	open(name string) (io.ReadSeekCloser, error) // fs.ErrNotExist where there is none
	remove(name string) error
	all() ([]io.ReadSeekCloser, error)
}

// here is the store of this program: a folder of its kernel's session, or its own memory where it has none.
func here() (store, error) {
	values, err := cell.ValuesFolder()
	if errors.Is(err, cell.ErrNoSession) {
		return &inMemory, nil
	}
	return folder(values), err
}

// folder keeps each value in a file.
type folder string

// path is the file of a name: escaped, so that any name can be a file's, and cut where it would be too long for one.
func (f folder) path(name string) string {
	escaped := url.PathEscape(name)
	if len(escaped) > 150 {
		sum := sha256.Sum256([]byte(name))
		escaped = escaped[:100] + "-" + hex.EncodeToString(sum[:16])
	}
	return filepath.Join(string(f), escaped+suffix)
}

// write makes a file appear whole or not at all. It need not outlive the machine, so that nothing waits for the disk.
func (f folder) write(name string, fill func(io.Writer) error) (err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	path := f.path(name)
	f.sweep(path)
	file, err := os.CreateTemp(string(f), filepath.Base(path)+"."+strconv.Itoa(os.Getpid())+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if err := errors.Join(fill(file), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// sweep removes what programs left that were killed while they wrote this file.
func (f folder) sweep(path string) {
	parts, _ := filepath.Glob(filepath.Join(string(f), "*.part"))
	for _, part := range parts {
		rest, ours := strings.CutPrefix(part, path+".")
		pid, err := strconv.Atoi(strings.SplitN(rest, ".", 2)[0])
		if ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			os.Remove(part)
		}
	}
}

func (f folder) open(name string) (io.ReadSeekCloser, error) { return os.Open(f.path(name)) }

func (f folder) remove(name string) error {
	err := os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (f folder) all() ([]io.ReadSeekCloser, error) {
	paths, err := filepath.Glob(filepath.Join(string(f), "*"+suffix))
	if err != nil {
		return nil, err
	}
	var files []io.ReadSeekCloser
	for _, path := range paths {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another goroutine forgot it
		}
		if err != nil {
			return files, err
		}
		files = append(files, file)
	}
	return files, nil
}

// memory keeps values of a program that no kernel started, such as an exported notebook: its cells are one process.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

// inMemory belongs to the process as the session's folder belongs to a cell's, hence the global variable.
var inMemory memory

func (m *memory) write(name string, fill func(io.Writer) error) error {
	var b bytes.Buffer
	if err := fill(&b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[name] = b.Bytes()
	return nil
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

func (m *memory) open(name string) (io.ReadSeekCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.values[name]
	if !ok {
		return nil, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
	}
	return reader{bytes.NewReader(b)}, nil
}

func (m *memory) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, name)
	return nil
}

func (m *memory) all() ([]io.ReadSeekCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []io.ReadSeekCloser
	for _, b := range m.values {
		all = append(all, reader{bytes.NewReader(b)})
	}
	return all, nil
}
