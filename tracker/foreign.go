package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CheckForeign says what is wrong with a database file that somebody else made,
// before Open reads it: whether SQLite finds its pages whole, and whether it has
// the tables of one of our schemas and nothing besides. A view or a trigger of
// the same name would be run by whoever reads or merges the file. What the tables
// hold is checked by Merge and Verify.
func CheckForeign(ctx context.Context, path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("checking %s: %w", path, explain(err))
		}
	}()
	if err := (&DB{path: path, readOnly: true}).checkFile(); err != nil {
		return err
	}
	scripts, err := migrations()
	if err != nil {
		return err
	}
	file := openPool(path, "ro", "&_query_only=1")
	defer file.Close()
	file.SetMaxOpenConns(1) // the settings below are the connection's
	for _, setting := range []string{"trusted_schema = OFF", "cell_size_check = ON"} {
		if _, err := file.ExecContext(ctx, "PRAGMA "+setting); err != nil {
			return err
		}
	}
	version, err := schemaVersion(ctx, file, len(scripts))
	if err != nil {
		return err
	}
	if version == 0 {
		return errors.New("it is empty, not a tracker database")
	}
	found, err := schemaOf(ctx, file)
	if err != nil {
		return err
	}
	model := openPool(":memory:", "memory", "")
	defer model.Close()
	model.SetMaxOpenConns(1) // each connection would have a database of its own
	if err := migrate(ctx, model, scripts[:version]); err != nil {
		return err
	}
	wanted, err := schemaOf(ctx, model)
	if err != nil {
		return err
	}
	for _, part := range found {
		if !slices.Contains(wanted, part) {
			return fmt.Errorf("it holds what no tracker writes, or not as a tracker writes it: %q", brief(part))
		}
	}
	if len(found) != len(wanted) {
		return fmt.Errorf("it has %d tables and indices of the %d of schema %d", len(found), len(wanted), version)
	}
	var sound string
	if err := file.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&sound); err != nil {
		return err
	}
	if sound != "ok" {
		return fmt.Errorf("the file is damaged: %s", brief(sound))
	}
	return nil
}

// schemaOf lists what a database is made of, each part in one text.
func schemaOf(ctx context.Context, q querier) (parts []string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, table string
		var text sql.NullString // an index that UNIQUE makes has none
		if err := rows.Scan(&kind, &name, &table, &text); err != nil {
			return nil, err
		}
		parts = append(parts, strings.Join([]string{kind, name, table, text.String}, " "))
	}
	return parts, rows.Err()
}

// brief is the beginning of a text that may be long.
func brief(text string) string {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return text
}
