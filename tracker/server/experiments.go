package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// MLflow's clients use experiment 0, named Default, where nothing else is
// said. Here that is the experiment "default", which Start makes when needed.
const (
	defaultID   = "0"
	defaultName = "default"
)

// wireExperiment is an experiment on the wire.
type wireExperiment struct {
	ID       string `json:"experiment_id"`
	Name     string `json:"name"`
	Location string `json:"artifact_location"`
	Stage    string `json:"lifecycle_stage"`
	Created  int64  `json:"creation_time"`
	Updated  int64  `json:"last_update_time"`
	Tags     []pair `json:"tags"`
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
		Created: e.Created.UnixMilli(), Updated: e.Changed.UnixMilli(), Tags: toPairs(e.Tags, "")}
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

func (h *Handler) createExperiment(ctx context.Context, q *request) (any, error) {
	var body struct {
		Name string `json:"name"`
		Tags []pair `json:"tags"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Name) == "" {
		return nil, invalid("Missing value for required parameter 'name'.")
	}
	if strings.EqualFold(body.Name, defaultName) {
		return nil, &apiError{400, "RESOURCE_ALREADY_EXISTS", "Experiment(name=Default) already exists."}
	}
	e, err := h.db.CreateExperiment(ctx, body.Name, toMap(body.Tags))
	if err != nil {
		return nil, err
	}
	return map[string]string{"experiment_id": experimentID(e)}, nil
}

func (h *Handler) getExperiment(ctx context.Context, q *request) (any, error) {
	var body struct {
		ID string `json:"experiment_id"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	e, err := h.experiment(ctx, body.ID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"experiment": toWire(e)}, nil
}

func (h *Handler) getExperimentByName(ctx context.Context, q *request) (any, error) {
	var body struct {
		Name string `json:"experiment_name"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	all, err := h.experiments(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Name == body.Name || e.Name == defaultName && body.Name == "Default" {
			return map[string]any{"experiment": toWire(e)}, nil
		}
	}
	return nil, notFound("Could not find experiment with name '%s'", body.Name)
}

func (h *Handler) searchExperiments(ctx context.Context, q *request) (any, error) {
	var body struct {
		Max    integer `json:"max_results"`
		Token  string  `json:"page_token"`
		View   string  `json:"view_type"`
		Filter string  `json:"filter"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	wanted, err := tracker.ParseFilter(body.Filter)
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
		if inView(all[i].Deleted, body.View) && wanted(&tracker.RunInfo{Name: e.Name, Tags: all[i].Tags, Start: all[i].Created}) {
			found = append(found, e)
		}
	}
	offset, err := pageOffset(body.Token)
	if err != nil {
		return nil, err
	}
	page, next := cutPage(found, offset, int(body.Max), 1000)
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

// cutPage cuts a page from a list and returns the token of the next one.
func cutPage[T any](all []T, offset, limit, most int) (page []T, next string) {
	if limit <= 0 || limit > most {
		limit = most
	}
	offset = min(max(offset, 0), len(all))
	page = all[offset:min(offset+limit, len(all))]
	if offset+limit < len(all) {
		next = pageToken(offset + limit)
	}
	return page, next
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
	e, err := h.experiment(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.Key == 0 {
		return nil, invalid("the experiment Default has no runs yet and can't be changed")
	}
	return nil, h.db.EditExperiment(ctx, e.Key, change)
}

func (h *Handler) updateExperiment(ctx context.Context, q *request) (any, error) {
	var body struct {
		ID   string `json:"experiment_id"`
		Name string `json:"new_name"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	return h.edit(ctx, body.ID, func(e *tracker.Experiment) { e.Name = body.Name })
}

func (h *Handler) deleteExperiment(ctx context.Context, q *request) (any, error) {
	return h.markExperiment(ctx, q, true)
}

func (h *Handler) restoreExperiment(ctx context.Context, q *request) (any, error) {
	return h.markExperiment(ctx, q, false)
}

func (h *Handler) markExperiment(ctx context.Context, q *request, deleted bool) (any, error) {
	var body struct {
		ID string `json:"experiment_id"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	return h.edit(ctx, body.ID, func(e *tracker.Experiment) { e.Deleted = deleted })
}

func (h *Handler) tagExperiment(ctx context.Context, q *request) (any, error) {
	var body struct {
		ID string `json:"experiment_id"`
		pair
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	return h.edit(ctx, body.ID, func(e *tracker.Experiment) { e.Tags[body.Key] = body.Value })
}
