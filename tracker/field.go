package tracker

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// field is what a filter or an order may name: a number or texts of a run.
type field struct {
	spelled    string
	number     func(*RunInfo) (float64, bool) // nil: it is a text
	texts      func(*RunInfo) []string        // more than one only for datasets
	ignoreCase bool
}

func (f field) has(r *RunInfo) bool {
	if f.number != nil {
		_, ok := f.number(r)
		return ok
	}
	return len(f.texts(r)) > 0
}

func (f field) fold(text string) string {
	if f.ignoreCase {
		return strings.ToLower(text)
	}
	return text
}

// name parses what a comparison or an order speaks about.
func (p *parser) name() (field, error) {
	first := p.next()
	if first.kind != wordToken && first.kind != quotedToken {
		return field{}, p.fail(first, "expected a name such as metrics.val_accuracy, found %v", first)
	}
	if t := p.peek(); !t.sign(".") && !(t.kind == numberToken && t.text[0] == '.') { // metrics.5x: metrics and the number .5x
		return p.attribute(first)
	}
	kind := strings.ToLower(first.text)
	keyAt := p.peek()
	key, err := p.key()
	if err != nil {
		return field{}, err
	}
	spelled := first.text + "." + key
	switch kind {
	case "metrics", "metric":
		p.named = append(p.named, "metrics."+key)
		return field{spelled: spelled, number: func(r *RunInfo) (float64, bool) {
			m, ok := r.Metrics[key]
			return m.Value, ok
		}}, nil
	case "params", "param", "parameters", "parameter":
		p.named = append(p.named, "params."+key)
		return mapField(spelled, key, func(r *RunInfo) map[string]string { return r.Params }), nil
	case "tags", "tag":
		if f, ok := mlflowField(spelled, key); ok {
			return f, nil
		}
		p.named = append(p.named, "tags."+key)
		return mapField(spelled, key, func(r *RunInfo) map[string]string { return r.Tags }), nil
	case "environment":
		return mapField(spelled, key, func(r *RunInfo) map[string]string { return r.Environment }), nil
	case "datasets", "dataset":
		return p.dataset(keyAt, key)
	case "attributes", "attribute", "attr", "run":
		return p.attribute(token{wordToken, key, keyAt.offset})
	}
	return field{}, p.fail(first, "unknown %q: metrics, params, tags, attributes, datasets and environment are known", first.text)
}

// key reads what follows an entity: .key, .key.with.points, .`any key`.
func (p *parser) key() (string, error) {
	var key strings.Builder
	for {
		t := p.peek()
		switch {
		case t.kind == numberToken && strings.HasPrefix(t.text, "."):
			p.next()
			key.WriteString(t.text)
		case t.sign("."):
			p.next()
			key.WriteString(".")
			t = p.next()
			if t.kind != wordToken && t.kind != quotedToken && t.kind != numberToken {
				return "", p.fail(t, "expected a key after the point, found %v", t)
			}
			key.WriteString(t.text)
			if after := p.peek(); t.kind == numberToken && after.kind == wordToken && after.offset == t.offset+len(t.text) {
				key.WriteString(p.next().text)
			}
		default:
			return strings.TrimPrefix(key.String(), "."), nil
		}
	}
}

func mapField(spelled, key string, of func(*RunInfo) map[string]string) field {
	return field{spelled: spelled, texts: func(r *RunInfo) []string {
		if v, ok := of(r)[key]; ok {
			return []string{v}
		}
		return nil
	}}
}

// mlflowField is the field of a run that MLflow keeps in a tag.
func mlflowField(spelled, key string) (field, bool) {
	of, ok := map[string]func(*RunInfo) string{
		"mlflow.runName":      func(r *RunInfo) string { return r.Name },
		"mlflow.note.content": func(r *RunInfo) string { return r.Note },
		"mlflow.parentRunId":  func(r *RunInfo) string { return r.Parent },
	}[key]
	return field{spelled: spelled, texts: func(r *RunInfo) []string {
		text := r.Tags[key] // one that was set as a tag, not through MLflow
		if s := of(r); s != "" {
			text = s
		}
		if text == "" {
			return nil
		}
		return []string{text}
	}}, ok
}

func (p *parser) dataset(at token, key string) (field, error) {
	var of func(Input) string
	switch key {
	case "name":
		of = func(i Input) string { return i.Name }
	case "digest":
		of = func(i Input) string { return i.Digest }
	case "context":
		of = func(i Input) string { return i.Context }
	default:
		return field{}, p.fail(at, "a dataset has no %q: name, digest and context are known", key)
	}
	return field{spelled: "datasets." + key, texts: func(r *RunInfo) []string {
		var texts []string
		for _, input := range r.Inputs {
			texts = append(texts, of(input))
		}
		return texts
	}}, nil
}

func (p *parser) attribute(at token) (field, error) {
	text := func(of func(*RunInfo) string) (field, error) {
		return field{spelled: at.text, texts: func(r *RunInfo) []string {
			if s := of(r); s != "" {
				return []string{s}
			}
			return nil
		}}, nil
	}
	switch strings.ToLower(at.text) {
	case "run_id", "id":
		return text(func(r *RunInfo) string { return r.ID })
	case "run_name", "run name", "name":
		return text(func(r *RunInfo) string { return r.Name })
	case "experiment", "experiment_name":
		return text(func(r *RunInfo) string { return r.Experiment })
	case "parent", "parent_run_id":
		return text(func(r *RunInfo) string { return r.Parent })
	case "note", "description":
		return text(func(r *RunInfo) string { return r.Note })
	case "user_id", "user":
		return mapField(at.text, "mlflow.user", func(r *RunInfo) map[string]string { return r.Tags }), nil
	case "lifecycle_stage":
		return text(func(r *RunInfo) string { return map[bool]string{true: "deleted", false: "active"}[r.Deleted] })
	case "status":
		f, _ := text(func(r *RunInfo) string { return r.Status.String() })
		f.ignoreCase = true
		return f, nil
	case "start_time", "created":
		return field{spelled: at.text, number: func(r *RunInfo) (float64, bool) { return millis(r.Start) }}, nil
	case "end_time":
		return field{spelled: at.text, number: func(r *RunInfo) (float64, bool) { return millis(r.End) }}, nil
	}
	return field{}, p.fail(at, "unknown attribute %q: run_id, run_name, status, start_time, end_time, user_id, experiment, "+
		"parent and note are known", at.text)
}

// parseOrder turns an order into a comparison of runs; nil keeps the default,
// the latest start first.
func parseOrder(text string) (func(a, b *RunInfo) int, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	return p.order()
}

func (p *parser) order() (func(a, b *RunInfo) int, error) {
	var orders []func(a, b *RunInfo) int
	for {
		f, err := p.name()
		if err != nil {
			return nil, err
		}
		direction := 1
		if p.take("desc") {
			direction = -1
		} else {
			p.take("asc")
		}
		orders = append(orders, f.order(direction))
		t := p.next()
		if t.kind == endToken {
			break
		}
		if !t.sign(",") {
			return nil, p.fail(t, "expected ASC, DESC, a comma or the end, found %v", t)
		}
	}
	return func(a, b *RunInfo) int {
		for _, order := range orders {
			if d := order(a, b); d != 0 {
				return d
			}
		}
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID))
	}, nil
}

// order compares runs by the field: NaN comes behind the numbers, and runs
// without the field behind all, in either direction.
func (f field) order(direction int) func(a, b *RunInfo) int {
	rank := func(has, nan bool) int {
		switch {
		case !has:
			return 2
		case nan:
			return 1
		}
		return 0
	}
	if f.number != nil {
		return func(a, b *RunInfo) int {
			x, hasX := f.number(a)
			y, hasY := f.number(b)
			if d := rank(hasX, math.IsNaN(x)) - rank(hasY, math.IsNaN(y)); d != 0 || !hasX {
				return d
			}
			return direction * cmp.Compare(x, y)
		}
	}
	return func(a, b *RunInfo) int {
		x, y := f.texts(a), f.texts(b)
		if d := rank(len(x) > 0, false) - rank(len(y) > 0, false); d != 0 {
			return d
		}
		return direction * slices.Compare(x, y)
	}
}
