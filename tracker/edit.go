package tracker

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"unicode/utf8"
)

// SetParams adds parameters to any run. A parameter keeps its value: giving it
// another is an error, and nothing changes.
func (db *DB) SetParams(ctx context.Context, id string, params map[string]string) error {
	return db.changeFields(ctx, id, "params", func(fields map[string]string) error {
		for k, v := range params {
			if old, set := fields[k]; set && old != v {
				return invalidf("parameter %q is %q already and cannot become %q", k, old, v)
			}
			fields[k] = v
		}
		return nil
	})
}

// SetTags sets tags of any run, replacing those of the same names.
func (db *DB) SetTags(ctx context.Context, id string, tags map[string]string) error {
	return db.changeFields(ctx, id, "tags", func(fields map[string]string) error {
		for k, v := range tags {
			fields[k] = v
		}
		return nil
	})
}

// RemoveTag removes a tag of any run.
func (db *DB) RemoveTag(ctx context.Context, id, key string) error {
	return db.changeFields(ctx, id, "tags", func(fields map[string]string) error {
		if _, ok := fields[key]; !ok {
			return fmt.Errorf("the tag %q: %w", key, ErrNotFound)
		}
		delete(fields, key)
		return nil
	})
}

// Rename gives any run another name.
func (db *DB) Rename(ctx context.Context, id, name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("renaming run %s: %w", id, err)
	}
	return db.changeRun(ctx, id, "renaming", "name", name)
}

// AddInputs adds datasets to what a run read; those that it has already are
// not added again.
func (db *DB) AddInputs(ctx context.Context, id string, inputs ...Input) error {
	err := db.update(ctx, func(tx *sql.Tx) error {
		var run int64
		var text string
		if err := tx.QueryRowContext(ctx, `SELECT id, inputs FROM run WHERE ulid = ?`, id).Scan(&run, &text); err != nil {
			return notFound(err)
		}
		all, err := decodeInputs(text)
		if err != nil {
			return err
		}
		for _, input := range inputs {
			if !slices.Contains(all, input) {
				all = append(all, input)
			}
		}
		if text, err = encodeJSON(all); err != nil {
			return err
		}
		return db.edit(ctx, tx, run, func() error {
			_, err := tx.ExecContext(ctx, `UPDATE run SET inputs = ? WHERE id = ?`, text, run)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("adding inputs to run %s: %w", id, err)
	}
	return nil
}

// SetNote replaces the Markdown note of any run.
func (db *DB) SetNote(ctx context.Context, id, markdown string) error {
	if !utf8.ValidString(markdown) {
		return invalidf("noting run %s: the note is not valid UTF-8", id)
	}
	return db.changeRun(ctx, id, "noting", "note", markdown)
}

// Archive hides a run from lists, or shows it again.
func (db *DB) Archive(ctx context.Context, id string, archived bool) error {
	return db.changeRun(ctx, id, "archiving", "archived", db.moment(archived))
}

// Delete hides a run until GC removes it; Restore brings it back before that.
func (db *DB) Delete(ctx context.Context, id string) error {
	return db.changeRun(ctx, id, "deleting", "deleted", db.moment(true))
}

// Restore undoes Delete.
func (db *DB) Restore(ctx context.Context, id string) error {
	return db.changeRun(ctx, id, "restoring", "deleted", db.moment(false))
}

// moment is now in microseconds where on, else NULL.
func (db *DB) moment(on bool) sql.NullInt64 {
	return sql.NullInt64{Int64: db.now().UnixMicro(), Valid: on}
}

// changeRun sets one column of a run.
func (db *DB) changeRun(ctx context.Context, id, doing, column string, value any) error {
	err := db.update(ctx, func(tx *sql.Tx) error {
		var run int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM run WHERE ulid = ?`, id).Scan(&run); err != nil {
			return notFound(err)
		}
		return db.edit(ctx, tx, run, func() error {
			_, err := tx.ExecContext(ctx, `UPDATE run SET `+column+` = ? WHERE id = ?`, value, run)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("%s run %s: %w", doing, id, err)
	}
	return nil
}
