package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/tracker"
)

// chosenMost is how many runs can be chosen one by one: as many as an address
// and a filter hold.
const chosenMost = 1000

// comparePage answers with the report that `patchlab compare` writes, over the
// runs that an address names or, where it names none, over a filter.
func (h *Handler) comparePage(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	o := compare.Options{Filter: strings.TrimSpace(values.Get("q")), Curves: true, Steps: true, Made: h.options.Now().UTC().Truncate(time.Second)}
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
	built, err := compare.Build(r.Context(), chosen{h.db, len(ids) > 0}, o)
	if err != nil {
		return asked(err)
	}
	var out bytes.Buffer
	shown := report.Options{Command: command(o, h.options.Name), Chosen: len(ids), Back: "/"}
	if q := strings.TrimSpace(values.Get("q")); q != "" {
		shown.Back = "/?" + url.Values{"q": {q}}.Encode()
	}
	if err := report.Write(&out, report.HTML, built, shown); err != nil {
		return fmt.Errorf("writing the comparison: %w", err)
	}
	w.Header().Set("Content-Security-Policy", report.Policy()+"; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = w.Write(out.Bytes())
	return err
}

// chosen reads archived runs too, where runs were chosen one by one.
type chosen struct {
	*tracker.DB
	archived bool
}

// Runs lists runs.
func (c chosen) Runs(ctx context.Context, query tracker.Query) ([]tracker.RunInfo, error) {
	query.IncludeArchived = c.archived
	return c.DB.Runs(ctx, query)
}

// command is the command that writes the same report.
func command(o compare.Options, db string) string {
	words := []string{"patchlab", "compare"}
	for _, part := range [][2]string{{"db", db}, {"filter", o.Filter}, {"by", strings.Join(o.By, ",")}, {"across", strings.Join(o.Across, ",")}} {
		if part[1] != "" {
			words = append(words, "--"+part[0]+"='"+strings.ReplaceAll(part[1], "'", `'\''`)+"'")
		}
	}
	return strings.Join(append(words, "-o", "report.html"), " ")
}
