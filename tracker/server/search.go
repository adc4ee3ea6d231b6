package server

import (
	"context"
	"math"
	"strconv"
	"strings"

	"patchlab/tracker"
)

func (h *Handler) searchRuns(ctx context.Context, q *request) (any, error) {
	var body struct {
		Experiments []string `json:"experiment_ids"`
		Filter      string   `json:"filter"`
		View        string   `json:"run_view_type"`
		Max         integer  `json:"max_results"`
		Order       []string `json:"order_by"`
		Token       string   `json:"page_token"`
	}
	if err := q.into(&body); err != nil {
		return nil, err
	}
	if body.Max < 0 || body.Max > 50000 {
		return nil, invalid("Invalid value for request parameter max_results. It must be at most 50000, but got value %d", body.Max)
	}
	limit := int(body.Max)
	if limit == 0 {
		limit = 1000
	}
	offset, err := pageOffset(body.Token)
	if err != nil {
		return nil, err
	}
	all, err := h.experiments(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	query := tracker.Query{Filter: body.Filter, OrderBy: strings.Join(body.Order, ", "), Offset: offset, Limit: limit + 1,
		IncludeDeleted: !strings.EqualFold(body.View, "ACTIVE_ONLY") && body.View != ""}
	asked := map[string]bool{}
	for _, id := range body.Experiments {
		asked[id] = true
	}
	for _, e := range all {
		ids[e.Name] = experimentID(e)
		if asked[ids[e.Name]] || e.Key > 0 && asked[strconv.FormatInt(e.Key, 10)] {
			query.Experiments = append(query.Experiments, e.Name)
		}
	}
	query.DeletedOnly = strings.EqualFold(body.View, "DELETED_ONLY")
	runs := []wireRun{}
	next := ""
	if len(query.Experiments) > 0 {
		found, err := h.db.Runs(ctx, query)
		if err != nil {
			return nil, err
		}
		if len(found) > limit {
			found, next = found[:limit], pageToken(offset+limit)
		}
		for _, r := range found {
			runs = append(runs, toRun(r, ids[r.Experiment]))
		}
	}
	return map[string]any{"runs": runs, "next_page_token": next}, nil
}

func (h *Handler) metricHistory(ctx context.Context, q *request) (any, error) {
	var body struct {
		Key   string  `json:"metric_key"`
		Max   integer `json:"max_results"`
		Token string  `json:"page_token"`
	}
	id, err := runID(q)
	if err == nil {
		err = q.into(&body)
	}
	if err != nil {
		return nil, err
	}
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	offset, err := pageOffset(body.Token)
	if err != nil {
		return nil, err
	}
	metrics := []wireMetric{}
	if _, known := info.Metrics[body.Key]; known {
		points, err := h.db.History(ctx, id, body.Key)
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			metrics = append(metrics, wireMetric{body.Key, float(p.Value), integer(p.Time.UnixMilli()), integer(p.Step)})
		}
	}
	page, next := cutPage(metrics, offset, int(body.Max), math.MaxInt32)
	return map[string]any{"metrics": page, "next_page_token": next}, nil
}
