package save

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Check refuses, before anything is computed, to write a file over a folder, or
// into one that is missing. An empty path is no file.
func Check(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("cannot write to %s: it is a folder; name a file in it", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder of %s is missing: make %s first", path, filepath.Dir(path))
	}
	return nil
}

// File replaces the file at path by what write writes, or makes it. Where write
// fails, the old file stays. The error is Check's, write's or the system's.
func File(path string, write func(io.Writer) error) error {
	if err := Check(path); err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	}
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o666), renameio.WithExistingPermissions())
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer file.Cleanup()
	if err := write(file); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return file.CloseAtomicallyReplace()
}

// Bytes replaces the file at path by data, as File does.
func Bytes(path string, data []byte) error {
	return File(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
