package tracker

import (
	"context"
	"database/sql"
	"sync"
)

// Tables know metric names by integers. Names are never removed from a
// database, so what was read once stays true.

// keyIDs maps names to integers for the writer.
type keyIDs map[string]int64

// id finds a name's integer, or makes one within tx.
func (k keyIDs) id(ctx context.Context, tx *sql.Tx, name string) (id int64, err error) {
	if id, known := k[name]; known {
		return id, nil
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO key (name) VALUES (?)
		ON CONFLICT (name) DO UPDATE SET name = name RETURNING id`, name).Scan(&id)
	if err == nil {
		k[name] = id
	}
	return id, err
}

// keyNames maps integers to names for readers.
type keyNames struct {
	mu    sync.Mutex
	names []string // by integer; replaced, never changed
}

// maxKeys bounds the integers of names, of which a list is kept.
const maxKeys = 1 << 24

// at returns the names that q sees, indexed by their integers.
func (k *keyNames) at(ctx context.Context, q querier) ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	rows, err := q.QueryContext(ctx, `SELECT id, name FROM key WHERE id >= ? ORDER BY id`, len(k.names))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := k.names
	for rows.Next() {
		var id int
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		if id >= maxKeys {
			continue // no tracker counts so far: the file is damaged, and so are the runs with this metric
		}
		for len(names) < id {
			names = append(names, "")
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	k.names = names
	return names, nil
}
