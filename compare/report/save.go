package report

import (
	"fmt"
	"os"
	"path/filepath"
)

// CheckOutput refuses, before anything is computed, to write a file over a
// folder. An empty path is no file.
func CheckOutput(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("cannot write to %s: it is a folder; name a file in it, such as %s", path, filepath.Join(path, "report.html"))
	}
	return nil
}

// Save writes a file whole or not at all: into a temporary file beside it,
// which takes its name when everything is on the disk.
func Save(path string, content []byte) (err error) {
	if err := CheckOutput(path); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if _, err = temp.Write(content); err != nil {
		return err
	}
	if err = temp.Chmod(0o644); err != nil {
		return err
	}
	if err = temp.Sync(); err != nil {
		return err
	}
	if err = temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
