package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// The parts of MLflow's messages that are made here.
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
	runData struct {
		Metrics []mlflow.Metric `json:"metrics"`
		Params  []mlflow.Pair   `json:"params"`
		Tags    []mlflow.Pair   `json:"tags"`
	}
	modelOutput struct {
		ID   string `json:"model_id"`
		Step int64  `json:"step"`
	}
	wireRun struct {
		Info   runInfo `json:"info"`
		Data   runData `json:"data"`
		Inputs struct {
			Datasets []mlflow.DatasetInput `json:"dataset_inputs"`
		} `json:"inputs"`
		Outputs struct {
			Models []modelOutput `json:"model_outputs"`
		} `json:"outputs"`
	}
)

var statusNames = map[tracker.Status]string{tracker.Running: "RUNNING", tracker.Finished: "FINISHED", tracker.Failed: "FAILED",
	tracker.Killed: "KILLED", tracker.Crashed: "FAILED", tracker.Damaged: "FAILED"}

// damageTag is the tag in which clients see what of a run cannot be read.
const damageTag = "patchlab.damage"

// toRun is a run on the wire, in the experiment of an ID.
func toRun(r tracker.RunInfo, experiment string) wireRun {
	w := wireRun{Info: runInfo{RunID: r.ID, RunUUID: r.ID, Name: r.Name, Experiment: experiment, User: r.Tags[mlflow.UserTag],
		Status: statusNames[r.Status], Start: r.Start.UnixMilli(), Artifacts: "mlflow-artifacts:/" + experiment + "/" + r.ID + "/artifacts",
		Stage: stage(r.Deleted)}}
	if !r.End.IsZero() {
		w.Info.End = r.End.UnixMilli()
	}
	w.Data.Params = mlflow.ToPairs(r.Params)
	w.Data.Tags = append(shownTags(r), mlflow.Pair{Key: mlflow.NameTag, Value: r.Name})
	if r.Note != "" {
		w.Data.Tags = append(w.Data.Tags, mlflow.Pair{Key: mlflow.NoteTag, Value: r.Note})
	}
	if r.Damage != "" {
		w.Data.Tags = append(w.Data.Tags, mlflow.Pair{Key: damageTag, Value: r.Damage})
	}
	if r.Parent != "" {
		w.Data.Tags = append(w.Data.Tags, mlflow.Pair{Key: mlflow.ParentTag, Value: r.Parent})
	}
	w.Data.Metrics = make([]mlflow.Metric, 0, len(r.Metrics))
	for key, m := range r.Metrics {
		w.Data.Metrics = append(w.Data.Metrics, toMetric(key, tracker.Point{Step: m.Step, Time: m.Time, Value: m.Value}))
	}
	w.Inputs.Datasets = []mlflow.DatasetInput{}
	for _, i := range r.Inputs {
		w.Inputs.Datasets = append(w.Inputs.Datasets, mlflow.Input(i.Name, i.Digest, i.Context))
	}
	w.Outputs.Models = []modelOutput{}
	for id, m := range mlflow.Models(r.ID, r.Tags) {
		if !m.Deleted {
			w.Outputs.Models = append(w.Outputs.Models, modelOutput{ID: id})
		}
	}
	return w
}

// shownTags are the tags that clients see: those that the server keeps for
// itself are not among them, and the environment is.
func shownTags(r tracker.RunInfo) []mlflow.Pair {
	pairs := make([]mlflow.Pair, 0, len(r.Tags)+len(r.Environment)+4) // those that toRun adds
	for key, value := range r.Tags {
		if !mlflow.Reserved(key) {
			pairs = append(pairs, mlflow.Pair{Key: key, Value: value})
		}
	}
	for key, value := range r.Environment {
		pairs = append(pairs, mlflow.Pair{Key: mlflow.EnvironmentTag + key, Value: value})
	}
	return pairs
}

func toMetric(key string, p tracker.Point) mlflow.Metric {
	return mlflow.Metric{Key: key, Value: mlflow.Float(p.Value), Timestamp: mlflow.Integer(p.Time.UnixMilli()), Step: mlflow.Integer(p.Step)}
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

func (h *Handler) createRun(ctx context.Context, in struct {
	Experiment string         `json:"experiment_id"`
	User       string         `json:"user_id"`
	Name       string         `json:"run_name"`
	Start      mlflow.Integer `json:"start_time"`
	Tags       []mlflow.Pair  `json:"tags"`
}) (any, error) {
	if in.Experiment == "" {
		in.Experiment = defaultID
	}
	e, err := h.experiment(ctx, in.Experiment)
	if err != nil {
		return nil, err
	}
	if e.Deleted {
		return nil, invalid("The experiment %s must be in the 'active' state.", in.Experiment)
	}
	spec := tracker.Spec{Experiment: e.Name, Name: in.Name, Tags: map[string]string{}, Environment: map[string]string{}}
	note := ""
	for _, t := range in.Tags {
		name, ofEnvironment := strings.CutPrefix(t.Key, mlflow.EnvironmentTag)
		switch {
		case t.Key == mlflow.NameTag && spec.Name == "":
			spec.Name = t.Value
		case t.Key == mlflow.NameTag:
		case t.Key == mlflow.NoteTag:
			note = t.Value
		case t.Key == mlflow.ParentTag:
			spec.Parent = t.Value
		case ofEnvironment:
			spec.Environment[name] = t.Value
		default:
			if err := checkTag(t.Key); err != nil {
				return nil, err
			}
			spec.Tags[t.Key] = t.Value
		}
	}
	if in.User != "" {
		spec.Tags[mlflow.UserTag] = in.User
	}
	if in.Start != 0 { // a client may leave it out
		if spec.Start, err = moment("start_time", in.Start); err != nil {
			return nil, err
		}
	}
	run, err := h.db.Start(ctx, spec)
	if err != nil {
		return nil, badName(err)
	}
	h.began(run)
	if note != "" {
		if err := run.SetNote(note); err != nil {
			return nil, badName(err)
		}
	}
	return h.answerRun(ctx, run.ID())
}

// moment is a time of MLflow's, in milliseconds since 1970: none before, and
// none whose microseconds 64 bits do not hold.
func moment(field string, ms mlflow.Integer) (time.Time, error) {
	if ms < 0 || ms > math.MaxInt64/1000 {
		return time.Time{}, invalid("Invalid value %d for parameter '%s': it counts milliseconds since 1970, from 0 to %d", ms, field, math.MaxInt64/1000)
	}
	return time.UnixMilli(int64(ms)), nil
}

// badName turns what the tracker says of names and values into the client's fault.
func badName(err error) error {
	if errors.Is(err, tracker.ErrInvalid) {
		return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", err.Error()}
	}
	return err
}

// runRef names a run; old clients say run_uuid.
type runRef struct {
	ID   string `json:"run_id"`
	UUID string `json:"run_uuid"`
}

// id is the run that is named.
func (r runRef) id() (string, error) {
	id := cmp.Or(r.ID, r.UUID)
	return id, required("run_id", id)
}

func (h *Handler) getRun(ctx context.Context, in runRef) (any, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	return h.answerRun(ctx, id)
}

func (h *Handler) updateRun(ctx context.Context, in struct {
	runRef
	Status any            `json:"status"` // a name, or protobuf's number
	End    mlflow.Integer `json:"end_time"`
	Name   string         `json:"run_name"`
}) (any, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	status := tracker.Running
	said := ""
	if in.Status != nil {
		said = fmt.Sprint(in.Status)
	}
	switch said {
	case "FINISHED", "3":
		status = tracker.Finished
	case "FAILED", "4":
		status = tracker.Failed
	case "KILLED", "5":
		status = tracker.Killed
	case "", "RUNNING", "SCHEDULED", "1", "2":
	default:
		return nil, invalid("Invalid status %.60q", said)
	}
	end := time.Now()
	if in.End != 0 {
		if end, err = moment("end_time", in.End); err != nil {
			return nil, err
		}
	}
	if in.Name != "" {
		if err := h.change(ctx, id, func(tracker.RunInfo) error { return badName(h.db.Rename(ctx, id, in.Name)) }); err != nil {
			return nil, err
		}
	}
	if status != tracker.Running {
		err = h.endRun(ctx, id, ending{end, status})
	} else if said != "" {
		err = h.reopenRun(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return h.answerRun(ctx, id)
}

func (h *Handler) deleteRun(ctx context.Context, in runRef) (any, error) {
	return nil, h.mark(ctx, in, h.db.Delete)
}

func (h *Handler) restoreRun(ctx context.Context, in runRef) (any, error) {
	return nil, h.mark(ctx, in, h.db.Restore)
}

func (h *Handler) mark(ctx context.Context, in runRef, do func(context.Context, string) error) error {
	id, err := in.id()
	if err == nil {
		_, err = h.find(ctx, id)
	}
	if err != nil {
		return err
	}
	return do(ctx, id)
}
