package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"patchlab/tracker"
)

// knownColumns writes out columns such as "metrics.val_loss", or "val_loss"
// for short. It refuses one that neither the listed runs nor any others have.
func knownColumns(ctx context.Context, db *tracker.DB, listed []tracker.RunInfo, columns []string) ([]string, error) {
	if len(columns) == 0 || len(listed) == 0 {
		return columns, nil
	}
	known, all := columnsOf(listed), false
	full := make([]string, len(columns))
	for i, column := range columns {
		found := findColumn(known, column)
		if found == "" && !all {
			runs, err := db.Runs(ctx, tracker.Query{IncludeDeleted: true, IncludeArchived: true})
			if err != nil {
				return nil, err
			}
			known, all = columnsOf(runs), true
			found = findColumn(known, column)
		}
		if found == "" {
			return nil, fmt.Errorf("no run has the column %q: there are %s", column, severalColumns(known))
		}
		full[i] = found
	}
	return full, nil
}

// columnsOf are the columns that any of the runs has a value in.
func columnsOf(runs []tracker.RunInfo) map[string]bool {
	known := map[string]bool{}
	for _, r := range runs {
		for key := range r.Metrics {
			known["metrics."+key] = true
		}
		for key := range r.Params {
			known["params."+key] = true
		}
		for key := range r.Tags {
			known["tags."+key] = true
		}
	}
	return known
}

// findColumn returns column as known has it, or "".
func findColumn(known map[string]bool, column string) string {
	for _, kind := range []string{"", "metrics.", "params.", "tags."} {
		if known[kind+column] {
			return kind + column
		}
	}
	return ""
}

// severalColumns names the columns, 40 at most.
func severalColumns(known map[string]bool) string {
	names := sorted(known)
	if len(names) == 0 {
		return "none yet"
	}
	const most = 40
	more := len(names) - most
	if more > 0 {
		names = append(slices.Clip(names[:most]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
