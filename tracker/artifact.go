package tracker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Artifact is a named file of a run.
type Artifact struct {
	Name   string // slash-separated, such as "plots/loss.png"
	SHA256 string // of the content, in hex
	Size   int64  // bytes
}

// artifactFolder is where the content of artifacts lives: X.artifacts for X.db.
func (db *DB) artifactFolder() string {
	return strings.TrimSuffix(db.path, filepath.Ext(db.path)) + ".artifacts"
}

// contentPath is where content of a digest lives within the folder.
func contentPath(digest []byte) string {
	name := hex.EncodeToString(digest)
	return name[:2] + "/" + name[2:]
}

// root opens the artifact folder; nothing outside it can be reached through it.
func (db *DB) root(create bool) (*os.Root, error) {
	if create {
		if err := os.MkdirAll(db.artifactFolder(), 0o700); err != nil {
			return nil, err
		}
	}
	return os.OpenRoot(db.artifactFolder())
}

// AddArtifact stores src's content under a name of any run; see Run.AddArtifact.
//
// It writes the content into a temporary file while hashing it, then, holding
// the write lock, gives it its final name and records it: so that GC never
// takes away content that is about to be used.
func (db *DB) AddArtifact(ctx context.Context, id, name string, src io.Reader) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("adding artifact %q to run %s: %w", name, id, err)
		}
	}()
	if db.readOnly {
		return errReadOnly
	}
	if err := checkArtifactName(name); err != nil {
		return err
	}
	root, err := db.root(true)
	if err != nil {
		return err
	}
	defer root.Close()
	temporary := "incoming-" + rand.Text()
	digest, size, err := writeContent(root, temporary, src)
	defer root.Remove(temporary)
	if err != nil {
		return err
	}
	return db.update(ctx, func(tx *sql.Tx) error {
		var run int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM run WHERE ulid = ?`, id).Scan(&run); err != nil {
			return notFound(err)
		}
		if err := placeContent(root, temporary, digest, size); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO artifact (run, name, sha256, size, created) VALUES (?, ?, ?, ?, ?)`,
			run, name, digest, size, db.now().UnixMicro())
		if err != nil {
			return err
		}
		return db.touch(ctx, tx, run)
	})
}

func checkArtifactName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if name == "." || path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "../") || name == ".." ||
		strings.ContainsRune(name, '\\') {
		return fmt.Errorf("the name %q is not a plain relative path such as plots/loss.png", name)
	}
	return nil
}

func writeContent(root *os.Root, temporary string, src io.Reader) (digest []byte, size int64, err error) {
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(file, sum), src)
	if err == nil {
		err = file.Sync()
	}
	return sum.Sum(nil), size, errors.Join(err, file.Close())
}

// placeContent gives content its name, unless the same content has it already,
// and makes the name durable.
func placeContent(root *os.Root, temporary string, digest []byte, size int64) error {
	to := contentPath(digest)
	if info, err := root.Stat(to); err == nil && info.Size() == size {
		return nil
	}
	folder := path.Dir(to)
	if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := root.Rename(temporary, to); err != nil {
		return err
	}
	return errors.Join(syncFolder(root, folder), syncFolder(root, "."))
}

func syncFolder(root *os.Root, name string) error {
	folder, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Artifacts lists a run's artifacts by name.
func (db *DB) Artifacts(ctx context.Context, id string) ([]Artifact, error) {
	rows, err := db.readers.QueryContext(ctx, `SELECT a.name, a.sha256, a.size FROM artifact a
		JOIN run ON run.id = a.run WHERE run.ulid = ? ORDER BY a.name`, id)
	if err != nil {
		return nil, fmt.Errorf("artifacts of run %s: %w", id, explain(err))
	}
	defer rows.Close()
	var artifacts []Artifact
	for rows.Next() {
		var a Artifact
		var digest []byte
		if err := rows.Scan(&a.Name, &digest, &a.Size); err != nil {
			return nil, fmt.Errorf("artifacts of run %s: %w", id, err)
		}
		a.SHA256 = hex.EncodeToString(digest)
		artifacts = append(artifacts, a)
	}
	return artifacts, explain(rows.Err())
}

// OpenArtifact opens an artifact's content. Reading to the end verifies it:
// content that does not have its digest ends in an error instead of io.EOF.
func (db *DB) OpenArtifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	var digest []byte
	err := db.readers.QueryRowContext(ctx, `SELECT a.sha256 FROM artifact a
		JOIN run ON run.id = a.run WHERE run.ulid = ? AND a.name = ?`, id, name).Scan(&digest)
	if err != nil {
		return nil, fmt.Errorf("artifact %q of run %s: %w", name, id, explain(notFound(err)))
	}
	content, err := db.openContent(digest)
	if err != nil {
		return nil, fmt.Errorf("artifact %q of run %s: %w", name, id, err)
	}
	return content, nil
}

func (db *DB) openContent(digest []byte) (io.ReadCloser, error) {
	root, err := db.root(false)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.Open(contentPath(digest))
	if err != nil {
		return nil, err
	}
	return &verified{file: file, sum: sha256.New(), want: digest}, nil
}

// verified reads a file and checks at its end that it has the digest.
type verified struct {
	file *os.File
	sum  hash.Hash
	want []byte
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.sum.Write(p[:n])
	if err == io.EOF && string(v.sum.Sum(nil)) != string(v.want) {
		err = fmt.Errorf("the content is damaged: its SHA-256 is %x, not %x", v.sum.Sum(nil), v.want)
	}
	return n, err
}

func (v *verified) Close() error { return v.file.Close() }
