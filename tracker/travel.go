package tracker

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// travelling is a run's row as it travels between databases.
type travelling struct {
	key                                      int64
	id, experiment, environment              string
	name, parent, note, params, tags, inputs string
	status                                   Status
	started, modified                        int64
	ended, archived                          sql.NullInt64
	deleted                                  bool
	points, digest                           []byte

	// What check decodes.
	paramFields, tagFields map[string]string
	inputList              []Input
}

// readRow reads a run's row; sql.ErrNoRows says that there is none.
func readRow(ctx context.Context, q querier, id string) (r travelling, err error) {
	var experiment, environment sql.NullString
	err = q.QueryRowContext(ctx, `SELECT run.id, run.ulid, experiment.name, environment.fields, run.name, run.parent, run.note,
		run.params, run.tags, run.inputs, run.status, run.started, run.modified, run.ended, run.archived,
		run.deleted IS NOT NULL, run.points, run.digest
		FROM run LEFT JOIN experiment ON experiment.id = run.experiment LEFT JOIN environment ON environment.id = run.environment
		WHERE run.ulid = ?`, id).Scan(&r.key, &r.id, &experiment, &environment, &r.name, &r.parent, &r.note,
		&r.params, &r.tags, &r.inputs, &r.status, &r.started, &r.modified, &r.ended, &r.archived,
		&r.deleted, &r.points, &r.digest)
	if err == nil && !(experiment.Valid && environment.Valid) {
		err = errMissing
	}
	r.experiment, r.environment = experiment.String, environment.String
	return r, err
}

var errMissing = errors.New("its experiment or its environment is missing from the file")

// check decodes what the row holds and refuses what no tracker writes.
func (r *travelling) check() (err error) {
	if err := checkID(r.id); err != nil {
		return err
	}
	for _, name := range []string{r.experiment, r.name} {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if !utf8.ValidString(r.note + r.parent) {
		return errors.New("its note or its parent is not valid UTF-8")
	}
	if r.status < Running || r.status > Killed {
		return fmt.Errorf("its status is %d; allowed: %d to %d", r.status, Running, Killed)
	}
	if r.ended.Valid == (r.status == Running) {
		return fmt.Errorf("it is %v, which does not fit whether it has an end", r.status)
	}
	if r.paramFields, err = checkFields(r.params); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	if r.tagFields, err = checkFields(r.tags); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	if _, err = checkFields(r.environment); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	if r.inputList, err = decodeInputs(r.inputs); err != nil {
		return err
	}
	return nil
}

// checkFields decodes fields of another database, strictly.
func checkFields(text string) (map[string]string, error) {
	if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
		return nil, errors.New("they are no JSON in UTF-8")
	}
	fields, err := decodeFields(text, map[string]string{})
	if err != nil {
		return nil, err
	}
	for key := range fields {
		if err := checkName(key); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func decodeInputs(text string) (inputs []Input, err error) {
	if err := json.Unmarshal([]byte(text), &inputs); err != nil || !utf8.ValidString(text) {
		return nil, errors.New("its inputs are not a list of datasets in JSON")
	}
	return inputs, nil
}

// whole checks that the content of a run is what its digests say. Where it has
// none, it checks that its points are what is kept about them.
func (r *travelling) whole(ctx context.Context, q querier, codec *codec) error {
	points, err := pointsDigest(ctx, q, codec, r.key)
	if err != nil || r.points == nil && r.digest == nil {
		return err
	}
	if r.points == nil || r.digest == nil || r.status == Running {
		return errHalfDigest
	}
	if string(points) != string(r.points) {
		return errors.New("its points are not those it ended with")
	}
	digest, err := runDigest(ctx, q, r.key, points)
	if err == nil && string(digest) != string(r.digest) {
		err = fmt.Errorf("its content has the digest %x, not %x: something in it was changed", digest, r.digest)
	}
	return err
}

// unite gives our row what it has and what theirs has besides; see Merge.
func unite(ours, theirs *travelling, grew, oursHasMore bool) (*travelling, error) {
	later, earlier := ours, theirs
	if theirs.modified > ours.modified {
		later, earlier = theirs, ours
	}
	u := *later
	u.key = ours.key
	u.note = cmp.Or(later.note, earlier.note)
	u.parent = cmp.Or(later.parent, earlier.parent)
	if later.environment == "{}" {
		u.environment = earlier.environment
	}
	for key, value := range ours.paramFields {
		if other, both := theirs.paramFields[key]; both && other != value {
			return nil, fmt.Errorf("parameter %q is %q there and %q here: they are two runs of one ID", key, other, value)
		}
	}
	var err error
	if u.params, err = uniteFields(later.paramFields, earlier.paramFields, later.params); err != nil {
		return nil, err
	}
	if u.tags, err = uniteFields(later.tagFields, earlier.tagFields, later.tags); err != nil {
		return nil, err
	}
	inputs := slices.Clone(later.inputList)
	for _, input := range earlier.inputList {
		if !slices.Contains(inputs, input) {
			inputs = append(inputs, input)
		}
	}
	if len(inputs) > len(later.inputList) {
		if u.inputs, err = encodeJSON(inputs); err != nil {
			return nil, err
		}
	}
	end := ours
	switch {
	case grew != oursHasMore:
		if grew {
			end = theirs
		}
	case ours.ended.Valid != theirs.ended.Valid:
		if theirs.ended.Valid {
			end = theirs
		}
	case theirs.ended.Int64 > ours.ended.Int64:
		end = theirs
	}
	u.status, u.ended = end.status, end.ended
	return &u, nil
}

// uniteFields adds to fields, of which text is the stored form, what others
// have besides.
func uniteFields(fields, others map[string]string, text string) (string, error) {
	all := maps.Clone(others)
	maps.Copy(all, fields)
	if len(all) == len(fields) {
		return text, nil
	}
	return encodeFields(all)
}

// sameFields tells whether the rows hold the same, points and artifacts aside.
func (r *travelling) sameFields(other *travelling) bool {
	return r.experiment == other.experiment && r.environment == other.environment && r.name == other.name &&
		r.parent == other.parent && r.note == other.note && r.params == other.params && r.tags == other.tags &&
		r.inputs == other.inputs && r.status == other.status && r.started == other.started && r.ended == other.ended &&
		r.archived.Valid == other.archived.Valid
}
