package tracker

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Garbage is what GC removed.
type Garbage struct {
	Runs  int
	Files int   // artifact contents that nothing refers to any more
	Bytes int64 // of those files
}

// GC removes for good the runs that were deleted more than olderThan ago, the
// artifact contents that no run refers to, and gives the space back.
func (db *DB) GC(ctx context.Context, olderThan time.Duration) (Garbage, error) {
	var g Garbage
	if olderThan < 0 {
		return g, fmt.Errorf("collecting garbage: runs deleted longer ago than %v cannot be: give zero or a positive duration such as 720h", olderThan)
	}
	err := db.update(ctx, func(tx *sql.Tx) error {
		const doomed = `(SELECT id FROM run WHERE deleted <= ?)`
		before := db.now().Add(-olderThan).UnixMicro()
		for _, table := range []string{"hot", "chunk", "artifact", "writer"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE run IN `+doomed, before); err != nil {
				return err
			}
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM run WHERE deleted <= ?`, before)
		if err != nil {
			return err
		}
		runs, err := result.RowsAffected()
		g.Runs = int(runs)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM environment WHERE id NOT IN (SELECT environment FROM run)`)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM experiment WHERE deleted <= ? AND id NOT IN (SELECT experiment FROM run)`, before)
		return err
	})
	// Only when the rows are surely gone may the files go; the write lock keeps
	// others from taking up a content in between.
	if err == nil {
		err = db.update(ctx, func(tx *sql.Tx) error { return db.sweep(ctx, tx, &g) })
	}
	if err == nil {
		err = db.vacuum(ctx)
	}
	if err != nil {
		return g, fmt.Errorf("collecting garbage: %w", explain(err))
	}
	return g, nil
}

// vacuum gives free pages back. The pragma frees one page a step, so its rows
// are read to the end.
func (db *DB) vacuum(ctx context.Context) error {
	rows, err := db.writer.QueryContext(ctx, `PRAGMA incremental_vacuum`)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// sweep removes artifact contents without a row, and temporary files that
// crashed processes left behind a day ago.
func (db *DB) sweep(ctx context.Context, tx *sql.Tx, g *Garbage) error {
	root, err := db.root()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, incoming) {
			if db.now().Sub(info.ModTime()) < 24*time.Hour {
				return nil
			}
		} else {
			digest, err := hex.DecodeString(strings.Replace(name, "/", "", 1))
			if err != nil || len(digest) != sha256.Size {
				return nil // not ours
			}
			var used bool
			err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM artifact WHERE sha256 = ?)`, digest).Scan(&used)
			if err != nil || used {
				return err
			}
		}
		g.Files++
		g.Bytes += info.Size()
		return root.Remove(name)
	})
}
