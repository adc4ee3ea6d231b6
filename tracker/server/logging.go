package server

import (
	"context"
	"errors"
	"time"

	"patchlab/tracker"
)

// What MLflow allows in one batch; its client cuts to that.
const (
	maxMetrics = 1000
	maxPairs   = 100
	maxTotal   = 1000
)

func (h *Handler) logMetric(ctx context.Context, q *request) (any, error) {
	var body wireMetric
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	return nil, h.log(ctx, id, []wireMetric{body}, nil, nil)
}

func (h *Handler) logParameter(ctx context.Context, q *request) (any, error) {
	var body pair
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	return nil, h.log(ctx, id, nil, []pair{body}, nil)
}

func (h *Handler) setTag(ctx context.Context, q *request) (any, error) {
	var body pair
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	return nil, h.log(ctx, id, nil, nil, []pair{body})
}

func (h *Handler) logBatch(ctx context.Context, q *request) (any, error) {
	var body struct {
		ID      string       `json:"run_id"`
		UUID    string       `json:"run_uuid"`
		Metrics []wireMetric `json:"metrics"`
		Params  []pair       `json:"params"`
		Tags    []pair       `json:"tags"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	if body.ID == "" {
		body.ID = body.UUID
	}
	switch {
	case body.ID == "":
		return nil, invalid("Missing value for required parameter 'run_id'.")
	case len(body.Metrics) > maxMetrics:
		return nil, invalid("A batch logging request can contain at most %d metrics. Got %d metrics.", maxMetrics, len(body.Metrics))
	case len(body.Params) > maxPairs || len(body.Tags) > maxPairs:
		return nil, invalid("A batch logging request can contain at most %d params and %d tags.", maxPairs, maxPairs)
	case len(body.Metrics)+len(body.Params)+len(body.Tags) > maxTotal:
		return nil, invalid("A batch logging request can contain at most %d metrics, params and tags.", maxTotal)
	}
	return nil, h.log(ctx, body.ID, body.Metrics, body.Params, body.Tags)
}

// log records a batch; when it returns, all of it is durable.
func (h *Handler) log(ctx context.Context, id string, metrics []wireMetric, params, tags []pair) error {
	for _, m := range metrics {
		if m.Key == "" {
			return invalid("Metric name cannot be None or empty.")
		}
	}
	fields := make(map[string]string, len(params))
	for _, p := range params {
		if old, twice := fields[p.Key]; twice && old != p.Value {
			return invalid("Duplicate parameter keys have been submitted: %s", p.Key)
		}
		fields[p.Key] = p.Value
	}
	if _, err := h.active(ctx, id); err != nil {
		return err
	}
	if err := h.setTags(ctx, id, tags); err != nil {
		return badName(err)
	}
	if len(fields) > 0 {
		if err := h.db.SetParams(ctx, id, fields); err != nil {
			return badName(err)
		}
	}
	if len(metrics) == 0 {
		return nil
	}
	return badName(h.write(ctx, id, func(run *tracker.Run) error {
		value := make(map[string]float64, 1)
		for _, m := range metrics {
			clear(value)
			value[m.Key] = float64(m.Value)
			if err := run.LogAt(time.UnixMilli(int64(m.Timestamp)), int64(m.Step), value); err != nil {
				return err
			}
		}
		return run.Flush()
	}))
}

// setTags sets tags; those in which MLflow keeps fields of a run set these.
func (h *Handler) setTags(ctx context.Context, id string, tags []pair) error {
	plain := map[string]string{}
	var err error
	for _, t := range tags {
		switch t.Key {
		case nameTag:
			err = errors.Join(err, h.db.Rename(ctx, id, t.Value))
		case noteTag:
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

func (h *Handler) deleteTag(ctx context.Context, q *request) (any, error) {
	var body pair
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	if _, err := h.find(ctx, id); err != nil {
		return nil, err
	}
	if body.Key == noteTag {
		return nil, h.db.SetNote(ctx, id, "")
	}
	return nil, h.db.RemoveTag(ctx, id, body.Key)
}

func (h *Handler) logInputs(ctx context.Context, q *request) (any, error) {
	var body struct {
		Datasets []datasetInput `json:"datasets"`
	}
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err == nil {
		_, err = h.find(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	var inputs []tracker.Input
	for _, d := range body.Datasets {
		if d.Dataset.Name == "" || d.Dataset.Digest == "" {
			return nil, invalid("Dataset name and digest cannot be None or empty.")
		}
		inputs = append(inputs, tracker.Input{Name: d.Dataset.Name, Digest: d.Dataset.Digest, Context: toMap(d.Tags)["mlflow.data.context"]})
	}
	if len(inputs) == 0 {
		return nil, nil
	}
	return nil, h.db.AddInputs(ctx, id, inputs...)
}

// logModelRecord takes what older clients say about a model that they have
// uploaded; the files say it too.
func (h *Handler) logModelRecord(ctx context.Context, q *request) (any, error) {
	id, err := runID(q)
	if err == nil {
		_, err = h.find(ctx, id)
	}
	return nil, err
}
