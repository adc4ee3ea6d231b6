package tracker

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
)

// staged is an artifact on its way here.
type staged struct {
	name          string
	digest        []byte
	size, created int64
	temporary     string // where the content waits; "" where it is here already
}

// stageArtifacts checks the artifacts of a run and copies the contents that
// are missing or damaged here into temporary files, verified.
func (db *DB) stageArtifacts(ctx context.Context, from *DB, source *sql.Tx, run int64) (all []staged, err error) {
	if all, err = readArtifacts(ctx, source, run); err != nil || len(all) == 0 {
		return nil, refuseIf(err)
	}
	for _, s := range all {
		err := checkArtifactName(s.name)
		if err == nil {
			err = checkDigest(s.digest)
		}
		if err != nil {
			return nil, refuse(fmt.Errorf("artifact %q: %w", s.name, err))
		}
	}
	root, err := db.makeRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	defer func() {
		if err != nil {
			db.dropStaged(all)
			all = nil
		}
	}()
	for i := range all {
		if !holds(root, all[i].digest, all[i].size) {
			if err := all[i].copy(root, from); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

func refuseIf(err error) error {
	if err == nil {
		return nil
	}
	return refuse(err)
}

// readArtifacts reads the rows of a run's artifacts.
func readArtifacts(ctx context.Context, q querier, run int64) (all []staged, err error) {
	rows, err := q.QueryContext(ctx, `SELECT name, sha256, size, created FROM artifact WHERE run = ?`, run)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s staged
		if err := rows.Scan(&s.name, &s.digest, &s.size, &s.created); err != nil {
			return nil, explain(err)
		}
		all = append(all, s)
	}
	return all, explain(rows.Err())
}

// copy copies the content into a temporary file.
func (s *staged) copy(root *os.Root, from *DB) error {
	content, err := from.openContent(s.digest)
	if err != nil {
		return refuse(fmt.Errorf("artifact %q: %w", s.name, err))
	}
	defer content.Close()
	s.temporary = incoming + rand.Text()
	src := &noting{Reader: content}
	_, size, err := writeContent(root, s.temporary, src)
	if src.err == nil && err == nil && size != s.size {
		src.err = fmt.Errorf("it has %d bytes, not %d", size, s.size)
	}
	if src.err != nil {
		return refuse(fmt.Errorf("artifact %q: %w", s.name, src.err))
	}
	if err != nil {
		return fmt.Errorf("artifact %q: %w", s.name, err)
	}
	return nil
}

// noting remembers an error of reading, to tell it from one of writing.
type noting struct {
	io.Reader
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	count, err := n.Reader.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return count, err
}

// dropStaged removes temporary files that were not taken.
func (db *DB) dropStaged(all []staged) {
	root, err := db.root()
	if err != nil {
		return
	}
	defer root.Close()
	for _, s := range all {
		if s.temporary != "" {
			root.Remove(s.temporary)
		}
	}
}

// takeArtifacts adds the source's artifacts to ours. Of two with one name the
// one added later stays, of equally old ones theirs where theirsIsLater.
func (m *merging) takeArtifacts(theirsIsLater bool) error {
	if len(m.artifacts) == 0 {
		return nil
	}
	root, err := m.db.makeRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	ours, err := readArtifacts(m.ctx, m.tx, m.run)
	if err != nil {
		return err
	}
	byName := map[string]staged{}
	for _, s := range ours {
		byName[s.name] = s
	}
	for _, s := range m.artifacts {
		old, has := byName[s.name]
		if has && (string(old.digest) == string(s.digest) || old.created > s.created || old.created == s.created && !theirsIsLater) {
			continue
		}
		if s.temporary != "" {
			err = placeContent(root, s.temporary, s.digest)
		} else if err = syncPlace(root, s.digest); err == nil {
			_, err = root.Stat(contentPath(s.digest))
		}
		switch {
		case errors.Is(err, os.ErrNotExist) && s.temporary == "":
			return refuse(fmt.Errorf("artifact %q was collected here meanwhile: merge again", s.name))
		case err != nil:
			return fmt.Errorf("artifact %q: %w", s.name, err)
		}
		m.changed = true
		_, err = m.tx.ExecContext(m.ctx, `INSERT OR REPLACE INTO artifact (run, name, sha256, size, created) VALUES (?, ?, ?, ?, ?)`,
			m.run, s.name, s.digest, s.size, s.created)
		if err != nil {
			return err
		}
	}
	return nil
}
