package web

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"patchlab/tracker"
)

// group is the metrics that share a chart: they measure the same, in the same
// unit.
type group struct {
	title string
	keys  []string
	rank  int // where it stands among the charts
}

// groups sorts a run's metrics into charts. Metrics that differ only in the
// part of the data they were measured on (train_, val_, test_ …) share one, and
// so do those of the machine that share a unit. What was logged once only is a
// result, not a curve, unless the run still goes on.
func groups(r *tracker.RunInfo) []group {
	found := map[string]*group{}
	for _, key := range slices.Sorted(maps.Keys(r.Metrics)) {
		if r.Metrics[key].Count < 2 && r.Status != tracker.Running {
			continue
		}
		title, rank := chartOf(key)
		g := found[title]
		if g == nil {
			g = &group{title: title, rank: rank}
			found[title] = g
		}
		g.keys = append(g.keys, key)
	}
	out := make([]group, 0, len(found))
	for _, title := range slices.Sorted(maps.Keys(found)) {
		g := found[title]
		slices.SortStableFunc(g.keys, func(a, b string) int { return cmp.Compare(partRank(a), partRank(b)) })
		out = append(out, *g)
	}
	slices.SortStableFunc(out, func(a, b group) int { return cmp.Compare(a.rank, b.rank) })
	return out
}

// parts are the words for the part of the data, in the order of their colours.
func parts() []string {
	return []string{"val", "valid", "validation", "eval", "train", "training", "test"}
}

// chartOf is the title of the chart that shows a metric, and its place.
func chartOf(key string) (title string, rank int) {
	if rest, ok := strings.CutPrefix(key, "system/"); ok {
		unit := rest[strings.LastIndexByte(rest, '_')+1:]
		if of, ok := map[string]string{"percentage": "machine: utilisation, %", "megabytes": "machine: memory, MB", "watts": "machine: power, W"}[unit]; ok {
			return of, 8
		}
		return "machine: " + rest, 9
	}
	title = key
	if _, rest, ok := cutPart(key); ok {
		title = rest
	}
	title = strings.ReplaceAll(title, "_", " ")
	for rank, known := range [...][2]string{
		{"accuracy", "accuracy"}, {"loss", "loss"}, {"step loss", "loss of each step"}, {"top5", "top-5 accuracy"},
		{"learning rate", "learning rate"}, {"", ""}, {"step ms", "step time, ms"}, {"seconds", "seconds an epoch"},
	} {
		if strings.EqualFold(title, known[0]) {
			return known[1], rank
		}
	}
	return title, 5
}

// cutPart takes the part of the data off a metric's name.
func cutPart(key string) (part int, rest string, ok bool) {
	i := strings.IndexAny(key, "_/-.")
	if i < 0 {
		return -1, key, false
	}
	part = slices.Index(parts(), strings.ToLower(key[:i]))
	return part, key[i+1:], part >= 0 && key[i+1:] != ""
}

func partRank(key string) int {
	if part, _, ok := cutPart(key); ok {
		return part
	}
	return len(parts())
}
