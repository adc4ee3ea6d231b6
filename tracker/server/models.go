package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"patchlab/tracker"
)

// A logged model is a record in a tag of the run that made it. Its ID holds
// the run's, so that it is found without a search; its files are artifacts of
// the run below .models/ID.

// modelRecord is what is kept of a logged model.
type modelRecord struct {
	Name    string            `json:"name"`
	Type    string            `json:"type,omitempty"`
	Status  string            `json:"status"`
	Created int64             `json:"created"`
	Updated int64             `json:"updated"`
	Tags    map[string]string `json:"tags"`
	Params  map[string]string `json:"params"`
}

func newModelID(run string) string {
	return "m-" + strings.ToLower(run) + strings.ToLower(rand.Text()[:8])
}

// runOfModel is the run that a model's ID names.
func runOfModel(id string) (string, error) {
	const length = len("m-") + 26 + 8
	for _, r := range id {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-') {
			return "", notFound("No model with that id exists")
		}
	}
	if len(id) != length || !strings.HasPrefix(id, "m-") {
		return "", notFound("No model with id=%.60s exists", id)
	}
	return strings.ToUpper(id[2 : 2+26]), nil
}

func modelFolder(id string) string { return ".models/" + id }

// model reads a model's record and the run that it belongs to.
func (h *Handler) model(ctx context.Context, id string) (tracker.RunInfo, modelRecord, error) {
	var record modelRecord
	run, err := runOfModel(id)
	if err != nil {
		return tracker.RunInfo{}, record, err
	}
	info, err := h.find(ctx, run)
	if err != nil {
		return info, record, err
	}
	text, ok := info.Tags[modelTag+id]
	if !ok {
		return info, record, notFound("No model with id=%s exists", id)
	}
	err = json.Unmarshal([]byte(text), &record)
	return info, record, err
}

func (h *Handler) saveModel(ctx context.Context, run, id string, record modelRecord) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return h.db.SetTags(ctx, run, map[string]string{modelTag + id: string(text)})
}

// answerModel is the answer that consists of one model.
func (h *Handler) answerModel(ctx context.Context, id string) (any, error) {
	info, record, err := h.model(ctx, id)
	if err != nil {
		return nil, err
	}
	wire, err := h.wireModel(ctx, info, id, record)
	return map[string]any{"model": wire}, err
}

func (h *Handler) wireModel(ctx context.Context, info tracker.RunInfo, id string, record modelRecord) (map[string]any, error) {
	experiment, err := h.experimentOf(ctx, info)
	return map[string]any{
		"info": map[string]any{
			"model_id": id, "experiment_id": experiment, "name": record.Name, "model_type": record.Type,
			"creation_timestamp_ms": record.Created, "last_updated_timestamp_ms": record.Updated,
			"artifact_uri": "mlflow-artifacts:/" + experiment + "/models/" + id + "/artifacts",
			"status":       record.Status, "source_run_id": info.ID, "tags": toPairs(record.Tags, ""),
		},
		"data": map[string]any{"params": toPairs(record.Params, ""), "metrics": []any{}},
	}, err
}

func (h *Handler) createModel(ctx context.Context, q *request) (any, error) {
	var body struct {
		Experiment string `json:"experiment_id"`
		Name       string `json:"name"`
		Type       string `json:"model_type"`
		Run        string `json:"source_run_id"`
		Params     []pair `json:"params"`
		Tags       []pair `json:"tags"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	if body.Name == "" {
		body.Name = "model"
	}
	e, err := h.experiment(ctx, body.Experiment)
	if err != nil {
		return nil, err
	}
	if body.Run == "" { // a model without a run gets one to belong to
		run, err := h.db.Start(ctx, tracker.Spec{Experiment: e.Name, Name: body.Name})
		if err != nil {
			return nil, badName(err)
		}
		if err := run.Finish(tracker.Finished); err != nil {
			return nil, err
		}
		body.Run = run.ID()
	}
	info, err := h.find(ctx, body.Run)
	if err != nil {
		return nil, err
	}
	if info.Experiment != e.Name {
		return nil, invalid("the run %s is not in the experiment %s", body.Run, body.Experiment)
	}
	now := time.Now().UnixMilli()
	id := newModelID(body.Run)
	record := modelRecord{Name: body.Name, Type: body.Type, Status: "LOGGED_MODEL_PENDING", Created: now, Updated: now,
		Tags: toMap(body.Tags), Params: toMap(body.Params)}
	if err := h.saveModel(ctx, body.Run, id, record); err != nil {
		return nil, err
	}
	return h.answerModel(ctx, id)
}

func (h *Handler) getModel(ctx context.Context, q *request) (any, error) {
	return h.answerModel(ctx, q.path("model"))
}

// changeModel edits a record.
func (h *Handler) changeModel(ctx context.Context, q *request, change func(*modelRecord) error) (any, error) {
	id := q.path("model")
	h.mu.Lock() // one edit at a time: a record is read, changed and written
	defer h.mu.Unlock()
	info, record, err := h.model(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := change(&record); err != nil {
		return nil, err
	}
	record.Updated = time.Now().UnixMilli()
	if err := h.saveModel(ctx, info.ID, id, record); err != nil {
		return nil, err
	}
	return h.answerModel(ctx, id)
}

func (h *Handler) finalizeModel(ctx context.Context, q *request) (any, error) {
	return h.changeModel(ctx, q, func(m *modelRecord) error {
		var body struct {
			Status any `json:"status"`
		}
		if err := q.into(&body); err != nil {
			return err
		}
		known := []string{"LOGGED_MODEL_STATUS_UNSPECIFIED", "LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"}
		status := fmt.Sprint(body.Status)
		if n, ok := body.Status.(float64); ok && n >= 0 && int(n) < len(known) {
			status = known[int(n)]
		}
		if !slices.Contains(known, status) {
			return invalid("Invalid model status %q", status)
		}
		m.Status = status
		return nil
	})
}

func (h *Handler) tagModel(ctx context.Context, q *request) (any, error) {
	return h.changeModel(ctx, q, func(m *modelRecord) error {
		var body struct {
			Tags []pair `json:"tags"`
		}
		err := q.into(&body)
		for _, t := range body.Tags {
			m.Tags[t.Key] = t.Value
		}
		return err
	})
}

func (h *Handler) paramModel(ctx context.Context, q *request) (any, error) {
	return h.changeModel(ctx, q, func(m *modelRecord) error {
		var body struct {
			Params []pair `json:"params"`
		}
		err := q.into(&body)
		for _, p := range body.Params {
			m.Params[p.Key] = p.Value
		}
		return err
	})
}

// searchModels lists the models of experiments, the latest first.
func (h *Handler) searchModels(ctx context.Context, q *request) (any, error) {
	var body struct {
		Experiments []string `json:"experiment_ids"`
		Max         integer  `json:"max_results"`
		Token       string   `json:"page_token"`
		Filter      string   `json:"filter"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	wanted, err := tracker.ParseFilter(body.Filter)
	if err != nil {
		return nil, err
	}
	offset, err := pageOffset(body.Token)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, id := range body.Experiments {
		e, err := h.experiment(ctx, id)
		if err != nil {
			return nil, err
		}
		names = append(names, e.Name)
	}
	models := []map[string]any{}
	if len(names) > 0 {
		runs, err := h.db.Runs(ctx, tracker.Query{Experiments: names})
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			for key := range run.Tags {
				id, ok := strings.CutPrefix(key, modelTag)
				if !ok {
					continue
				}
				_, record, err := h.model(ctx, id)
				if err != nil {
					return nil, err
				}
				if !wanted(&tracker.RunInfo{ID: run.ID, Name: record.Name, Params: record.Params, Tags: record.Tags}) {
					continue
				}
				wire, err := h.wireModel(ctx, run, id, record)
				if err != nil {
					return nil, err
				}
				models = append(models, wire)
			}
		}
	}
	page, next := cutPage(models, offset, int(body.Max), 100)
	return map[string]any{"models": page, "next_page_token": next}, nil
}

// logOutputs names the models that a run made: they name their run already.
func (h *Handler) logOutputs(ctx context.Context, q *request) (any, error) {
	var body struct {
		Models []modelOutput `json:"models"`
	}
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	for _, m := range body.Models {
		if _, _, err := h.model(ctx, m.ID); err != nil {
			return nil, err
		}
	}
	_, err = h.find(ctx, id)
	return nil, err
}
