package datasets

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// unpackFolder takes the named files of one folder out of a .tar.gz and puts them, all or none, into
// parent/folder: they are written into a temporary folder beside it, flushed, and renamed. Nothing
// else in the archive is looked at, so no path in it can lead elsewhere.
func unpackFolder(ctx context.Context, archive, parent, folder string, names []string, mostBytes int64) (err error) {
	stale, _ := filepath.Glob(filepath.Join(parent, ".unpack-*")) // of a process that was killed
	for _, dir := range stale {
		os.RemoveAll(dir)
	}
	temporary, err := os.MkdirTemp(parent, ".unpack-")
	if err != nil {
		return fmt.Errorf("unpack %s: %w", archive, err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temporary)
		}
	}()
	content, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer content.Close()
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	unzipped, err := gzip.NewReader(content)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", archive, err)
	}
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", archive, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		dir, name := path.Split(path.Clean(entry.Name))
		if path.Clean(dir) != folder || !missing[name] || entry.Typeflag != tar.TypeReg {
			continue
		}
		if entry.Size > mostBytes {
			return fmt.Errorf("unpack %s: %s is %d bytes long, must be at most %d", archive, entry.Name, entry.Size, mostBytes)
		}
		if err := writeFlushed(filepath.Join(temporary, name), entries); err != nil {
			return fmt.Errorf("unpack %s: %w", archive, err)
		}
		delete(missing, name)
	}
	for _, name := range names {
		if missing[name] {
			return fmt.Errorf("unpack %s: %s/%s is not in it", archive, folder, name)
		}
	}
	if err := errors.Join(os.Chmod(temporary, 0o755), syncFolder(temporary)); err != nil {
		return err
	}
	final := filepath.Join(parent, folder)
	if err := os.RemoveAll(final); err != nil { // it lacks a file, or nobody would unpack
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		return err
	}
	return syncFolder(parent)
}

// writeFlushed writes a new file and waits until it is on disk.
func writeFlushed(path string, content io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, content); err != nil {
		out.Close()
		return err
	}
	return errors.Join(out.Sync(), out.Close())
}
