package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

func noModel(id string) error { return notFound("No model with id=%.60s exists", id) }

// model reads a model's record and the run that it belongs to.
func (h *Handler) model(ctx context.Context, id string) (tracker.RunInfo, mlflow.Model, error) {
	run, ok := mlflow.RunOfModel(id)
	if !ok {
		return tracker.RunInfo{}, mlflow.Model{}, noModel(id)
	}
	info, err := h.find(ctx, run)
	if err != nil {
		return info, mlflow.Model{}, err
	}
	m, ok := mlflow.Models(info.ID, info.Tags)[id]
	if !ok {
		return info, m, noModel(id)
	}
	return info, m, nil
}

func (h *Handler) saveModel(ctx context.Context, run, id string, m mlflow.Model) error {
	text, err := m.Encode()
	if err != nil {
		return err
	}
	return h.db.SetTags(ctx, run, map[string]string{mlflow.ModelTag + id: text})
}

// answerModel is the answer that consists of one model.
func (h *Handler) answerModel(ctx context.Context, id string) (any, error) {
	info, m, err := h.model(ctx, id)
	if err != nil {
		return nil, err
	}
	experiment, err := h.experimentOf(ctx, info)
	return map[string]any{"model": wireModel(info.ID, experiment, id, m)}, err
}

// wireModel is a model on the wire, in the experiment of an ID.
func wireModel(run, experiment, id string, m mlflow.Model) map[string]any {
	return map[string]any{
		"info": map[string]any{
			"model_id": id, "experiment_id": experiment, "name": m.Name, "model_type": m.Type,
			"creation_timestamp_ms": m.Created, "last_updated_timestamp_ms": m.Updated,
			"artifact_uri": "mlflow-artifacts:/" + experiment + "/models/" + id + "/artifacts",
			"status":       m.Status, "source_run_id": run, "tags": mlflow.ToPairs(m.Tags),
		},
		"data": map[string]any{"params": mlflow.ToPairs(m.Params), "metrics": []any{}},
	}
}

func (h *Handler) createModel(ctx context.Context, in struct {
	experimentRef
	Name   string        `json:"name"`
	Type   string        `json:"model_type"`
	Run    string        `json:"source_run_id"`
	Params []mlflow.Pair `json:"params"`
	Tags   []mlflow.Pair `json:"tags"`
}) (any, error) {
	if err := required("experiment_id", in.ID); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = "model"
	}
	e, err := h.experiment(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Run == "" { // a model without a run gets one to belong to
		run, err := h.db.Start(ctx, tracker.Spec{Experiment: e.Name, Name: in.Name})
		if err != nil {
			return nil, badName(err)
		}
		if err := run.Finish(tracker.Finished); err != nil {
			h.began(run) // so that it can be ended later
			return nil, err
		}
		in.Run = run.ID()
	}
	now := time.Now().UnixMilli()
	id := mlflow.NewModelID(in.Run, rand.Text())
	m := mlflow.Model{Name: in.Name, Type: in.Type, Status: mlflow.ModelStatuses()[1], Created: now, Updated: now,
		Tags: mlflow.ToMap(in.Tags), Params: mlflow.ToMap(in.Params)}
	err = h.change(ctx, in.Run, func(info tracker.RunInfo) error {
		if info.Experiment != e.Name {
			return invalid("the run %s is not in the experiment %s", in.Run, in.ID)
		}
		return h.saveModel(ctx, in.Run, id, m)
	})
	if err != nil {
		return nil, err
	}
	return h.answerModel(ctx, id)
}

func (h *Handler) getModel(ctx context.Context, q *request) (any, error) {
	id := q.path("model")
	_, m, err := h.model(ctx, id)
	if err == nil && m.Deleted && !slices.Contains(q.query["allow_deleted"], "true") {
		err = noModel(id)
	}
	if err != nil {
		return nil, err
	}
	return h.answerModel(ctx, id)
}

// changeModel edits a record.
func (h *Handler) changeModel(ctx context.Context, q *request, change func(*mlflow.Model) error) (any, error) {
	id := q.path("model")
	run, ok := mlflow.RunOfModel(id)
	if !ok {
		return nil, noModel(id)
	}
	// One edit at a time: a record is read, changed and written.
	o := h.hold(run)
	defer h.let(run, o)
	o.models.Lock()
	defer o.models.Unlock()
	_, m, err := h.model(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := change(&m); err != nil {
		return nil, err
	}
	m.Updated = time.Now().UnixMilli()
	err = h.change(ctx, run, func(tracker.RunInfo) error { return h.saveModel(ctx, run, id, m) })
	if err != nil {
		return nil, err
	}
	return h.answerModel(ctx, id)
}

func (h *Handler) finalizeModel(ctx context.Context, q *request) (any, error) {
	return h.changeModel(ctx, q, func(m *mlflow.Model) error {
		var in struct {
			Status any `json:"status"` // a name, or protobuf's number
		}
		if err := q.into(&in); err != nil {
			return err
		}
		if in.Status == nil {
			return missing("status")
		}
		known := mlflow.ModelStatuses()
		status := fmt.Sprint(in.Status)
		if n, ok := in.Status.(float64); ok && n >= 0 && int(n) < len(known) {
			status = known[int(n)]
		}
		if !slices.Contains(known, status) {
			return invalid("Invalid model status %.60q", status)
		}
		m.Status = status
		return nil
	})
}

func (h *Handler) deleteModel(ctx context.Context, q *request) (any, error) {
	_, err := h.changeModel(ctx, q, func(m *mlflow.Model) error { m.Deleted = true; return nil })
	return nil, err
}

func (h *Handler) tagModel(ctx context.Context, q *request) (any, error) {
	return h.changeModel(ctx, q, func(m *mlflow.Model) error {
		var in struct {
			Tags []mlflow.Pair `json:"tags"`
		}
		err := q.into(&in)
		maps.Copy(m.Tags, mlflow.ToMap(in.Tags))
		return err
	})
}

func (h *Handler) untagModel(ctx context.Context, q *request) (any, error) {
	_, err := h.changeModel(ctx, q, func(m *mlflow.Model) error {
		key := q.path("tag")
		if _, ok := m.Tags[key]; !ok {
			return notFound("No tag with key %.60q exists for that model", key)
		}
		delete(m.Tags, key)
		return nil
	})
	return nil, err
}

func (h *Handler) paramModel(ctx context.Context, q *request) (any, error) {
	return h.changeModel(ctx, q, func(m *mlflow.Model) error {
		var in struct {
			Params []mlflow.Pair `json:"params"`
		}
		err := q.into(&in)
		maps.Copy(m.Params, mlflow.ToMap(in.Params))
		return err
	})
}

// searchModels lists the models of experiments, the latest first.
func (h *Handler) searchModels(ctx context.Context, in struct {
	Experiments []string        `json:"experiment_ids"`
	Max         *mlflow.Integer `json:"max_results"`
	Token       string          `json:"page_token"`
	Filter      string          `json:"filter"`
}) (any, error) {
	if in.Experiments == nil {
		return nil, missing("experiment_ids")
	}
	limit, err := pageSize(in.Max, 100, 50000)
	if err != nil {
		return nil, err
	}
	wanted, err := tracker.ParseFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	offset, err := pageOffset(in.Token)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{} // by the experiment's name
	for _, id := range in.Experiments {
		e, err := h.experiment(ctx, id)
		if err != nil {
			return nil, err
		}
		ids[e.Name] = experimentID(e)
	}
	models := []map[string]any{}
	if len(ids) > 0 {
		runs, err := h.db.Runs(ctx, tracker.Query{Experiments: slices.Collect(maps.Keys(ids))})
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			found := mlflow.Models(run.ID, run.Tags)
			ordered := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
				return cmp.Or(cmp.Compare(found[b].Created, found[a].Created), cmp.Compare(a, b))
			})
			for _, id := range ordered {
				m := found[id]
				if !m.Deleted && wanted(&tracker.RunInfo{ID: run.ID, Name: m.Name, Params: m.Params, Tags: m.Tags}) {
					models = append(models, wireModel(run.ID, ids[run.Experiment], id, m))
				}
			}
		}
	}
	page, next := cutPage(models, offset, limit)
	return map[string]any{"models": page, "next_page_token": next}, nil
}

// logOutputs names the models that a run made: they name their run already.
func (h *Handler) logOutputs(ctx context.Context, in struct {
	runRef
	Models []modelOutput `json:"models"`
}) (any, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if in.Models == nil {
		return nil, missing("models")
	}
	for _, m := range in.Models {
		if _, _, err := h.model(ctx, m.ID); err != nil {
			return nil, err
		}
	}
	_, err = h.find(ctx, id)
	return nil, err
}
