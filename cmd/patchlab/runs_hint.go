package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strings"

	"patchlab/tracker"
)

// namesInQuery finds what a filter or an order names: metrics.x, params.`x y`.
// Quoted values come as they stand, so that nothing is found within them.
var namesInQuery = regexp.MustCompile("'[^']*'|(?i:\\b(metric|param|parameter|tag)s?)\\.(`[^`]+`|\"[^\"]+\"|[\\pL\\pN_./:@-]+)|\"[^\"]*\"|`[^`]*`")

// hintAtUnknown says which names in a filter that found nothing, or in an
// order, no run has: a mistyped name is no error, since a run may yet come that
// has it.
func hintAtUnknown(ctx context.Context, out io.Writer, db *tracker.DB, query tracker.Query, listed []tracker.RunInfo) error {
	text := query.OrderBy
	if len(listed) == 0 {
		text += " " + query.Filter
	}
	known, all := columnsOf(listed), false
	said := map[string]bool{}
	for _, match := range namesInQuery.FindAllStringSubmatch(text, -1) {
		kind, key := strings.ToLower(match[1]), strings.Trim(match[2], "`\"")
		if kind == "" || kind == "tag" && strings.HasPrefix(key, "mlflow.") { // some of which stand for a run's own fields
			continue
		}
		if kind == "parameter" {
			kind = "param"
		}
		kind += "s."
		if !known[kind+key] && !all {
			runs, err := db.Runs(ctx, tracker.Query{IncludeDeleted: true, IncludeArchived: true})
			if err != nil {
				return err
			}
			known, all = columnsOf(runs), true
		}
		if known[kind+key] || said[kind+key] {
			continue
		}
		said[kind+key] = true
		alike := maps.Clone(known)
		maps.DeleteFunc(alike, func(name string, _ bool) bool { return !strings.HasPrefix(name, kind) })
		if _, err := fmt.Fprintf(out, "no run has %s: there are %s\n", oneLine(kind+key), oneLine(severalColumns(alike))); err != nil {
			return err
		}
	}
	return nil
}
