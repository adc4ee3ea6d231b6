package save_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"patchlab/save"
)

func TestModeAndLinks(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := save.Bytes(file, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(file, 0o640), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	if err := save.Bytes(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A link to a file that is not there yet, by way of another link and a linked folder, stays one: the file is made.
func TestDanglingLink(t *testing.T) {
	dir := t.TempDir()
	link, second, file := filepath.Join(dir, "link"), filepath.Join(dir, "folder", "second"), filepath.Join(dir, "file")
	if err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "deep", "folder"), 0o755),
		os.Symlink(filepath.Join("deep", "folder"), filepath.Join(dir, "folder")),
		os.Symlink(filepath.Join("folder", "second"), link),
		os.Symlink(filepath.Join("..", "..", "file"), second),
	); err != nil {
		t.Fatal(err)
	}
	if err := save.Bytes(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, second} {
		if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s became %v, %v", path, info.Mode(), err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
}

// Errors of the system say what was being done, and to which file.
func TestSystemErrors(t *testing.T) {
	dir := t.TempDir()
	round, nowhere, socket, gone := filepath.Join(dir, "round"), filepath.Join(dir, "nowhere"), filepath.Join(dir, "socket"), filepath.Join(dir, "gone")
	if err := errors.Join(os.Symlink("round", round), os.Symlink("no/file", nowhere), os.Mkdir(gone, 0o755)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, test := range []struct {
		path  string
		write func(io.Writer) error
		is    error
	}{
		{path: round},
		{path: nowhere, is: fs.ErrNotExist},
		{path: socket},
		{path: filepath.Join(gone, "file"), write: func(io.Writer) error { return os.RemoveAll(gone) }, is: fs.ErrNotExist},
	} {
		err := save.File(test.path, func(w io.Writer) error {
			if test.write != nil {
				return test.write(w)
			}
			return nil
		})
		if err == nil || !strings.HasPrefix(err.Error(), "writing "+test.path+": ") || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v, want what was written and %v", test.path, err, test.is)
		}
	}
}

func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, _ := os.ReadFile(pipe)
		read <- string(text)
	}()
	if err := save.Bytes(pipe, []byte("through")); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "through" {
		t.Errorf("read %q", got)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                              "it is a folder",
		filepath.Join(dir, "no", "file"): "is missing: make",
	} {
		for _, err := range []error{save.Check(path), save.Bytes(path, nil)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		}
	}
	if err := save.Check(filepath.Join(dir, "no", "file")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist", err)
	}
	if err := errors.Join(save.Check(""), save.Check(filepath.Join(dir, "file"))); err != nil {
		t.Error(err)
	}
}
