package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"patchlab/tracker"
)

// mlflowServer speaks to an MLflow tracking server.
type mlflowServer struct {
	base   string // such as http://127.0.0.1:5000
	token  string // sent as a bearer token where not empty
	client *http.Client
}

func newMLflowServer(base, token string) (*mlflowServer, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the server's address %q is not of the form http://HOST:PORT", base)
	}
	return &mlflowServer{strings.TrimSuffix(base, "/"), token, &http.Client{Timeout: 5 * time.Minute}}, nil
}

// mlflowError is an error that the server reported.
type mlflowError struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (e *mlflowError) Error() string { return e.Code + ": " + e.Message }

func (m *mlflowServer) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, m.base+path, body)
	if err != nil {
		return nil, err
	}
	if m.token != "" {
		request.Header.Set("Authorization", "Bearer "+m.token)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := m.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		return response.Body, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	var said mlflowError
	if json.Unmarshal(text, &said) == nil && said.Code != "" {
		return nil, &said
	}
	return nil, fmt.Errorf("%s %s: %s", method, path, response.Status)
}

// call sends a request as JSON, or as a query where body is url.Values, and
// reads the answer into out.
func (m *mlflowServer) call(ctx context.Context, endpoint string, body, out any) error {
	endpoint = "/api/2.0/mlflow/" + endpoint
	var answer io.ReadCloser
	var err error
	if query, ok := body.(url.Values); ok {
		answer, err = m.do(ctx, http.MethodGet, endpoint+"?"+query.Encode(), nil)
	} else {
		var text []byte
		if text, err = json.Marshal(body); err == nil {
			answer, err = m.do(ctx, http.MethodPost, endpoint, bytes.NewReader(text))
		}
	}
	if err != nil {
		return err
	}
	defer answer.Close()
	return json.NewDecoder(answer).Decode(out)
}

// The parts of MLflow's messages that are needed. Its JSON carries int64 as a
// number or as a text, and NaN and infinities as texts.
type (
	pair struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	wireMetric struct {
		Key       string      `json:"key"`
		Value     wireFloat   `json:"value"`
		Timestamp json.Number `json:"timestamp"`
		Step      json.Number `json:"step"`
	}
	wireRun struct {
		Info struct {
			RunID        string      `json:"run_id"`
			RunName      string      `json:"run_name"`
			ExperimentID string      `json:"experiment_id"`
			Status       string      `json:"status"`
			StartTime    json.Number `json:"start_time"`
			EndTime      json.Number `json:"end_time"`
			ArtifactURI  string      `json:"artifact_uri"`
		} `json:"info"`
		Data struct {
			Metrics []wireMetric `json:"metrics"`
			Params  []pair       `json:"params"`
			Tags    []pair       `json:"tags"`
		} `json:"data"`
		Inputs struct {
			Datasets []struct {
				Tags    []pair `json:"tags"`
				Dataset struct {
					Name   string `json:"name"`
					Digest string `json:"digest"`
				} `json:"dataset"`
			} `json:"dataset_inputs"`
		} `json:"inputs"`
	}
)

// wireFloat is a number, or one of "NaN", "Infinity", "-Infinity".
type wireFloat float64

func (f *wireFloat) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	*f = wireFloat(v)
	return err
}

func (f wireFloat) MarshalJSON() ([]byte, error) { return number(f).MarshalJSON() }

// ImportMLflowServer imports all active runs of an MLflow server, artifacts
// included where the server hands them out. token may be empty.
func ImportMLflowServer(ctx context.Context, db *tracker.DB, base, token string) (tracker.Merged, error) {
	m, err := newMLflowServer(base, token)
	if err != nil {
		return tracker.Merged{}, err
	}
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
		if err := m.call(s.ctx, "experiments/search", map[string]any{"max_results": 1000, "page_token": token}, &page); err != nil {
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
	for token := ""; len(ids) > 0; {
		var page struct {
			Runs []wireRun `json:"runs"`
			Next string    `json:"next_page_token"`
		}
		body := map[string]any{"experiment_ids": ids, "max_results": 1000, "page_token": token, "run_view_type": "ACTIVE_ONLY"}
		if err := m.call(s.ctx, "runs/search", body, &page); err != nil {
			return err
		}
		for _, run := range page.Runs {
			if err := s.addWireRun(m, run, names[run.Info.ExperimentID]); err != nil {
				return fmt.Errorf("run %s: %w", run.Info.RunID, err)
			}
		}
		if token = page.Next; token == "" {
			break
		}
	}
	return nil
}

func (s *staging) addWireRun(m *mlflowServer, run wireRun, experiment string) error {
	start, _ := run.Info.StartTime.Int64()
	end, _ := run.Info.EndTime.Int64()
	r := mlflowRun(run.Info.RunID, run.Info.RunName, experiment, run.Info.Status, start, end, toMap(run.Data.Params), toMap(run.Data.Tags))
	for _, d := range run.Inputs.Datasets {
		r.Inputs = append(r.Inputs, tracker.Input{Name: d.Dataset.Name, Digest: d.Dataset.Digest, Context: toMap(d.Tags)["mlflow.data.context"]})
	}
	r.points = func(log func(string, time.Time, int64, float64) error) error {
		for _, metric := range run.Data.Metrics {
			if err := m.history(s.ctx, run.Info.RunID, metric.Key, log); err != nil {
				return err
			}
		}
		return nil
	}
	if folder, ok := strings.CutPrefix(run.Info.ArtifactURI, "mlflow-artifacts:/"); ok {
		r.artifacts = func(add func(string, io.Reader) error) error { return m.artifacts(s.ctx, folder, "", 0, add) }
	}
	return s.add(r)
}

func toMap(pairs []pair) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

func (m *mlflowServer) history(ctx context.Context, run, key string, log func(string, time.Time, int64, float64) error) error {
	for token := ""; ; {
		var page struct {
			Metrics []wireMetric `json:"metrics"`
			Next    string       `json:"next_page_token"`
		}
		query := url.Values{"run_id": {run}, "metric_key": {key}, "max_results": {"25000"}}
		if token != "" {
			query.Set("page_token", token)
		}
		if err := m.call(ctx, "metrics/get-history", query, &page); err != nil {
			return err
		}
		for _, p := range page.Metrics {
			at, _ := p.Timestamp.Int64()
			step, _ := p.Step.Int64()
			if err := log(key, time.UnixMilli(at), step, mlflowValue(float64(p.Value), math.IsNaN(float64(p.Value)))); err != nil {
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
	answer, err := m.do(ctx, http.MethodGet, "/api/2.0/mlflow-artifacts/artifacts?path="+url.QueryEscape(path.Join(folder, below)), nil)
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
		content, err := m.do(ctx, http.MethodGet, "/api/2.0/mlflow-artifacts/artifacts/"+escapePath(path.Join(folder, name)), nil)
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

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
