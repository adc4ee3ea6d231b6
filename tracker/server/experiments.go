package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// MLflow's clients use experiment 0, named Default, where nothing else is
// said. Here that is the experiment "default", which Start makes when needed.
const (
	defaultID   = "0"
	defaultName = "default"
)

// wireExperiment is an experiment on the wire.
type wireExperiment struct {
	ID       string        `json:"experiment_id"`
	Name     string        `json:"name"`
	Location string        `json:"artifact_location"`
	Stage    string        `json:"lifecycle_stage"`
	Created  int64         `json:"creation_time"`
	Updated  int64         `json:"last_update_time"`
	Tags     []mlflow.Pair `json:"tags"`
}

func experimentID(e tracker.Experiment) string {
	if e.Name == defaultName {
		return defaultID
	}
	return strconv.FormatInt(e.Key, 10)
}

func stage(deleted bool) string {
	if deleted {
		return "deleted"
	}
	return "active"
}

func toWire(e tracker.Experiment) wireExperiment {
	id := experimentID(e)
	name := e.Name
	if id == defaultID {
		name = "Default"
	}
	return wireExperiment{ID: id, Name: name, Location: "mlflow-artifacts:/" + id, Stage: stage(e.Deleted),
		Created: e.Created.UnixMilli(), Updated: e.Changed.UnixMilli(), Tags: mlflow.ToPairs(e.Tags)}
}

// experiments lists all, the default one in any case.
func (h *Handler) experiments(ctx context.Context) ([]tracker.Experiment, error) {
	all, err := h.db.Experiments(ctx)
	for _, e := range all {
		if e.Name == defaultName {
			return all, err
		}
	}
	return append(all, tracker.Experiment{Name: defaultName}), err
}

func (h *Handler) experiment(ctx context.Context, id string) (tracker.Experiment, error) {
	all, err := h.experiments(ctx)
	if err != nil {
		return tracker.Experiment{}, err
	}
	for _, e := range all {
		if experimentID(e) == id || id != defaultID && strconv.FormatInt(e.Key, 10) == id {
			return e, nil
		}
	}
	return tracker.Experiment{}, notFound("No Experiment with id=%s exists", id)
}

func (h *Handler) createExperiment(ctx context.Context, in struct {
	Name string        `json:"name"`
	Tags []mlflow.Pair `json:"tags"`
}) (any, error) {
	if strings.TrimSpace(in.Name) == "" {
		return nil, missing("name")
	}
	for _, t := range in.Tags {
		if err := checkKey("tags.key", t.Key); err != nil {
			return nil, err
		}
	}
	if strings.EqualFold(in.Name, defaultName) {
		return nil, &apiError{400, "RESOURCE_ALREADY_EXISTS", "Experiment(name=Default) already exists."}
	}
	e, err := h.db.CreateExperiment(ctx, in.Name, mlflow.ToMap(in.Tags))
	if err != nil {
		return nil, badName(err)
	}
	return map[string]string{"experiment_id": experimentID(e)}, nil
}

// experimentRef names an experiment.
type experimentRef struct {
	ID string `json:"experiment_id"`
}

func (h *Handler) getExperiment(ctx context.Context, in experimentRef) (any, error) {
	if err := required("experiment_id", in.ID); err != nil {
		return nil, err
	}
	e, err := h.experiment(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"experiment": toWire(e)}, nil
}

func (h *Handler) getExperimentByName(ctx context.Context, in struct {
	Name string `json:"experiment_name"`
}) (any, error) {
	if err := required("experiment_name", in.Name); err != nil {
		return nil, err
	}
	all, err := h.experiments(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Name == in.Name || e.Name == defaultName && in.Name == "Default" {
			return map[string]any{"experiment": toWire(e)}, nil
		}
	}
	return nil, notFound("Could not find experiment with name '%s'", in.Name)
}

func (h *Handler) searchExperiments(ctx context.Context, in struct {
	Max    *mlflow.Integer `json:"max_results"`
	Token  string          `json:"page_token"`
	View   string          `json:"view_type"`
	Filter string          `json:"filter"`
}) (any, error) {
	limit, err := pageSize(in.Max, 1000, 50000)
	if err != nil {
		return nil, err
	}
	wanted, err := tracker.ParseFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	all, err := h.experiments(ctx)
	if err != nil {
		return nil, err
	}
	found := []wireExperiment{}
	for i := len(all) - 1; i >= 0; i-- {
		e := toWire(all[i])
		if inView(all[i].Deleted, in.View) && wanted(&tracker.RunInfo{Name: e.Name, Tags: all[i].Tags, Start: all[i].Created}) {
			found = append(found, e)
		}
	}
	offset, err := pageOffset(in.Token)
	if err != nil {
		return nil, err
	}
	page, next := cutPage(found, offset, limit)
	return map[string]any{"experiments": page, "next_page_token": next}, nil
}

// inView tells whether a view type shows what is deleted or not.
func inView(deleted bool, view string) bool {
	switch strings.ToUpper(view) {
	case "ALL":
		return true
	case "DELETED_ONLY":
		return deleted
	}
	return !deleted
}

// pageSize is how many results a page may have: as many as asked for, usual
// where nothing is said, and no more than most.
func pageSize(asked *mlflow.Integer, usual, most int) (int, error) {
	if asked == nil {
		return usual, nil
	}
	if *asked <= 0 || *asked > mlflow.Integer(most) {
		return 0, invalid("Invalid value for request parameter max_results. It must be from 1 to %d, but got value %d", most, *asked)
	}
	return int(*asked), nil
}

// cutPage cuts the page of at most limit from offset on out of all, and
// returns the token of the next one.
func cutPage[T any](all []T, offset, limit int) (page []T, next string) {
	offset = min(offset, len(all))
	end := offset + min(limit, len(all)-offset)
	if end < len(all) {
		next = pageToken(end)
	}
	return all[offset:end], next
}

func pageToken(offset int) string {
	return base64.URLEncoding.EncodeToString(fmt.Appendf(nil, "from %d", offset))
}

func pageOffset(token string) (offset int, err error) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.URLEncoding.DecodeString(token)
	if err == nil {
		offset, err = strconv.Atoi(strings.TrimPrefix(string(text), "from "))
	}
	if err != nil || offset < 0 {
		return 0, invalid("Invalid page token")
	}
	return offset, nil
}

// edit changes the experiment that a request names.
func (h *Handler) edit(ctx context.Context, id string, change func(*tracker.Experiment)) (any, error) {
	if err := required("experiment_id", id); err != nil {
		return nil, err
	}
	e, err := h.experiment(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Key == 0 {
		return nil, invalid("the experiment Default has no runs yet and can't be changed")
	}
	return nil, badName(h.db.EditExperiment(ctx, e.Key, change))
}

func (h *Handler) updateExperiment(ctx context.Context, in struct {
	experimentRef
	Name string `json:"new_name"`
}) (any, error) {
	return h.edit(ctx, in.ID, func(e *tracker.Experiment) { e.Name = cmp.Or(in.Name, e.Name) })
}

func (h *Handler) deleteExperiment(ctx context.Context, in experimentRef) (any, error) {
	return h.edit(ctx, in.ID, func(e *tracker.Experiment) { e.Deleted = true })
}

func (h *Handler) restoreExperiment(ctx context.Context, in experimentRef) (any, error) {
	return h.edit(ctx, in.ID, func(e *tracker.Experiment) { e.Deleted = false })
}

func (h *Handler) tagExperiment(ctx context.Context, in struct {
	experimentRef
	mlflow.Pair
}) (any, error) {
	if err := checkKey("key", in.Key); err != nil {
		return nil, err
	}
	return h.edit(ctx, in.ID, func(e *tracker.Experiment) { e.Tags[in.Key] = in.Value })
}

func (h *Handler) untagExperiment(ctx context.Context, in struct {
	experimentRef
	Key string `json:"key"`
}) (any, error) {
	if err := required("key", in.Key); err != nil {
		return nil, err
	}
	return h.edit(ctx, in.ID, func(e *tracker.Experiment) { delete(e.Tags, in.Key) })
}
