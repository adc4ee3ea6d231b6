package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// idTag marks the copy of a run on an MLflow server, so that exporting again
// does not make another.
const idTag = "patchlab.id"

// ExportMLflow copies runs to an MLflow server, artifacts included where the
// server takes them. Runs that it has already are left as they are; skipped
// counts them. MLflow counts time in milliseconds: microseconds are cut off.
func ExportMLflow(ctx context.Context, db *tracker.DB, runs []tracker.RunInfo, base, token string) (sent, skipped int, err error) {
	m, err := newMLflowServer(base, token)
	if err != nil {
		return 0, 0, err
	}
	for _, run := range runs {
		fresh, err := m.export(ctx, db, run)
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

// experiment finds or makes the experiment of a name.
func (m *mlflowServer) experiment(ctx context.Context, name string) (string, error) {
	var found struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		} `json:"experiment"`
	}
	err := m.call(ctx, "experiments/get-by-name", url.Values{"experiment_name": {name}}, &found)
	if err == nil {
		return found.Experiment.ID, nil
	}
	var said *mlflowError
	if !errors.As(err, &said) || said.Code != "RESOURCE_DOES_NOT_EXIST" {
		return "", err
	}
	var made struct {
		ID string `json:"experiment_id"`
	}
	err = m.call(ctx, "experiments/create", map[string]any{"name": name}, &made)
	return made.ID, err
}

func (m *mlflowServer) export(ctx context.Context, db *tracker.DB, run tracker.RunInfo) (fresh bool, err error) {
	experiment, err := m.experiment(ctx, run.Experiment)
	if err != nil {
		return false, err
	}
	var there struct {
		Runs []wireRun `json:"runs"`
	}
	err = m.call(ctx, "runs/search", map[string]any{"experiment_ids": []string{experiment}, "max_results": 1,
		"filter": "tags.`" + idTag + "` = '" + run.ID + "' and attributes.status != 'RUNNING'"}, &there)
	if err != nil || len(there.Runs) > 0 {
		return false, err
	}
	var made struct {
		Run wireRun `json:"run"`
	}
	err = m.call(ctx, "runs/create", map[string]any{"experiment_id": experiment, "run_name": run.Name,
		"start_time": run.Start.UnixMilli()}, &made)
	if err != nil {
		return false, err
	}
	id := made.Run.Info.RunID
	tags := maps.Clone(run.Tags)
	tags[idTag] = run.ID
	if run.Note != "" {
		tags["mlflow.note.content"] = run.Note
	}
	if err := m.batches(ctx, id, "params", toPairs(run.Params)); err != nil {
		return false, err
	}
	if err := m.batches(ctx, id, "tags", toPairs(tags)); err != nil {
		return false, err
	}
	for _, key := range sortedKeys(run.Metrics) {
		points, err := db.History(ctx, run.ID, key)
		if err != nil {
			return false, err
		}
		metrics := make([]wireMetric, len(points))
		for i, p := range points {
			metrics[i] = wireMetric{key, wireFloat(p.Value), json.Number(strconv.FormatInt(p.Time.UnixMilli(), 10)),
				json.Number(strconv.FormatInt(p.Step, 10))}
		}
		for len(metrics) > 0 {
			n := min(len(metrics), 1000) // as many as MLflow takes at once
			if err := m.call(ctx, "runs/log-batch", map[string]any{"run_id": id, "metrics": metrics[:n]}, &struct{}{}); err != nil {
				return false, err
			}
			metrics = metrics[n:]
		}
	}
	if err := m.inputs(ctx, id, run.Inputs); err != nil {
		return false, err
	}
	if err := m.upload(ctx, db, run.ID, made.Run.Info.ArtifactURI); err != nil {
		return false, err
	}
	end := map[string]any{"run_id": id, "status": mlflowName(run.Status)}
	if !run.End.IsZero() {
		end["end_time"] = run.End.UnixMilli()
	}
	return true, m.call(ctx, "runs/update", end, &struct{}{})
}

func mlflowName(status tracker.Status) string {
	if status == tracker.Crashed {
		status = tracker.Failed
	}
	return strings.ToUpper(status.String())
}

func toPairs(fields map[string]string) []pair {
	pairs := make([]pair, 0, len(fields))
	for _, key := range sortedKeys(fields) {
		pairs = append(pairs, pair{key, fields[key]})
	}
	return pairs
}

func (m *mlflowServer) batches(ctx context.Context, id, kind string, pairs []pair) error {
	for len(pairs) > 0 {
		n := min(len(pairs), 100)
		if err := m.call(ctx, "runs/log-batch", map[string]any{"run_id": id, kind: pairs[:n]}, &struct{}{}); err != nil {
			return err
		}
		pairs = pairs[n:]
	}
	return nil
}

func (m *mlflowServer) inputs(ctx context.Context, id string, inputs []tracker.Input) error {
	var datasets []map[string]any
	for _, i := range inputs {
		entry := map[string]any{"dataset": map[string]string{"name": i.Name, "digest": i.Digest, "source_type": "local", "source": "{}"}}
		if i.Context != "" {
			entry["tags"] = []pair{{"mlflow.data.context", i.Context}}
		}
		datasets = append(datasets, entry)
	}
	if len(datasets) == 0 {
		return nil
	}
	return m.call(ctx, "runs/log-inputs", map[string]any{"run_id": id, "datasets": datasets}, &struct{}{})
}

// upload sends the artifacts, where the server keeps them itself.
func (m *mlflowServer) upload(ctx context.Context, db *tracker.DB, run, uri string) error {
	folder, ok := strings.CutPrefix(uri, "mlflow-artifacts:/")
	if !ok {
		return nil
	}
	artifacts, err := db.Artifacts(ctx, run)
	if err != nil {
		return err
	}
	for _, a := range artifacts {
		content, err := db.OpenArtifact(ctx, run, a.Name)
		if err != nil {
			return err
		}
		answer, err := m.do(ctx, http.MethodPut, "/api/2.0/mlflow-artifacts/artifacts/"+escapePath(path.Join(folder, a.Name)), content) // which closes it
		if err != nil {
			return fmt.Errorf("artifact %q: %w", a.Name, err)
		}
		answer.Close()
	}
	return nil
}
