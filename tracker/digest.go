package tracker

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"
)

// An ended run has a digest: SHA-256 over its identity, names, times, status,
// note, parameters, tags, environment, inputs, every point of every metric in
// the order of logging, and names and digests of its artifacts. How points are
// cut into chunks, and whether a run is archived or deleted here, is no part
// of it: copies of a run in several files have one digest.

// digester writes parts, each behind its length, so that none runs into another.
type digester struct{ hash.Hash }

func newDigester(kind string) digester {
	d := digester{sha256.New()}
	d.text(kind)
	return d
}

func (d digester) number(v int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	d.Write(b[:])
}

func (d digester) text(s string) {
	d.number(int64(len(s)))
	io.WriteString(d, s)
}

// namedSummary is what a run's row says about one metric.
type namedSummary struct {
	name string
	keySummary
}

// metricsOf returns the metrics of a run, sorted by name.
func metricsOf(ctx context.Context, q querier, run int64) ([]namedSummary, error) {
	var data []byte
	if err := q.QueryRowContext(ctx, `SELECT metrics FROM run WHERE id = ?`, run).Scan(&data); err != nil {
		return nil, err
	}
	var all []namedSummary
	err := decodeSummaries(data, func(k keySummary) { all = append(all, namedSummary{keySummary: k}) })
	if err != nil {
		return nil, err
	}
	for i := range all {
		k := &all[i]
		err := q.QueryRowContext(ctx, `SELECT name FROM key WHERE id = ?`, k.key).Scan(&k.name)
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("there is no name for its metric %d", k.key)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b namedSummary) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// pointsDigest digests every point of a run, and checks on the way that what
// is kept about the points is true of them.
func pointsDigest(ctx context.Context, q querier, codec *codec, run int64) ([]byte, error) {
	all, err := metricsOf(ctx, q, run)
	if err != nil {
		return nil, err
	}
	d := newDigester("patchlab points 1")
	for _, k := range all {
		d.text(k.name)
		d.number(k.count)
		found := keySummary{key: k.key}
		err := eachBatch(ctx, q, codec, run, k.key, func(samples []sample) {
			found.add(samples)
			for _, s := range samples {
				d.number(s.step)
				d.number(s.time)
				d.number(int64(math.Float64bits(s.value)))
			}
		})
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", k.name, err)
		}
		found.hot = k.hot
		if !found.same(k.keySummary) {
			return nil, fmt.Errorf("metric %q: its points do not agree with what is kept about them", k.name)
		}
	}
	var stray int
	err = q.QueryRowContext(ctx, `SELECT (SELECT count(DISTINCT key) FROM
		(SELECT key FROM chunk WHERE run = ?1 UNION SELECT key FROM hot WHERE run = ?1))`, run).Scan(&stray)
	if err == nil && stray != len(all) {
		err = fmt.Errorf("there are points of %d metrics, not %d", stray, len(all))
	}
	return d.Sum(nil), err
}

// runDigest digests a run whose points have a digest already.
func runDigest(ctx context.Context, q querier, run int64, points []byte) ([]byte, error) {
	d := newDigester("patchlab run 1")
	texts := make([]string, 9)
	var numbers [3]int64
	err := q.QueryRowContext(ctx, `SELECT run.ulid, experiment.name, run.name, run.parent, run.note, run.params, run.tags,
		environment.fields, run.inputs, run.status, run.started, coalesce(run.ended, -1)
		FROM run JOIN experiment ON experiment.id = run.experiment JOIN environment ON environment.id = run.environment
		WHERE run.id = ?`, run).Scan(&texts[0], &texts[1], &texts[2], &texts[3], &texts[4], &texts[5], &texts[6],
		&texts[7], &texts[8], &numbers[0], &numbers[1], &numbers[2])
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errMissing
	}
	if err != nil {
		return nil, explain(err)
	}
	for _, t := range texts {
		d.text(t)
	}
	for _, n := range numbers {
		d.number(n)
	}
	d.Write(points)
	rows, err := q.QueryContext(ctx, `SELECT name, sha256, size FROM artifact WHERE run = ? ORDER BY name`, run)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var digest []byte
		var size int64
		if err := rows.Scan(&name, &digest, &size); err != nil {
			return nil, explain(err)
		}
		d.text(name)
		d.text(string(digest))
		d.number(size)
	}
	return d.Sum(nil), explain(rows.Err())
}

// Runs that ended before schema 2 have no digests; others have two, once ended.
var errHalfDigest = errors.New("it has one of its digests without the other, or before it has ended")

// edit changes a run and notes when; the digest of an ended one follows. The
// digest of one that was damaged before stays, so that no edit hides damage.
func (db *DB) edit(ctx context.Context, tx *sql.Tx, run int64, change func() error) error {
	intact, err := isIntact(ctx, tx, run)
	if err == nil {
		err = change()
	}
	if err != nil {
		return err
	}
	return db.touch(ctx, tx, run, intact)
}

// isIntact tells whether a run, points and contents aside, is what its digest
// says; one without a digest is.
func isIntact(ctx context.Context, tx *sql.Tx, run int64) (bool, error) {
	var points, want []byte
	err := tx.QueryRowContext(ctx, `SELECT points, digest FROM run WHERE id = ?`, run).Scan(&points, &want)
	if err != nil || want == nil {
		return true, err
	}
	digest, err := runDigest(ctx, tx, run, points)
	return err == nil && string(digest) == string(want), nil
}

// touch notes that a run was changed.
func (db *DB) touch(ctx context.Context, tx *sql.Tx, run int64, intact bool) error {
	var points, digest []byte
	if err := tx.QueryRowContext(ctx, `SELECT points, digest FROM run WHERE id = ?`, run).Scan(&points, &digest); err != nil {
		return err
	}
	if points != nil && intact {
		var err error
		if digest, err = runDigest(ctx, tx, run, points); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE run SET digest = ?, modified = ? WHERE id = ?`, digest, db.now().UnixMicro(), run)
	return err
}

// Verify checks a run against its digests: the points, the whole content, and
// the content of every artifact. It returns all that is wrong. A run that has
// not ended has no digest; then only points and artifacts are checked.
func (db *DB) Verify(ctx context.Context, id string) error {
	tx, err := db.readers.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback()
	var run int64
	var status Status
	var wantPoints, want []byte
	err = tx.QueryRowContext(ctx, `SELECT id, status, points, digest FROM run WHERE ulid = ?`, id).Scan(&run, &status, &wantPoints, &want)
	if err != nil {
		return fmt.Errorf("verifying run %s: %w", id, explain(notFound(err)))
	}
	var problems []error
	codec := db.codecs.Get().(*codec)
	defer db.codecs.Put(codec)
	points, err := pointsDigest(ctx, tx, codec, run)
	switch {
	case err != nil:
		problems = append(problems, err)
	case wantPoints != nil && string(points) != string(wantPoints):
		problems = append(problems, errors.New("its points are not those it ended with"))
	}
	problems = append(problems, checkChunks(ctx, tx, codec, run))
	if (wantPoints == nil) != (want == nil) || want != nil && status == Running {
		problems = append(problems, errHalfDigest)
	}
	if want != nil {
		digest, err := runDigest(ctx, tx, run, points)
		if err == nil && string(digest) != string(want) {
			err = fmt.Errorf("its content has the digest %x, not %x: something in it was changed", digest, want)
		}
		problems = append(problems, err)
	}
	artifacts, err := db.Artifacts(ctx, id)
	problems = append(problems, err)
	for _, a := range artifacts {
		problems = append(problems, db.verifyArtifact(a))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("run %s is damaged: %w", id, err)
	}
	return nil
}

// checkChunks checks what each sealed chunk's row says about its points.
func checkChunks(ctx context.Context, q querier, codec *codec, run int64) error {
	rows, err := q.QueryContext(ctx, `SELECT id, count, nonfinite, min, max, last, data FROM chunk WHERE run = ?`, run)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	var samples []sample
	var data sql.RawBytes
	for rows.Next() {
		var id int64
		var found, kept keySummary
		var lowest, highest, last sql.NullFloat64
		if err := rows.Scan(&id, &kept.count, &kept.nonfinite, &lowest, &highest, &last, &data); err != nil {
			return explain(err)
		}
		if samples, err = codec.decode(samples[:0], data); err != nil {
			return err
		}
		if len(samples) == 0 {
			return fmt.Errorf("chunk %d holds no points", id)
		}
		found.add(samples)
		finite := found.count > found.nonfinite
		final := samples[len(samples)-1].value
		if found.count != kept.count || found.nonfinite != kept.nonfinite || lowest.Valid != finite || highest.Valid != finite ||
			lowest.Float64 != found.min || highest.Float64 != found.max || last.Valid == math.IsNaN(final) || last.Valid && last.Float64 != final {
			return fmt.Errorf("chunk %d: its points do not agree with what is kept about them", id)
		}
	}
	return explain(rows.Err())
}

func (db *DB) verifyArtifact(a Artifact) error {
	digest, err := hex.DecodeString(a.SHA256)
	if err != nil {
		return err
	}
	content, err := db.openContent(digest)
	if err != nil {
		return fmt.Errorf("artifact %q: %w", a.Name, err)
	}
	defer content.Close()
	size, err := io.Copy(io.Discard, content)
	if err == nil && size != a.Size {
		err = fmt.Errorf("it has %d bytes, not %d", size, a.Size)
	}
	if err != nil {
		return fmt.Errorf("artifact %q: %w", a.Name, err)
	}
	return nil
}
