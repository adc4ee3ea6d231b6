package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// What MLflow allows in one batch; its client cuts to that.
const (
	maxMetrics = 1000
	maxPairs   = 100
	maxTotal   = 1000
)

// newMetric is a value to log; what it needs may be absent.
type newMetric struct {
	Key       string          `json:"key"`
	Value     *mlflow.Float   `json:"value"`
	Timestamp *mlflow.Integer `json:"timestamp"`
	Step      mlflow.Integer  `json:"step"`
}

// check checks that a metric is whole; at says where it stands in the request.
func (m newMetric) check(at string) error {
	switch {
	case m.Value == nil:
		return missing(at + "value")
	case m.Timestamp == nil:
		return missing(at + "timestamp")
	}
	if _, err := moment(at+"timestamp", *m.Timestamp); err != nil {
		return err
	}
	return checkKey(at+"key", m.Key)
}

// checkKey checks the name of a metric, parameter or tag.
func checkKey(at, key string) error {
	switch {
	case key == "":
		return missing(at)
	case len(key) > 1000:
		return invalid("Invalid value %.40q… for parameter '%s': it has %d bytes, at most 1000 are allowed", key, at, len(key))
	case strings.ContainsRune(key, 0):
		return invalid("Invalid value %.40q for parameter '%s': it contains a NUL byte", key, at)
	}
	return nil
}

// checkTag is checkKey for a tag that a client sets or removes.
func checkTag(key string) error {
	if mlflow.Reserved(key) {
		return invalid("The tag %.60q is reserved: the server itself keeps tags that begin with %s or %s", key, mlflow.ModelTag, mlflow.EnvironmentTag)
	}
	return checkKey("key", key)
}

func (h *Handler) logMetric(ctx context.Context, in struct {
	runRef
	newMetric
}) (any, error) {
	return nil, h.log(ctx, in.runRef, "", batch{metrics: []newMetric{in.newMetric}})
}

func (h *Handler) logParameter(ctx context.Context, in struct {
	runRef
	mlflow.Pair
}) (any, error) {
	return nil, h.log(ctx, in.runRef, "", batch{params: []mlflow.Pair{in.Pair}})
}

func (h *Handler) setTag(ctx context.Context, in struct {
	runRef
	mlflow.Pair
}) (any, error) {
	return nil, h.log(ctx, in.runRef, "", batch{tags: []mlflow.Pair{in.Pair}})
}

func (h *Handler) logBatch(ctx context.Context, in struct {
	runRef
	Metrics []newMetric   `json:"metrics"`
	Params  []mlflow.Pair `json:"params"`
	Tags    []mlflow.Pair `json:"tags"`
}) (any, error) {
	switch {
	case len(in.Metrics) > maxMetrics:
		return nil, invalid("A batch logging request can contain at most %d metrics. Got %d metrics.", maxMetrics, len(in.Metrics))
	case len(in.Params) > maxPairs || len(in.Tags) > maxPairs:
		return nil, invalid("A batch logging request can contain at most %d params and %d tags.", maxPairs, maxPairs)
	case len(in.Metrics)+len(in.Params)+len(in.Tags) > maxTotal:
		return nil, invalid("A batch logging request can contain at most %d metrics, params and tags.", maxTotal)
	}
	return nil, h.log(ctx, in.runRef, "[%d].", batch{in.Metrics, in.Params, in.Tags})
}

// batch is what one request logs.
type batch struct {
	metrics []newMetric
	params  []mlflow.Pair
	tags    []mlflow.Pair
}

// check checks all of a batch, so that nothing of one with a fault is stored.
// index says how a fault names its place: "[%d].", or "" in single requests.
func (b batch) check(index string) error {
	place := func(kind string, i int) string {
		if index == "" {
			return ""
		}
		return kind + fmt.Sprintf(index, i)
	}
	for i, m := range b.metrics {
		if err := m.check(place("metrics", i)); err != nil {
			return err
		}
	}
	seen := make(map[string]string, len(b.params))
	for i, p := range b.params {
		if err := checkKey(place("params", i)+"key", p.Key); err != nil {
			return err
		}
		if old, twice := seen[p.Key]; twice && old != p.Value {
			return invalid("Duplicate parameter keys have been submitted: %s", p.Key)
		}
		seen[p.Key] = p.Value
	}
	for _, t := range b.tags {
		if err := checkTag(t.Key); err != nil {
			return err
		}
	}
	return nil
}

// log records a batch; when it returns, all of it is durable.
func (h *Handler) log(ctx context.Context, ref runRef, index string, b batch) error {
	id, err := ref.id()
	if err != nil {
		return err
	}
	if err := b.check(index); err != nil {
		return err
	}
	var points []newMetric
	err = h.change(ctx, id, func(info tracker.RunInfo) error {
		err := h.setTags(ctx, id, b.tags)
		if err == nil && len(b.params) > 0 {
			err = h.db.SetParams(ctx, id, mlflow.ToMap(b.params))
		}
		if err == nil {
			points, err = h.unknown(ctx, info, b.metrics)
		}
		return err
	})
	if err != nil || len(points) == 0 {
		return badName(err)
	}
	return badName(h.write(ctx, id, func(run *tracker.Run) error {
		value := make(map[string]float64, 1)
		for _, m := range points {
			clear(value)
			value[m.Key] = float64(*m.Value)
			at, err := moment("timestamp", *m.Timestamp)
			if err == nil {
				err = run.LogAt(at, int64(m.Step), value)
			}
			if err != nil {
				return err
			}
		}
		return run.Flush()
	}))
}

// unknown leaves out the points that a run has already, with the same name,
// step, time and value: as in MLflow's server, such a point counts once. Its
// client relies on that, where it sends again what got no answer, and where it
// says of a logged model what it has said of the run.
func (h *Handler) unknown(ctx context.Context, info tracker.RunInfo, metrics []newMetric) ([]newMetric, error) {
	type place struct {
		key      string
		step, at int64 // microseconds
		value    uint64
	}
	at := func(key string, step, micros int64, value float64) place {
		if math.IsNaN(value) {
			value = math.NaN() // of many NaNs one
		}
		return place{key, step, micros, math.Float64bits(value)}
	}
	seen := make(map[place]bool, len(metrics))
	read := map[string]bool{}
	var points []newMetric
	for _, m := range metrics {
		// What comes behind the latest point is new; for the rest the history is read.
		micros := int64(*m.Timestamp) * 1000
		latest, any := info.Metrics[m.Key]
		behind := int64(m.Step) > latest.Step || int64(m.Step) == latest.Step && micros > latest.Time.UnixMicro()
		if any && !behind && !read[m.Key] {
			read[m.Key] = true
			history, err := h.db.History(ctx, info.ID, m.Key)
			if err != nil {
				return nil, err
			}
			for _, p := range history {
				seen[at(m.Key, p.Step, p.Time.UnixMicro(), p.Value)] = true
			}
		}
		if p := at(m.Key, int64(m.Step), micros, float64(*m.Value)); !seen[p] {
			seen[p] = true
			points = append(points, m)
		}
	}
	return points, nil
}

// setTags sets tags; those in which MLflow keeps fields of a run set these.
func (h *Handler) setTags(ctx context.Context, id string, tags []mlflow.Pair) error {
	plain := map[string]string{}
	var err error
	for _, t := range tags {
		switch t.Key {
		case mlflow.NameTag:
			err = errors.Join(err, h.db.Rename(ctx, id, t.Value))
		case mlflow.NoteTag:
			err = errors.Join(err, h.db.SetNote(ctx, id, t.Value))
		default:
			plain[t.Key] = t.Value
		}
	}
	if len(plain) > 0 {
		err = errors.Join(err, h.db.SetTags(ctx, id, plain))
	}
	return err
}

func (h *Handler) deleteTag(ctx context.Context, in struct {
	runRef
	Key string `json:"key"`
}) (any, error) {
	id, err := in.id()
	if err == nil {
		err = checkTag(in.Key)
	}
	if err != nil {
		return nil, err
	}
	return nil, h.change(ctx, id, func(tracker.RunInfo) error {
		if in.Key == mlflow.NoteTag {
			return h.db.SetNote(ctx, id, "")
		}
		return h.db.RemoveTag(ctx, id, in.Key)
	})
}

func (h *Handler) logInputs(ctx context.Context, in struct {
	runRef
	Datasets []mlflow.DatasetInput `json:"datasets"`
}) (any, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	var inputs []tracker.Input
	for i, d := range in.Datasets {
		at := fmt.Sprintf("datasets[%d].dataset.", i)
		if err := required(at+"name", d.Dataset.Name, at+"digest", d.Dataset.Digest); err != nil {
			return nil, err
		}
		inputs = append(inputs, tracker.Input{Name: d.Dataset.Name, Digest: d.Dataset.Digest, Context: mlflow.ToMap(d.Tags)[mlflow.ContextTag]})
	}
	return nil, h.change(ctx, id, func(tracker.RunInfo) error {
		if len(inputs) == 0 {
			return nil
		}
		return h.db.AddInputs(ctx, id, inputs...)
	})
}

// logModelRecord takes what older clients say about a model that they have
// uploaded; the files say it too.
func (h *Handler) logModelRecord(ctx context.Context, in struct {
	runRef
	Model string `json:"model_json"`
}) (any, error) {
	id, err := in.id()
	if err == nil {
		err = required("model_json", in.Model)
	}
	if err != nil {
		return nil, err
	}
	var model map[string]json.RawMessage
	if err := json.Unmarshal([]byte(in.Model), &model); err != nil {
		return nil, invalid("Malformed model info: %v", err)
	}
	for _, field := range []string{"artifact_path", "flavors", "utc_time_created", "run_id"} {
		if _, ok := model[field]; !ok {
			return nil, invalid("Model json is missing mandatory fields: {'%s'}", field)
		}
	}
	_, err = h.active(ctx, id)
	return nil, err
}
