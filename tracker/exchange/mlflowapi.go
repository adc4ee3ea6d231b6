package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// wireRun is what is needed of MLflow's message about a run.
type wireRun struct {
	Info struct {
		RunID        string         `json:"run_id"`
		RunName      string         `json:"run_name"`
		ExperimentID string         `json:"experiment_id"`
		Status       string         `json:"status"`
		StartTime    mlflow.Integer `json:"start_time"`
		EndTime      mlflow.Integer `json:"end_time"`
		ArtifactURI  string         `json:"artifact_uri"`
	} `json:"info"`
	Data struct {
		Metrics []mlflow.Metric `json:"metrics"`
		Params  []mlflow.Pair   `json:"params"`
		Tags    []mlflow.Pair   `json:"tags"`
	} `json:"data"`
	Inputs struct {
		Datasets []mlflow.DatasetInput `json:"dataset_inputs"`
	} `json:"inputs"`
}

// wireModel is what is needed of MLflow's message about a logged model.
type wireModel struct {
	Info struct {
		ID           string         `json:"model_id"`
		ExperimentID string         `json:"experiment_id"`
		Name         string         `json:"name"`
		Type         string         `json:"model_type"`
		Created      mlflow.Integer `json:"creation_timestamp_ms"`
		Updated      mlflow.Integer `json:"last_updated_timestamp_ms"`
		ArtifactURI  string         `json:"artifact_uri"`
		Status       string         `json:"status"`
		RunID        string         `json:"source_run_id"`
		Tags         []mlflow.Pair  `json:"tags"`
	} `json:"info"`
	Data struct {
		Params []mlflow.Pair `json:"params"`
	} `json:"data"`
}

// ImportMLflowServer imports all active runs of an MLflow server, with their
// logged models, artifacts included where the server hands them out. What has
// changed there since the last import comes along. token may be empty.
func ImportMLflowServer(ctx context.Context, db *tracker.DB, base, token string) (tracker.Merged, error) {
	m, err := newMLflowServer(base, token)
	if err != nil {
		return tracker.Merged{}, err
	}
	defer m.close()
	merged, err := importing(ctx, db, func(s *staging) error { return s.addMLflowServer(m) })
	if err != nil {
		return merged, fmt.Errorf("importing from the MLflow server %s: %w", base, err)
	}
	return merged, nil
}

func (s *staging) addMLflowServer(m *mlflowServer) error {
	names := map[string]string{}
	var ids []string
	for token := ""; ; {
		var page struct {
			Experiments []struct {
				ID   string `json:"experiment_id"`
				Name string `json:"name"`
			} `json:"experiments"`
			Next string `json:"next_page_token"`
		}
		if err := m.post(s.ctx, "experiments/search", map[string]any{"max_results": 1000, "page_token": token}, &page); err != nil {
			return err
		}
		for _, e := range page.Experiments {
			names[e.ID] = e.Name
			ids = append(ids, e.ID)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	models, err := s.wireModels(m, ids)
	if err != nil {
		return fmt.Errorf("logged models: %w", err)
	}
	for token := ""; len(ids) > 0; {
		var page struct {
			Runs []wireRun `json:"runs"`
			Next string    `json:"next_page_token"`
		}
		body := map[string]any{"experiment_ids": ids, "max_results": 1000, "page_token": token, "run_view_type": "ACTIVE_ONLY"}
		if err := m.post(s.ctx, "runs/search", body, &page); err != nil {
			return err
		}
		for _, run := range page.Runs {
			if err := s.addWireRun(m, run, names[run.Info.ExperimentID], models[run.Info.RunID]); err != nil {
				return fmt.Errorf("run %s: %w", run.Info.RunID, err)
			}
		}
		if token = page.Next; token == "" {
			break
		}
	}
	for _, model := range models[""] {
		model.experiment = names[model.experiment]
		if err := s.add(model.alone()); err != nil {
			return fmt.Errorf("model %s: %w", model.id, err)
		}
	}
	return nil
}

// wireModels lists the logged models of experiments by the run that made them.
func (s *staging) wireModels(m *mlflowServer, experiments []string) (map[string][]foundModel, error) {
	found := map[string][]foundModel{}
	for token := ""; len(experiments) > 0; {
		var page struct {
			Models []wireModel `json:"models"`
			Next   string      `json:"next_page_token"`
		}
		err := m.post(s.ctx, "logged-models/search", map[string]any{"experiment_ids": experiments, "page_token": token}, &page)
		if saysCode(err, "ENDPOINT_NOT_FOUND") {
			return nil, nil // an MLflow from before logged models
		}
		if err != nil {
			return nil, err
		}
		for _, w := range page.Models {
			model := foundModel{id: w.Info.ID, experiment: w.Info.ExperimentID, Model: mlflow.Model{Name: w.Info.Name, Type: w.Info.Type,
				Status: w.Info.Status, Created: int64(w.Info.Created), Updated: int64(w.Info.Updated),
				Tags: mlflow.ToMap(w.Info.Tags), Params: mlflow.ToMap(w.Data.Params)}}
			if folder, ok := strings.CutPrefix(w.Info.ArtifactURI, "mlflow-artifacts:/"); ok {
				model.files = func(add func(string, io.Reader) error) error { return m.artifacts(s.ctx, folder, "", 0, add) }
			}
			found[w.Info.RunID] = append(found[w.Info.RunID], model)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	return found, nil
}

func (s *staging) addWireRun(m *mlflowServer, run wireRun, experiment string, models []foundModel) error {
	r := mlflowRun(run.Info.RunID, run.Info.RunName, experiment, run.Info.Status, int64(run.Info.StartTime), int64(run.Info.EndTime),
		mlflow.ToMap(run.Data.Params), mlflow.ToMap(run.Data.Tags))
	for _, d := range run.Inputs.Datasets {
		r.Inputs = append(r.Inputs, tracker.Input{Name: d.Dataset.Name, Digest: d.Dataset.Digest, Context: mlflow.ToMap(d.Tags)[mlflow.ContextTag]})
	}
	slices.SortFunc(run.Data.Metrics, func(a, b mlflow.Metric) int { return cmp.Compare(a.Key, b.Key) }) // servers list them in any order
	r.points = func(log func(string, time.Time, int64, float64) error) error {
		for _, metric := range run.Data.Metrics {
			err := m.history(s.ctx, run.Info.RunID, metric.Key, func(p mlflow.Metric) error {
				at, err := mlflowTime(int64(p.Timestamp))
				if err != nil {
					return fmt.Errorf("metric %q: %w", metric.Key, err)
				}
				return log(metric.Key, at, int64(p.Step), float64(p.Value))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if folder, ok := strings.CutPrefix(run.Info.ArtifactURI, "mlflow-artifacts:/"); ok {
		r.artifacts = func(add func(string, io.Reader) error) error { return m.artifacts(s.ctx, folder, "", 0, add) }
	}
	if err := r.addModels(models); err != nil {
		return err
	}
	return s.add(r)
}

// history calls yield for each point of a metric.
func (m *mlflowServer) history(ctx context.Context, run, key string, yield func(mlflow.Metric) error) error {
	for token := ""; ; {
		var page struct {
			Metrics []mlflow.Metric `json:"metrics"`
			Next    string          `json:"next_page_token"`
		}
		query := url.Values{"run_id": {run}, "metric_key": {key}, "max_results": {"25000"}}
		if token != "" {
			query.Set("page_token", token)
		}
		if err := m.get(ctx, "metrics/get-history", query, &page); err != nil {
			return err
		}
		for _, p := range page.Metrics {
			p.Value = mlflow.Float(mlflowValue(float64(p.Value), false))
			if err := yield(p); err != nil {
				return err
			}
		}
		if token = page.Next; token == "" {
			return nil
		}
	}
}

// artifacts adds the files of a folder of artifacts and of those within.
func (m *mlflowServer) artifacts(ctx context.Context, folder, below string, depth int, add func(string, io.Reader) error) error {
	if depth > 20 {
		return fmt.Errorf("the folders of artifacts nest deeper than 20: %s", below)
	}
	answer, err := m.do(ctx, http.MethodGet, "/api/2.0/mlflow-artifacts/artifacts?path="+url.QueryEscape(path.Join(folder, below)), nil, 0)
	if err != nil {
		return err
	}
	defer answer.Close()
	var list struct {
		Files []struct {
			Path  string `json:"path"`
			IsDir bool   `json:"is_dir"`
		} `json:"files"`
	}
	if err := json.NewDecoder(answer).Decode(&list); err != nil {
		return err
	}
	for _, f := range list.Files {
		name := path.Join(below, path.Base(f.Path))
		if f.IsDir {
			if err := m.artifacts(ctx, folder, name, depth+1, add); err != nil {
				return err
			}
			continue
		}
		content, err := m.do(ctx, http.MethodGet, "/api/2.0/mlflow-artifacts/artifacts/"+escapePath(path.Join(folder, name)), nil, 0)
		if err != nil {
			return err
		}
		err = add(name, content)
		content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
