package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/tracker"
)

// A page compares at most so many runs.
const (
	chosenMost = 1000 // that were chosen one by one: as many as an address and a filter hold
	foundMost  = 5000 // that a filter found: seconds of a processor
)

// turnWait is how long a reader waits for the comparisons of others.
const turnWait = 30 * time.Second

// comparePage answers with the report that `patchlab compare` writes, over the
// runs that an address names or, where it names none, over the latest that a
// filter finds.
func (h *Handler) comparePage(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	o := compare.Options{Filter: strings.TrimSpace(values.Get("q")), Limit: foundMost, Curves: true, Steps: true, Made: h.options.Now().UTC().Truncate(time.Second)}
	ids := namedRuns(values["run"], chosenMost+1)
	if len(ids) > chosenMost {
		return &problem{http.StatusRequestURITooLong, fmt.Sprintf("more than %s are chosen: choose fewer, or find them by a filter and compare what is found", plural(chosenMost, "run"))}
	}
	if len(ids) == 0 && len(values["run"]) > 0 {
		return &problem{http.StatusBadRequest, "the address names runs, but none of the names is the ID of a run"}
	}
	if len(ids) > 0 {
		o.Filter = "run_id IN ('" + strings.Join(ids, "', '") + "')"
	}
	by := values.Get("by")
	if by != "" && by != "model" {
		o.By = []string{by}
	}
	o.Across = slices.DeleteFunc(values["across"], func(s string) bool { return s == "" })
	shown := report.Options{Command: command(o, h.options.Name), Chosen: len(ids), Back: "/"}
	if q := strings.TrimSpace(values.Get("q")); q != "" {
		shown.Back = "/?" + url.Values{"q": {q}}.Encode()
	}
	page, err := h.comparison(r.Context(), chosen{h.db, h, len(ids) > 0}, o, shown)
	if err != nil {
		if errors.Is(err, errBusy) {
			w.Header().Set("Retry-After", strconv.Itoa(int(turnWait.Seconds())))
		}
		return err
	}
	w.Header().Set("Content-Security-Policy", report.Policy()+"; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // else the reader is gone
	return nil
}

var errBusy error = &problem{http.StatusServiceUnavailable, "the server is busy with the comparisons of others: try again in a moment"}

// comparison is the page. One is built at a time, since each takes seconds of a
// processor; who comes meanwhile waits, and is told that the server is busy where
// that takes longer than turnWait.
func (h *Handler) comparison(ctx context.Context, from chosen, o compare.Options, shown report.Options) ([]byte, error) {
	select {
	case h.building <- struct{}{}:
		defer func() { <-h.building }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(turnWait):
		return nil, errBusy
	}
	built, err := compare.Build(ctx, from, o)
	if errors.Is(err, tracker.ErrNotFound) { // part of a run, not what the address names
		return nil, fmt.Errorf("comparing: %v", err)
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := report.Write(&out, report.HTML, built, shown); err != nil {
		return nil, fmt.Errorf("writing the comparison: %w", err)
	}
	return out.Bytes(), nil
}

// chosen is what a comparison reads from: archived runs too, where runs were
// chosen one by one.
type chosen struct {
	*tracker.DB
	h        *Handler
	archived bool
}

// Runs lists runs.
func (c chosen) Runs(ctx context.Context, query tracker.Query) ([]tracker.RunInfo, error) {
	query.IncludeArchived = c.archived
	return c.DB.Runs(ctx, query)
}

// OpenArtifact opens an artifact's content. The report says of what it cannot
// read why, so that is in words for any reader.
func (c chosen) OpenArtifact(ctx context.Context, id, name string) (io.ReadCloser, error) {
	content, err := c.DB.OpenArtifact(ctx, id, name)
	if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		err = errors.New(c.h.logged(err))
	}
	return content, err
}

// command is the command that writes the same report, over all runs found.
func command(o compare.Options, db string) string {
	words := []string{"patchlab", "compare"}
	for _, part := range [][2]string{{"db", db}, {"filter", o.Filter}, {"by", strings.Join(o.By, ",")}, {"across", strings.Join(o.Across, ",")}} {
		if part[1] != "" {
			words = append(words, "--"+part[0]+"='"+strings.ReplaceAll(part[1], "'", `'\''`)+"'")
		}
	}
	return strings.Join(append(words, "-o", "report.html"), " ")
}
