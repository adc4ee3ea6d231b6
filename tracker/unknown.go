package tracker

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Unknown is what a filter or an order names and no run has: mistyped, most
// often, but no error, since a run may yet come that has it.
type Unknown struct {
	Name  string   // such as "metrics.val_acuracy"
	Known []string // what there is of that kind, sorted
}

// String is a sentence that names at most forty that there are, safe for a
// terminal.
func (u Unknown) String() string {
	const most = 40
	known := "none yet"
	if len(u.Known) > 0 {
		known = strings.Join(u.Known[:min(most, len(u.Known))], ", ")
	}
	if more := len(u.Known) - most; more > 0 {
		known += fmt.Sprintf(", and %d more", more)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, "no run has "+u.Name+": there are "+known)
}

// Unknown returns what the filter of a query that found nothing, and its order
// whatever it found, name that no run has, deleted and archived runs included.
func (db *DB) Unknown(ctx context.Context, query Query, found []RunInfo) ([]Unknown, error) {
	var names []string
	parse := func(text string, what func(*parser) error) error {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		p, err := newParser(text)
		if err == nil {
			err = what(p)
			names = append(names, p.named...)
		}
		return err
	}
	if err := parse(query.OrderBy, func(p *parser) error { _, err := p.order(); return err }); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	if len(found) == 0 {
		if err := parse(query.Filter, func(p *parser) error { _, err := p.filter(); return err }); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
	}
	// Some tags of MLflow's stand for a run's own fields, or come and go.
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "tags.mlflow.") })
	known := namesOf(found)
	if !slices.ContainsFunc(names, func(name string) bool { return !known[name] }) {
		return nil, nil
	}
	all, err := db.Runs(ctx, Query{IncludeDeleted: true, IncludeArchived: true})
	if err != nil {
		return nil, err
	}
	known = namesOf(all)
	var unknown []Unknown
	for i, name := range names {
		if known[name] || slices.Contains(names[:i], name) {
			continue
		}
		u := Unknown{Name: name}
		for other := range known {
			if kind, _, _ := strings.Cut(name, "."); strings.HasPrefix(other, kind+".") {
				u.Known = append(u.Known, other)
			}
		}
		slices.Sort(u.Known)
		unknown = append(unknown, u)
	}
	return unknown, nil
}

// namesOf are what the runs have, as filters name it.
func namesOf(runs []RunInfo) map[string]bool {
	names := map[string]bool{}
	for _, r := range runs {
		for key := range r.Metrics {
			names["metrics."+key] = true
		}
		for key := range r.Params {
			names["params."+key] = true
		}
		for key := range r.Tags {
			names["tags."+key] = true
		}
	}
	return names
}
