package notebook

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path with the notebook, or makes it: whoever reads
// the file, also after a crash, sees the old notebook or the new one, whole. The
// file keeps its permissions; a link stays one.
func (n *Notebook) Write(path string) error {
	if err := WriteFile(path, n.Bytes()); err != nil {
		return fmt.Errorf("writing the notebook: %w", err)
	}
	return nil
}

// WriteFile replaces the file at path by data in one step: a temporary file
// beside it, fsync, rename.
func WriteFile(path string, data []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	mode := fs.FileMode(0o666) // less the process's umask
	old, statErr := os.Stat(path)
	if statErr == nil && !old.Mode().IsRegular() {
		return os.WriteFile(path, data, mode) // a device or a pipe has no content to protect
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary))
		}
	}()
	_, err = f.Write(data)
	if err == nil && statErr == nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(temporary, path); err != nil {
		return err
	}
	if dir, openErr := os.Open(filepath.Dir(path)); openErr == nil {
		dir.Sync() // some file systems refuse it; the rename has happened
		dir.Close()
	}
	return nil
}
