package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"patchlab/tracker"
)

// modelTag begins the tags in which records of logged models are kept; they
// are not shown as tags.
const modelTag = "patchlab.model."

// Tags in which MLflow keeps what is a field of a run here.
const (
	nameTag   = "mlflow.runName"
	noteTag   = "mlflow.note.content"
	parentTag = "mlflow.parentRunId"
	userTag   = "mlflow.user"
)

type (
	runInfo struct {
		RunID      string `json:"run_id"`
		RunUUID    string `json:"run_uuid"`
		Name       string `json:"run_name"`
		Experiment string `json:"experiment_id"`
		User       string `json:"user_id"`
		Status     string `json:"status"`
		Start      int64  `json:"start_time"`
		End        int64  `json:"end_time,omitempty"`
		Artifacts  string `json:"artifact_uri"`
		Stage      string `json:"lifecycle_stage"`
	}
	wireMetric struct {
		Key       string  `json:"key"`
		Value     float   `json:"value"`
		Timestamp integer `json:"timestamp"`
		Step      integer `json:"step"`
	}
	runData struct {
		Metrics []wireMetric `json:"metrics"`
		Params  []pair       `json:"params"`
		Tags    []pair       `json:"tags"`
	}
	dataset struct {
		Name       string `json:"name"`
		Digest     string `json:"digest"`
		SourceType string `json:"source_type"`
		Source     string `json:"source"`
	}
	datasetInput struct {
		Tags    []pair  `json:"tags"`
		Dataset dataset `json:"dataset"`
	}
	modelOutput struct {
		ID   string `json:"model_id"`
		Step int64  `json:"step"`
	}
	wireRun struct {
		Info   runInfo `json:"info"`
		Data   runData `json:"data"`
		Inputs struct {
			Datasets []datasetInput `json:"dataset_inputs"`
		} `json:"inputs"`
		Outputs struct {
			Models []modelOutput `json:"model_outputs"`
		} `json:"outputs"`
	}
)

var statusNames = map[tracker.Status]string{tracker.Running: "RUNNING", tracker.Finished: "FINISHED", tracker.Failed: "FAILED",
	tracker.Killed: "KILLED", tracker.Crashed: "FAILED"}

// toRun is a run on the wire, in the experiment of an ID.
func toRun(r tracker.RunInfo, experiment string) wireRun {
	w := wireRun{Info: runInfo{RunID: r.ID, RunUUID: r.ID, Name: r.Name, Experiment: experiment, User: r.Tags[userTag],
		Status: statusNames[r.Status], Start: r.Start.UnixMilli(), Artifacts: "mlflow-artifacts:/" + experiment + "/" + r.ID + "/artifacts",
		Stage: stage(r.Deleted)}}
	if !r.End.IsZero() {
		w.Info.End = r.End.UnixMilli()
	}
	w.Data.Params = toPairs(r.Params, "")
	w.Data.Tags = append(toPairs(r.Tags, modelTag), pair{nameTag, r.Name})
	if r.Note != "" {
		w.Data.Tags = append(w.Data.Tags, pair{noteTag, r.Note})
	}
	if r.Parent != "" {
		w.Data.Tags = append(w.Data.Tags, pair{parentTag, r.Parent})
	}
	w.Data.Metrics = make([]wireMetric, 0, len(r.Metrics))
	for key, m := range r.Metrics {
		w.Data.Metrics = append(w.Data.Metrics, wireMetric{key, float(m.Value), integer(m.Time.UnixMilli()), integer(m.Step)})
	}
	w.Inputs.Datasets = []datasetInput{}
	for _, i := range r.Inputs {
		d := datasetInput{Tags: []pair{}, Dataset: dataset{Name: i.Name, Digest: i.Digest, SourceType: "local", Source: "{}"}}
		if i.Context != "" {
			d.Tags = []pair{{"mlflow.data.context", i.Context}}
		}
		w.Inputs.Datasets = append(w.Inputs.Datasets, d)
	}
	w.Outputs.Models = []modelOutput{}
	for key := range r.Tags {
		if id, ok := strings.CutPrefix(key, modelTag); ok {
			w.Outputs.Models = append(w.Outputs.Models, modelOutput{ID: id})
		}
	}
	return w
}

// answerRun is the answer that consists of one run.
func (h *Handler) answerRun(ctx context.Context, id string) (any, error) {
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	experiment, err := h.experimentOf(ctx, info)
	if err != nil {
		return nil, err
	}
	return map[string]any{"run": toRun(info, experiment), "run_info": toRun(info, experiment).Info}, nil
}

func (h *Handler) experimentOf(ctx context.Context, info tracker.RunInfo) (string, error) {
	all, err := h.db.Experiments(ctx)
	for _, e := range all {
		if e.Name == info.Experiment {
			return experimentID(e), err
		}
	}
	return "", err
}

func (h *Handler) createRun(ctx context.Context, q *request) (any, error) {
	var body struct {
		Experiment string  `json:"experiment_id"`
		User       string  `json:"user_id"`
		Name       string  `json:"run_name"`
		Start      integer `json:"start_time"`
		Tags       []pair  `json:"tags"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	if body.Experiment == "" {
		body.Experiment = defaultID
	}
	e, err := h.experiment(ctx, body.Experiment)
	if err != nil {
		return nil, err
	}
	if e.Deleted {
		return nil, invalid("The experiment %s must be in the 'active' state.", body.Experiment)
	}
	tags := toMap(body.Tags)
	spec := tracker.Spec{Experiment: e.Name, Name: body.Name, Parent: tags[parentTag]}
	if spec.Name == "" {
		spec.Name = tags[nameTag]
	}
	if body.Start != 0 { // a client may leave it out
		spec.Start = time.UnixMilli(int64(body.Start))
	}
	note := tags[noteTag]
	for _, key := range []string{nameTag, noteTag, parentTag} {
		delete(tags, key)
	}
	if body.User != "" {
		tags[userTag] = body.User
	}
	spec.Tags = tags
	run, err := h.db.Start(ctx, spec)
	if err != nil {
		return nil, badName(err)
	}
	h.mu.Lock()
	h.writing[run.ID()] = run
	h.mu.Unlock()
	if note != "" {
		if err := run.SetNote(note); err != nil {
			return nil, err
		}
	}
	return h.answerRun(ctx, run.ID())
}

// badName turns what the tracker says of names and values into the client's fault.
func badName(err error) error {
	if err != nil && (strings.Contains(err.Error(), "the name ") || strings.Contains(err.Error(), "a name is empty") ||
		strings.Contains(err.Error(), "not valid UTF-8") || strings.Contains(err.Error(), "cannot become")) {
		return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", err.Error()}
	}
	return err
}

func (h *Handler) getRun(ctx context.Context, q *request) (any, error) {
	id, err := runID(q)
	if err != nil {
		return nil, err
	}
	return h.answerRun(ctx, id)
}

// runID is the run that a request names; old clients say run_uuid.
func runID(q *request) (string, error) {
	var body struct {
		ID   string `json:"run_id"`
		UUID string `json:"run_uuid"`
	}
	err := q.into(&body)
	if body.ID == "" {
		body.ID = body.UUID
	}
	if err == nil && body.ID == "" {
		err = invalid("Missing value for required parameter 'run_id'.")
	}
	return body.ID, err
}

func (h *Handler) updateRun(ctx context.Context, q *request) (any, error) {
	var body struct {
		Status string  `json:"status"`
		End    integer `json:"end_time"`
		Name   string  `json:"run_name"`
	}
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	if body.Name != "" {
		if err := h.db.Rename(ctx, id, body.Name); err != nil {
			return nil, badName(err)
		}
	}
	end := time.Now()
	if body.End != 0 {
		end = time.UnixMilli(int64(body.End))
	}
	status := tracker.Running
	switch body.Status {
	case "FINISHED", "3":
		status = tracker.Finished
	case "FAILED", "4":
		status = tracker.Failed
	case "KILLED", "5":
		status = tracker.Killed
	case "", "RUNNING", "SCHEDULED", "1", "2":
	default:
		return nil, invalid("Invalid status %q", body.Status)
	}
	if status != tracker.Running {
		err = h.endRun(ctx, id, end, status)
	} else if body.Status != "" {
		err = h.reopenRun(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return h.answerRun(ctx, id)
}

func (h *Handler) endRun(ctx context.Context, id string, at time.Time, status tracker.Status) error {
	if _, err := h.active(ctx, id); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	run := h.writing[id]
	if run == nil {
		var err error
		if run, err = h.db.Resume(ctx, id); err != nil {
			return err
		}
	}
	delete(h.writing, id)
	return run.FinishAt(at, status)
}

// reopenRun makes a run that has ended running again, as when a client resumes it.
func (h *Handler) reopenRun(ctx context.Context, id string) error {
	if _, err := h.active(ctx, id); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writing[id] != nil {
		return nil
	}
	run, err := h.db.Resume(ctx, id)
	if err == nil {
		h.writing[id] = run
	}
	return err
}

func (h *Handler) deleteRun(ctx context.Context, q *request) (any, error) {
	id, err := runID(q)
	if err == nil {
		_, err = h.find(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return nil, h.db.Delete(ctx, id)
}

func (h *Handler) restoreRun(ctx context.Context, q *request) (any, error) {
	id, err := runID(q)
	if err == nil {
		_, err = h.find(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return nil, h.db.Restore(ctx, id)
}
