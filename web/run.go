package web

import (
	"context"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"patchlab/tracker"
)

// runView is what run.html shows.
type runView struct {
	frame
	Run      tracker.RunInfo
	Status   string
	Row      row
	Live     bool
	Tiles    []tile
	Axes     []axisView
	Controls controls
	Charts   []chartView
	Metrics  []metricView
	Files    []fileView
	Lost     string // why the artifacts cannot be listed

	// These a running run does not change.
	Params, Environment, Tags []pair
	Programs                  []pair // tags that programs set for themselves
	Note                      template.HTML
	Parent                    *tracker.RunInfo
	Children                  []row
	MoreChildren              bool
}

type tile struct{ Name, Value, More string }

type pair struct{ Key, Value string }

type axisView struct {
	axis
	Chosen bool
}

type metricView struct {
	Key, Value, Min, Max string
	Step, Count          string
}

type fileView struct {
	tracker.Artifact
	Size    string
	Picture bool
	Text    bool
}

// childrenMost is how many children a page lists.
const childrenMost = 20

func (h *Handler) runPage(w http.ResponseWriter, r *http.Request) error {
	view, err := h.runView(r)
	if err != nil {
		return err
	}
	if err := h.family(r.Context(), &view); err != nil {
		return err
	}
	if view.Note, err = renderNote(view.Run.Note); err != nil {
		return err
	}
	view.Params, view.Environment = sorted(view.Run.Params), sorted(view.Run.Environment)
	for _, tag := range sorted(view.Run.Tags) {
		if strings.HasPrefix(tag.Key, "mlflow.") || strings.HasPrefix(tag.Key, "patchlab.") {
			view.Programs = append(view.Programs, tag)
		} else {
			view.Tags = append(view.Tags, tag)
		}
	}
	return h.render(w, "run.html", view)
}

// runFragment is the parts of a run's page that change while it goes on.
func (h *Handler) runFragment(w http.ResponseWriter, r *http.Request) error {
	view, err := h.runView(r)
	if err != nil {
		return err
	}
	return h.render(w, "live", view)
}

// runView reads what changes while a run goes on.
func (h *Handler) runView(r *http.Request) (runView, error) {
	run, err := h.find(r)
	if err != nil {
		return runView{}, err
	}
	view := runView{frame: h.frame(run.Name), Run: run, Status: status(&run), Live: run.Status == tracker.Running && !run.Deleted}
	view.Row = h.rows(r.Context(), []tracker.RunInfo{run})[0]
	view.Tiles = tiles(&run, view.Row)
	view.Controls = parseControls(r.URL.Query(), &run)
	for _, a := range axes() {
		if a.Key != "epoch" || hasEpochs(&run) {
			view.Axes = append(view.Axes, axisView{a, a.Key == view.Controls.X})
		}
	}
	if view.Charts, err = h.charts(r.Context(), &run, view.Controls); err != nil {
		return view, err
	}
	for _, key := range slices.Sorted(maps.Keys(run.Metrics)) {
		m := run.Metrics[key]
		view.Metrics = append(view.Metrics, metricView{key, number(m.Value), number(m.Min), number(m.Max), number(float64(m.Step)), number(float64(m.Count))})
	}
	artifacts, err := h.db.Artifacts(r.Context(), run.ID)
	if r.Context().Err() != nil {
		return view, err
	}
	if err != nil {
		view.Lost = sentence("the artifacts cannot be listed; " + h.logged(err))
	}
	for _, a := range artifacts {
		view.Files = append(view.Files, fileView{a, size(a.Size), pictureKind(a.Name) != "" && a.Size <= pictureMost, textual(a.Name) && a.Size <= textMost})
	}
	return view, nil
}

// tiles are the figures that readers look for first.
func tiles(r *tracker.RunInfo, line row) []tile {
	var out []tile
	add := func(name, key string, write func(float64) string) {
		if m, ok := r.Metrics[key]; ok {
			out = append(out, tile{name, write(m.Value), ""})
		}
	}
	add("test accuracy", "test_accuracy", percent)
	if m, ok := r.Metrics["val_accuracy"]; ok {
		out = append(out, tile{"best val accuracy", percent(m.Max), "of any epoch"}, tile{"last val accuracy", percent(m.Value), "epoch " + number(float64(m.Step))})
	}
	if m, ok := r.Metrics["val_loss"]; ok {
		out = append(out, tile{"val loss", number(m.Value), "least " + number(m.Min)})
	}
	add("training images/s", "train_images_per_s", number)
	add("step, median ms", "step_ms_median", number)
	return append(out, tile{"duration", line.Duration, ""})
}

// family reads a run's parent and children.
func (h *Handler) family(ctx context.Context, view *runView) error {
	if isID(view.Run.Parent) {
		if parent, err := h.db.Find(ctx, view.Run.Parent); err == nil { // it may live in another file
			view.Parent = &parent
		}
	}
	children, err := h.db.Runs(ctx, tracker.Query{
		Filter: fmt.Sprintf("parent = '%s'", view.Run.ID), Limit: childrenMost + 1, IncludeArchived: true,
	})
	if err != nil {
		return err
	}
	if view.MoreChildren = len(children) > childrenMost; view.MoreChildren {
		children = children[:childrenMost]
	}
	view.Children = h.rows(ctx, children)
	return nil
}

func sorted(fields map[string]string) []pair {
	out := make([]pair, 0, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, pair{key, fields[key]})
	}
	return out
}

// Sizes up to which a page shows pictures and offers texts to read.
const (
	pictureMost = 20 << 20
	textMost    = 4 << 20
)

// pictureKind is the content type of a picture that browsers show, "" for
// other files.
func pictureKind(name string) string {
	return map[string]string{
		".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml",
	}[strings.ToLower(path.Ext(name))]
}

// textual tells whether a file can be read as plain text.
func textual(name string) bool {
	return slices.Contains([]string{".txt", ".md", ".log", ".csv", ".tsv", ".json", ".yaml", ".yml", ".toml", ".diff", ".patch", ".py", ".go", ".sh"},
		strings.ToLower(path.Ext(name)))
}
