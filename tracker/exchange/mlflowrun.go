package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// mlflowID gives a run of MLflow's, known there by 32 hexadecimal digits, the
// ULID of the same 128 bits. Another kind of ID gets one made from it.
func mlflowID(id string) string {
	bits, err := hex.DecodeString(id)
	if err == nil && len(bits) == len(ulid.ULID{}) {
		return ulid.ULID(bits).String()
	}
	if _, err := ulid.ParseStrict(id); err == nil && strings.ToUpper(id) == id {
		return id // one of ours, from our server
	}
	return identity("mlflow", id)
}

var mlflowStatus = map[string]tracker.Status{"FINISHED": tracker.Finished, "FAILED": tracker.Failed, "KILLED": tracker.Killed,
	"RUNNING": tracker.Killed, "SCHEDULED": tracker.Killed}

// mlflowRun turns what both the database and the server of MLflow tell of a
// run into one of ours: the tags in which MLflow keeps name, note and parent,
// and those in which ExportMLflow keeps the environment, become that. A run
// that has not ended counts as killed.
func mlflowRun(id, name, experiment, status string, start, end int64, params, tags map[string]string) imported {
	r := imported{status: mlflowStatus[status], end: time.UnixMilli(end), note: tags[mlflow.NoteTag], grows: true}
	if r.status == 0 {
		r.status = tracker.Failed
	}
	r.Start = time.UnixMilli(start)
	if end < start {
		r.end = r.Start
	}
	if name == "" {
		name = tags[mlflow.NameTag]
	}
	if name == "" {
		name = id
	}
	r.ID, r.Name, r.Experiment, r.Params, r.Tags = mlflowID(id), name, experiment, params, tags
	if parent := tags[mlflow.ParentTag]; parent != "" {
		r.Parent = mlflowID(parent)
	}
	r.Environment = map[string]string{}
	for key, value := range tags {
		if of, ok := strings.CutPrefix(key, mlflow.EnvironmentTag); ok && of != "" {
			r.Environment[of] = value
		}
		if mlflow.Reserved(key) || key == mlflow.NoteTag || key == mlflow.ParentTag || key == mlflow.NameTag {
			delete(tags, key)
		}
	}
	return r
}

// mlflowValue undoes how MLflow's database keeps infinity: as the largest double.
func mlflowValue(v float64, isNaN bool) float64 {
	switch {
	case isNaN:
		return math.NaN()
	case v == math.MaxFloat64:
		return math.Inf(1)
	case v == -math.MaxFloat64:
		return math.Inf(-1)
	}
	return v
}

// mlflowTime is a time that counts milliseconds.
func mlflowTime(ms int64) (time.Time, error) {
	if ms > math.MaxInt64/1000 || ms < math.MinInt64/1000 {
		return time.Time{}, fmt.Errorf("the timestamp %d is beyond what 64 bits hold in microseconds", ms)
	}
	return time.UnixMilli(ms), nil
}

// foundModel is a logged model of MLflow's.
type foundModel struct {
	mlflow.Model
	id, experiment string
	files          func(add func(name string, content io.Reader) error) error // nil: they cannot be had
}

// addModels gives a run the logged models that it made. Their IDs here name
// the run, and are the same at each import.
func (r *imported) addModels(models []foundModel) error {
	files := r.artifacts
	ids := make([]string, len(models))
	for i, m := range models {
		ids[i] = m.id
		if run, ok := mlflow.RunOfModel(m.id); !ok || run != r.ID {
			sum := sha256.Sum256([]byte(m.id))
			ids[i] = mlflow.NewModelID(r.ID, hex.EncodeToString(sum[:]))
			m.Origin = m.id
		}
		text, err := m.Encode()
		if err != nil {
			return err
		}
		r.Tags[mlflow.ModelTag+ids[i]] = text
	}
	r.artifacts = func(add func(string, io.Reader) error) error {
		if files != nil {
			if err := files(add); err != nil {
				return err
			}
		}
		for i, m := range models {
			if m.files == nil {
				continue
			}
			folder := mlflow.ModelFolder(ids[i]) + "/"
			err := m.files(func(name string, content io.Reader) error { return add(folder+name, content) })
			if err != nil {
				return fmt.Errorf("model %s: %w", m.id, err)
			}
		}
		return nil
	}
	return nil
}

// alone is a run for a model that no run made.
func (m foundModel) alone() imported {
	at := time.UnixMilli(m.Created)
	r := imported{Spec: tracker.Spec{ID: identity("mlflow model", m.id), Name: m.Name, Experiment: m.experiment, Start: at, Tags: map[string]string{}},
		status: tracker.Finished, end: at, grows: true, points: func(func(string, time.Time, int64, float64) error) error { return nil }}
	_ = r.addModels([]foundModel{m}) // its texts came as JSON or from SQLite: they encode
	return r
}
