package tracker

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"sort"
)

// applicationID marks a SQLite file as ours ("PLab" in ASCII), in the header
// field that SQLite reserves for it.
const applicationID = 0x504c6162

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations returns the schema changes in order; the n-th leads to version n.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	scripts := make([]string, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		scripts[i] = string(text)
	}
	return scripts, nil
}

// schemaVersion reads which schema a database has (0: an empty file), and
// fails where the file belongs to another program or a newer version of ours.
func schemaVersion(ctx context.Context, q querier, newest int) (int, error) {
	var version, application, tables int
	err := q.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&version, &application, &tables)
	switch {
	case err != nil:
		return 0, err
	case tables > 0 && application != applicationID:
		return 0, errForeign
	case version > newest:
		return 0, fmt.Errorf("it has schema %d, this program knows schemas up to %d: use a newer patchlab", version, newest)
	}
	return version, nil
}

// migrate brings the database to the newest schema. All missing steps run in
// one transaction that holds the write lock, so that processes that start
// together do it once, and a failed step changes nothing.
func migrate(ctx context.Context, db *sql.DB, scripts []string) error {
	version, err := schemaVersion(ctx, db, len(scripts))
	if err != nil || version == len(scripts) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	version, err = schemaVersion(ctx, tx, len(scripts))
	if err != nil {
		return err
	}
	for ; version < len(scripts); version++ {
		if _, err := tx.ExecContext(ctx, scripts[version]); err != nil {
			return fmt.Errorf("changing the schema from %d to %d: %w", version, version+1, err)
		}
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d",
		applicationID, len(scripts)))
	if err != nil {
		return err
	}
	return tx.Commit()
}

// querier is what *sql.DB, *sql.Conn and *sql.Tx have in common for reading.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
