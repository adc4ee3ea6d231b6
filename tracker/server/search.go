package server

import (
	"context"
	"math"
	"strconv"
	"strings"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

func (h *Handler) searchRuns(ctx context.Context, in struct {
	Experiments []string        `json:"experiment_ids"`
	Filter      string          `json:"filter"`
	View        string          `json:"run_view_type"`
	Max         *mlflow.Integer `json:"max_results"`
	Order       []string        `json:"order_by"`
	Token       string          `json:"page_token"`
}) (any, error) {
	limit, err := pageSize(in.Max, 1000, 50000)
	if err != nil {
		return nil, err
	}
	offset, err := pageOffset(in.Token)
	if err != nil {
		return nil, err
	}
	all, err := h.experiments(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	query := tracker.Query{Filter: in.Filter, OrderBy: strings.Join(in.Order, ", "), Offset: offset, Limit: limit + 1,
		IncludeDeleted: !strings.EqualFold(in.View, "ACTIVE_ONLY") && in.View != ""}
	asked := map[string]bool{}
	for _, id := range in.Experiments {
		asked[id] = true
	}
	for _, e := range all {
		ids[e.Name] = experimentID(e)
		if asked[ids[e.Name]] || e.Key > 0 && asked[strconv.FormatInt(e.Key, 10)] {
			query.Experiments = append(query.Experiments, e.Name)
		}
	}
	query.DeletedOnly = strings.EqualFold(in.View, "DELETED_ONLY")
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

func (h *Handler) metricHistory(ctx context.Context, in struct {
	runRef
	Key   string          `json:"metric_key"`
	Max   *mlflow.Integer `json:"max_results"`
	Token string          `json:"page_token"`
}) (any, error) {
	id, err := in.id()
	if err == nil {
		err = required("metric_key", in.Key)
	}
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(in.Max, math.MaxInt32, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	info, err := h.find(ctx, id)
	if err != nil {
		return nil, err
	}
	offset, err := pageOffset(in.Token)
	if err != nil {
		return nil, err
	}
	metrics := []mlflow.Metric{}
	if _, known := info.Metrics[in.Key]; known {
		points, err := h.db.History(ctx, id, in.Key)
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			metrics = append(metrics, toMetric(in.Key, p))
		}
	}
	page, next := cutPage(metrics, offset, limit)
	return map[string]any{"metrics": page, "next_page_token": next}, nil
}
