package tracker

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Merged says what Merge did.
type Merged struct {
	Added     int // runs that were not there
	Updated   int // runs that were there with less content
	Unchanged int
	// Refused joins a sentence for each run that was not taken; nil where all were.
	Refused error
}

// Merge copies the runs of another database into this one, all or those of the
// IDs given: identities, points, artifacts and the tags of experiments included,
// deleted runs not. Merging again changes nothing, though every run is read and checked against its
// digest, also where that is known here.
// Two copies of one run become one that holds all of both:
//
//   - Of each metric the points of the copy that has all points of the other.
//   - All parameters, inputs, tags and artifacts of both; where both have a tag
//     or an artifact of one name, that of the copy changed last, or the
//     artifact added last. (So a tag that was removed from one copy only is
//     there again.)
//   - Name, note, experiment and whether it is archived as in the copy changed
//     last, but for a note that is empty there; how and when it ended as in the
//     copy with more points.
//
// A run is refused, and stays as it is here, where its content is not what its
// digest says, or is malformed; where the copy here is damaged; where the
// copies went different ways (neither has all points of the other, or a
// parameter has two values); or where a living process writes one of them.
// The other runs are taken all the same. Merge itself fails where this
// database cannot be written, or the other not be read at all.
func (db *DB) Merge(ctx context.Context, from *DB, ids ...string) (Merged, error) {
	var merged Merged
	if db.readOnly {
		return merged, fmt.Errorf("merging %s: %w", from.path, ErrReadOnly)
	}
	there, err := from.liveRuns(ctx)
	if err != nil {
		return merged, fmt.Errorf("merging %s: %w", from.path, err)
	}
	if len(ids) == 0 {
		ids = there
	} else {
		known := make(map[string]bool, len(there))
		for _, id := range there {
			known[id] = true
		}
		for _, id := range ids {
			if !known[id] {
				return merged, fmt.Errorf("merging run %s of %s: %w", printable(id), from.path, ErrNotFound)
			}
		}
	}
	var refused []error
	for len(ids) > 0 {
		taken, no, err := db.mergeSome(ctx, from, ids, &merged)
		if err != nil {
			return merged, fmt.Errorf("merging %s: %w", from.path, err)
		}
		refused, ids = append(refused, no...), ids[taken:]
	}
	no, err := db.mergeExperiments(ctx, from)
	if err != nil {
		return merged, fmt.Errorf("merging the experiments of %s: %w", from.path, err)
	}
	merged.Refused = errors.Join(append(refused, no...)...)
	return merged, nil
}

// refusal says why one run is not taken.
type refusal struct{ why error }

func (r *refusal) Error() string { return r.why.Error() }
func (r *refusal) Unwrap() error { return r.why }

func refuse(why error) error { return &refusal{explain(why)} }

// printable is an ID, or its quoted form where it is none and may hold anything.
func printable(id string) string {
	if checkID(id) != nil {
		return fmt.Sprintf("%q", id)
	}
	return id
}

// liveRuns returns the IDs of the runs that are not deleted, the oldest first.
func (db *DB) liveRuns(ctx context.Context) ([]string, error) {
	rows, err := db.readers.QueryContext(ctx, `SELECT ulid FROM run WHERE deleted IS NULL ORDER BY started, id`)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, explain(err)
		}
		ids = append(ids, id)
	}
	return ids, explain(rows.Err())
}

// mergeExperiments gives the experiments here the tags that they have only
// there. It returns sentences for those whose tags are damaged.
func (db *DB) mergeExperiments(ctx context.Context, from *DB) (refused []error, err error) {
	rows, err := from.readers.QueryContext(ctx, `SELECT name, tags FROM experiment WHERE deleted IS NULL AND tags <> '{}'`)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	arriving := map[string]map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, explain(err)
		}
		tags, err := checkFields(text)
		if err != nil {
			refused = append(refused, fmt.Errorf("the tags of experiment %q of %s were not merged: %w", name, from.path, err))
			continue
		}
		arriving[name] = tags
	}
	if err := rows.Err(); err != nil {
		return nil, explain(err)
	}
	here, err := db.Experiments(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range here {
		missing := maps.Clone(arriving[e.Name])
		maps.DeleteFunc(missing, func(key, _ string) bool { _, has := e.Tags[key]; return has })
		if len(missing) == 0 {
			continue
		}
		err := db.EditExperiment(ctx, e.Key, func(e *Experiment) {
			maps.Copy(missing, e.Tags)
			e.Tags = missing
		})
		if err != nil {
			return nil, err
		}
	}
	return refused, nil
}
