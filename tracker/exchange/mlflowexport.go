package exchange

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// idTag marks the copy of a run, or of a logged model, on an MLflow server, so
// that exporting again does not make another. digestTag says which content the
// copy has; it is set last, so that a copy without it is known to lack some.
const (
	idTag     = "patchlab.id"
	digestTag = "patchlab.digest"
)

// ExportMLflow copies runs to an MLflow server: parents, environment, logged
// models and artifacts included, where the server takes them. A copy that is
// there already is brought up to date; skipped counts those that were. MLflow
// counts time in milliseconds: microseconds are cut off.
func ExportMLflow(ctx context.Context, db *tracker.DB, runs []tracker.RunInfo, base, token string) (sent, skipped int, err error) {
	m, err := newMLflowServer(base, token)
	if err != nil {
		return 0, 0, err
	}
	defer m.close()
	e := exporting{ctx: ctx, db: db, server: m}
	for _, run := range parentsFirst(runs) {
		fresh, err := e.export(run)
		if err != nil {
			return sent, skipped, fmt.Errorf("exporting run %s to %s: %w", run.ID, base, err)
		}
		if fresh {
			sent++
		} else {
			skipped++
		}
	}
	return sent, skipped, nil
}

// parentsFirst orders runs so that none comes before its parent.
func parentsFirst(runs []tracker.RunInfo) []tracker.RunInfo {
	byID := map[string]tracker.RunInfo{}
	for _, r := range runs {
		byID[r.ID] = r
	}
	depth := func(r tracker.RunInfo) (n int) {
		for ; r.Parent != "" && n < len(runs); n++ { // whatever circles there may be
			r = byID[r.Parent]
		}
		return n
	}
	return slices.SortedStableFunc(slices.Values(runs), func(a, b tracker.RunInfo) int { return cmp.Compare(depth(a), depth(b)) })
}

// exporting is one export.
type exporting struct {
	ctx    context.Context
	db     *tracker.DB
	server *mlflowServer
}

// experiment finds or makes the experiment of a name.
func (e *exporting) experiment(name string) (string, error) {
	var found struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		} `json:"experiment"`
	}
	err := e.server.get(e.ctx, "experiments/get-by-name", url.Values{"experiment_name": {name}}, &found)
	if !saysCode(err, "RESOURCE_DOES_NOT_EXIST") {
		return found.Experiment.ID, err
	}
	var made struct {
		ID string `json:"experiment_id"`
	}
	err = e.server.post(e.ctx, "experiments/create", map[string]any{"name": name}, &made)
	return made.ID, err
}

// copyOf finds the copy of a run in an experiment.
func (e *exporting) copyOf(id, experiment string) (there wireRun, found bool, err error) {
	var page struct {
		Runs []wireRun `json:"runs"`
	}
	err = e.server.post(e.ctx, "runs/search", map[string]any{"experiment_ids": []string{experiment}, "max_results": 1,
		"filter": "tags.`" + idTag + "` = '" + id + "'"}, &page)
	if err != nil || len(page.Runs) == 0 {
		return there, false, err
	}
	return page.Runs[0], true, nil
}

// parentOf is the ID of the copy of a run's parent, "" where there is none.
func (e *exporting) parentOf(run tracker.RunInfo) (string, error) {
	if run.Parent == "" {
		return "", nil
	}
	parent, found, err := (&staging{ctx: e.ctx, target: e.db}).here(run.Parent)
	if err != nil || !found {
		return "", err
	}
	experiment, err := e.experiment(parent.Experiment)
	if err != nil {
		return "", err
	}
	there, _, err := e.copyOf(parent.ID, experiment)
	return there.Info.RunID, err
}

// export copies a run, or brings its copy up to date.
func (e *exporting) export(run tracker.RunInfo) (fresh bool, err error) {
	experiment, err := e.experiment(run.Experiment)
	if err != nil {
		return false, err
	}
	there, found, err := e.copyOf(run.ID, experiment)
	if err != nil {
		return false, err
	}
	if !found {
		there, err = e.begin(run, experiment)
	} else if run.Digest != "" && mlflow.ToMap(there.Data.Tags)[digestTag] == run.Digest {
		return false, nil
	} else {
		err = e.update(there.Info.RunID, map[string]any{"status": "RUNNING", "run_name": run.Name})
	}
	if err != nil {
		return false, err
	}
	id := there.Info.RunID
	tags := shared(run.Tags)
	if run.Note != "" {
		tags[mlflow.NoteTag] = run.Note
	}
	if err := e.batches(id, "params", mlflow.ToPairs(run.Params)); err != nil {
		return false, err
	}
	if err := e.batches(id, "tags", mlflow.ToPairs(tags)); err != nil {
		return false, err
	}
	if err := e.points(run, there); err != nil {
		return false, err
	}
	if err := e.inputs(run, there); err != nil {
		return false, err
	}
	artifacts, err := e.db.Artifacts(e.ctx, run.ID)
	if err != nil {
		return false, err
	}
	if err := e.models(run, id, experiment, artifacts); err != nil {
		return false, err
	}
	if err := e.upload(run.ID, there.Info.ArtifactURI, "", artifacts); err != nil {
		return false, err
	}
	end := map[string]any{"status": mlflowName(run.Status)}
	if !run.End.IsZero() {
		end["end_time"] = run.End.UnixMilli()
	}
	if err := e.update(id, end); err != nil || run.Digest == "" {
		return true, err
	}
	return true, e.batches(id, "tags", []mlflow.Pair{{Key: digestTag, Value: run.Digest}})
}

// begin makes the copy of a run.
func (e *exporting) begin(run tracker.RunInfo, experiment string) (wireRun, error) {
	tags := map[string]string{idTag: run.ID}
	parent, err := e.parentOf(run)
	if err != nil {
		return wireRun{}, err
	}
	if parent != "" {
		tags[mlflow.ParentTag] = parent
	}
	for key, value := range run.Environment {
		tags[mlflow.EnvironmentTag+key] = value
	}
	var made struct {
		Run wireRun `json:"run"`
	}
	err = e.server.post(e.ctx, "runs/create", map[string]any{"experiment_id": experiment, "run_name": run.Name,
		"start_time": run.Start.UnixMilli(), "tags": mlflow.ToPairs(tags)}, &made)
	return made.Run, err
}

// shared are the tags that go along: not those that describe the copy here.
func shared(tags map[string]string) map[string]string {
	out := maps.Clone(tags)
	maps.DeleteFunc(out, func(key, _ string) bool {
		return mlflow.Reserved(key) || key == idTag || key == digestTag || key == sourceTag
	})
	return out
}

func (e *exporting) update(id string, fields map[string]any) error {
	fields["run_id"] = id
	return e.server.post(e.ctx, "runs/update", fields, nil)
}

func mlflowName(status tracker.Status) string {
	if status == tracker.Crashed {
		status = tracker.Failed
	}
	return strings.ToUpper(status.String())
}

func (e *exporting) batches(id, kind string, pairs []mlflow.Pair) error {
	for chunk := range slices.Chunk(pairs, 100) {
		if err := e.server.post(e.ctx, "runs/log-batch", map[string]any{"run_id": id, kind: chunk}, nil); err != nil {
			return err
		}
	}
	return nil
}

// points sends those points that the copy has not.
func (e *exporting) points(run tracker.RunInfo, there wireRun) error {
	has := map[string]bool{}
	for _, m := range there.Data.Metrics {
		has[m.Key] = true
	}
	type place struct {
		step, at int64
		value    uint64
	}
	at := func(m mlflow.Metric) place {
		v := float64(m.Value)
		if math.IsNaN(v) {
			v = math.NaN() // of many NaNs one
		}
		return place{int64(m.Step), int64(m.Timestamp), math.Float64bits(v)}
	}
	for _, key := range sortedKeys(run.Metrics) {
		points, err := e.db.History(e.ctx, run.ID, key)
		if err != nil {
			return err
		}
		known := map[place]int{}
		if has[key] {
			err := e.server.history(e.ctx, there.Info.RunID, key, func(m mlflow.Metric) error { known[at(m)]++; return nil })
			if err != nil {
				return err
			}
		}
		var metrics []mlflow.Metric
		for _, p := range points {
			m := mlflow.Metric{Key: key, Value: mlflow.Float(p.Value), Timestamp: mlflow.Integer(p.Time.UnixMilli()), Step: mlflow.Integer(p.Step)}
			if known[at(m)] > 0 {
				known[at(m)]--
				continue
			}
			metrics = append(metrics, m)
		}
		for chunk := range slices.Chunk(metrics, 1000) { // as many as MLflow takes at once
			if err := e.server.post(e.ctx, "runs/log-batch", map[string]any{"run_id": there.Info.RunID, "metrics": chunk}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exporting) inputs(run tracker.RunInfo, there wireRun) error {
	var datasets []mlflow.DatasetInput
	for _, i := range run.Inputs {
		input := mlflow.Input(i.Name, i.Digest, i.Context)
		known := slices.ContainsFunc(there.Inputs.Datasets, func(d mlflow.DatasetInput) bool {
			return d.Dataset.Name == i.Name && d.Dataset.Digest == i.Digest && mlflow.ToMap(d.Tags)[mlflow.ContextTag] == i.Context
		})
		if !known {
			datasets = append(datasets, input)
		}
	}
	if len(datasets) == 0 {
		return nil
	}
	return e.server.post(e.ctx, "runs/log-inputs", map[string]any{"run_id": there.Info.RunID, "datasets": datasets}, nil)
}

// models copies the logged models of a run; artifacts are all that it has.
func (e *exporting) models(run tracker.RunInfo, id, experiment string, artifacts []tracker.Artifact) error {
	for modelID, model := range mlflow.Models(run.ID, run.Tags) {
		if model.Deleted {
			continue
		}
		if err := e.model(run.ID, modelID, model, id, experiment, artifacts); err != nil {
			return fmt.Errorf("model %s: %w", modelID, err)
		}
	}
	return nil
}

func (e *exporting) model(run, modelID string, model mlflow.Model, id, experiment string, artifacts []tracker.Artifact) error {
	var page struct {
		Models []wireModel `json:"models"`
	}
	err := e.server.post(e.ctx, "logged-models/search", map[string]any{"experiment_ids": []string{experiment}, "max_results": 1,
		"filter": "tags.`" + idTag + "` = '" + modelID + "'"}, &page)
	if saysCode(err, "ENDPOINT_NOT_FOUND") {
		return fmt.Errorf("the server keeps no logged models, as MLflow does from version 3 on: %w", err)
	}
	if err != nil {
		return err
	}
	var there struct {
		Model wireModel `json:"model"`
	}
	if len(page.Models) > 0 {
		there.Model = page.Models[0]
	} else {
		tags := maps.Clone(model.Tags)
		tags[idTag] = modelID
		err := e.server.post(e.ctx, "logged-models", map[string]any{"experiment_id": experiment, "name": model.Name, "model_type": model.Type,
			"source_run_id": id, "tags": mlflow.ToPairs(tags)}, &there)
		if err != nil {
			return err
		}
		err = e.server.post(e.ctx, "runs/outputs", map[string]any{"run_id": id, "models": []map[string]any{{"model_id": there.Model.Info.ID, "step": 0}}}, nil)
		if err != nil {
			return err
		}
	}
	endpoint := "logged-models/" + url.PathEscape(there.Model.Info.ID)
	if there.Model.Info.Status == model.Status && model.Status == mlflow.ModelReady {
		return nil // it was finished after all of it was there
	}
	for chunk := range slices.Chunk(mlflow.ToPairs(model.Params), 100) {
		if err := e.server.post(e.ctx, endpoint+"/params", map[string]any{"model_id": there.Model.Info.ID, "params": chunk}, nil); err != nil {
			return err
		}
	}
	if err := e.upload(run, there.Model.Info.ArtifactURI, modelID, artifacts); err != nil {
		return err
	}
	number := slices.Index(mlflow.ModelStatuses(), model.Status)
	if number < 2 { // pending, as it is there
		return nil
	}
	return e.server.call(e.ctx, http.MethodPatch, endpoint, map[string]any{"model_id": there.Model.Info.ID, "status": number}, nil)
}

// upload sends artifacts, where the server keeps them itself: those of a model,
// or those of the run itself where model is empty.
func (e *exporting) upload(run, uri, model string, artifacts []tracker.Artifact) error {
	folder, ok := strings.CutPrefix(uri, "mlflow-artifacts:/")
	if !ok {
		return nil
	}
	for _, a := range artifacts {
		of, name, ofModel := mlflow.ModelOf(a.Name)
		if !ofModel {
			name = a.Name
		}
		if of != model {
			continue
		}
		content, err := e.db.OpenArtifact(e.ctx, run, a.Name)
		if err != nil {
			return err
		}
		to := "/api/2.0/mlflow-artifacts/artifacts/" + escapePath(path.Join(folder, name))
		answer, err := e.server.do(e.ctx, http.MethodPut, to, content, a.Size) // which closes it
		if err != nil {
			return fmt.Errorf("artifact %q: %w", a.Name, err)
		}
		answer.Close()
	}
	return nil
}
