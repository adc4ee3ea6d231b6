package tracker

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strings"
)

// Artifact is a named file of a run.
type Artifact struct {
	Name   string // slash-separated, such as "plots/loss.png"
	SHA256 string // of the content, in hex
	Size   int64  // bytes
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
		return ErrReadOnly
	}
	if err := checkArtifactName(name); err != nil {
		return err
	}
	root, err := db.makeRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	temporary := incoming + rand.Text()
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
		if err := placeContent(root, temporary, digest); err != nil {
			return err
		}
		return db.edit(ctx, tx, run, func() error {
			_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO artifact (run, name, sha256, size, created) VALUES (?, ?, ?, ?, ?)`,
				run, name, digest, size, db.now().UnixMicro())
			return err
		})
	})
}

func checkArtifactName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if name == "." || path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "../") || name == ".." ||
		strings.ContainsRune(name, '\\') {
		return invalidf("the name %q is not a plain relative path such as plots/loss.png", name)
	}
	return nil
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
			return nil, fmt.Errorf("artifacts of run %s: %w", id, explain(err))
		}
		if err := checkDigest(digest); err != nil {
			return nil, fmt.Errorf("artifact %q of run %s: %w", a.Name, id, err)
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
