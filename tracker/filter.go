package tracker

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The grammar is MLflow's, with or, not and brackets besides:
//
//	filter     = term { "or" term }
//	term       = factor { "and" factor }
//	factor     = "not" factor | "(" filter ")" | comparison
//	comparison = name ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//	           | name [ "not" ] ( "like" | "ilike" ) text
//	           | name [ "not" ] "in" "(" text { "," text } ")"
//	           | name "is" [ "not" ] "null"
//	name       = ( "metrics" | "params" | "tags" | "attributes" | "datasets" ) "." key | attribute
//
// A key with other characters than letters, digits, and _ - . / : @ stands in
// backticks or double quotes. A comparison with what a run does not have is
// false, whatever the sign.

// predicate tells whether a run is wanted.
type predicate func(*RunInfo) bool

// maxQuery bounds a filter or order, in bytes: a client's must not fill the
// memory with its terms.
const maxQuery = 64 << 10

// ParseFilter turns a filter in MLflow's search grammar into a function that
// tells whether a run is wanted. Errors are SyntaxErrors.
func ParseFilter(text string) (func(*RunInfo) bool, error) {
	wanted, err := parseFilter(text)
	if wanted == nil {
		wanted = func(*RunInfo) bool { return true }
	}
	return wanted, err
}

// parseFilter is ParseFilter; nil wants every run.
func parseFilter(text string) (predicate, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	return p.filter()
}

// maxDepth bounds how deep brackets may nest.
const maxDepth = 100

type parser struct {
	text   string
	tokens []token
	at     int
	named  []string // what was named of metrics., params. and tags.
}

func newParser(text string) (*parser, error) {
	if len(text) > maxQuery {
		start := strings.ToValidUTF8(text[:40], "") + "…" // an error holds no more of it
		return nil, &SyntaxError{start, 0, fmt.Sprintf("a filter or order of %d bytes; allowed: at most %d", len(text), maxQuery)}
	}
	tokens, err := lex(text)
	return &parser{text: text, tokens: tokens}, err
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != endToken {
		p.at++
	}
	return t
}

func (p *parser) take(keyword string) bool {
	if p.peek().is(keyword) {
		p.at++
		return true
	}
	return false
}

func (p *parser) fail(at token, problem string, args ...any) error {
	return &SyntaxError{p.text, at.offset, fmt.Sprintf(problem, args...)}
}

func (p *parser) filter() (predicate, error) {
	wanted, err := p.any(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != endToken {
		return nil, p.fail(t, "expected and, or, or the end, found %v", t)
	}
	return wanted, nil
}

func (p *parser) any(depth int) (predicate, error) {
	left, err := p.all(depth)
	for err == nil && p.take("or") {
		var right predicate
		one := left
		right, err = p.all(depth)
		left = func(r *RunInfo) bool { return one(r) || right(r) }
	}
	return left, err
}

func (p *parser) all(depth int) (predicate, error) {
	left, err := p.factor(depth)
	for err == nil && p.take("and") {
		var right predicate
		one := left
		right, err = p.factor(depth)
		left = func(r *RunInfo) bool { return one(r) && right(r) }
	}
	return left, err
}

func (p *parser) factor(depth int) (predicate, error) {
	t := p.peek()
	if depth > maxDepth {
		return nil, p.fail(t, "brackets nest deeper than %d", maxDepth)
	}
	if p.take("not") {
		wanted, err := p.factor(depth + 1)
		return func(r *RunInfo) bool { return !wanted(r) }, err
	}
	if !t.sign("(") {
		return p.comparison()
	}
	p.next()
	wanted, err := p.any(depth + 1)
	if err == nil && !p.peek().sign(")") {
		err = p.fail(p.peek(), "expected ), found %v", p.peek())
	}
	p.next()
	return wanted, err
}

func (p *parser) comparison() (predicate, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	op := p.next()
	negated := op.is("not")
	if negated {
		op = p.next()
	}
	switch {
	case op.is("is") && !negated:
		absent := !p.take("not")
		if t := p.next(); !t.is("null") {
			return nil, p.fail(t, "expected null, found %v", t)
		}
		return func(r *RunInfo) bool { return name.has(r) != absent }, nil
	case op.is("like"), op.is("ilike"), op.is("in"):
		return p.textual(name, op, negated)
	case negated:
		return nil, p.fail(op, "expected like, ilike or in, found %v", op)
	case op.kind != signToken || !strings.Contains("=!=<=>=", op.text) || op.text == "!":
		return nil, p.fail(op, "expected a comparison (=, !=, <, <=, >, >=, like, ilike, in, is), found %v", op)
	case name.number != nil:
		return p.numeric(name, op)
	}
	return p.textual(name, op, false)
}

// numeric compares a number.
func (p *parser) numeric(name field, op token) (predicate, error) {
	t := p.next()
	want, err := strconv.ParseFloat(t.text, 64)
	if t.kind != numberToken && !(t.kind == wordToken && (t.is("nan") || t.is("inf") || t.is("infinity"))) || err != nil && !math.IsInf(want, 0) {
		return nil, p.fail(t, "%s is a number: expected one such as 0.5, found %v", name.spelled, t)
	}
	return func(r *RunInfo) bool {
		have, ok := name.number(r)
		if !ok {
			return false
		}
		switch op.text {
		case "=":
			return have == want || math.IsNaN(have) && math.IsNaN(want)
		case "!=":
			return have != want && !(math.IsNaN(have) && math.IsNaN(want))
		case "<":
			return have < want
		case "<=":
			return have <= want
		case ">":
			return have > want
		default:
			return have >= want
		}
	}, nil
}

// textual compares a text, or one of several (a run may have many datasets).
func (p *parser) textual(name field, op token, negated bool) (predicate, error) {
	if name.number != nil {
		return nil, p.fail(op, "%s is a number: it can't be compared by %s", name.spelled, op.text)
	}
	var match func(string) bool
	switch {
	case op.is("in"):
		texts, err := p.list(name)
		if err != nil {
			return nil, err
		}
		match = func(have string) bool { return texts[name.fold(have)] }
	case op.sign("<"), op.sign("<="), op.sign(">"), op.sign(">="):
		return nil, p.fail(op, "%s is a text: compare it by =, !=, like, ilike or in", name.spelled)
	default:
		want, err := p.value(name)
		if err != nil {
			return nil, err
		}
		switch {
		case op.is("like"):
			match = func(have string) bool { return like(have, want) }
		case op.is("ilike"):
			want = strings.ToLower(want)
			match = func(have string) bool { return like(strings.ToLower(have), want) }
		default:
			want = name.fold(want)
			negated = op.sign("!=")
			match = func(have string) bool { return name.fold(have) == want }
		}
	}
	return func(r *RunInfo) bool {
		for _, have := range name.texts(r) {
			if match(have) != negated {
				return true
			}
		}
		return false
	}, nil
}

func (p *parser) value(name field) (string, error) {
	t := p.next()
	if t.kind != textToken && t.kind != quotedToken {
		return "", p.fail(t, "%s is a text: expected one in quotes such as 'mixer-4', found %v", name.spelled, t)
	}
	return t.text, nil
}

func (p *parser) list(name field) (map[string]bool, error) {
	if t := p.next(); !t.sign("(") {
		return nil, p.fail(t, "expected ( and texts in quotes, found %v", t)
	}
	texts := map[string]bool{}
	for {
		text, err := p.value(name)
		if err != nil {
			return nil, err
		}
		texts[name.fold(text)] = true
		t := p.next()
		if t.sign(")") {
			return texts, nil
		}
		if !t.sign(",") {
			return nil, p.fail(t, "expected , or ), found %v", t)
		}
	}
}

// like matches SQL's patterns: % is any text, _ any one character.
func like(text, pattern string) bool {
	t, p := []rune(text), []rune(pattern)
	i, j, star, from := 0, 0, -1, 0
	for i < len(t) {
		switch {
		case j < len(p) && p[j] == '%':
			star, from = j, i
			j++
		case j < len(p) && (p[j] == '_' || p[j] == t[i]):
			i++
			j++
		case star >= 0:
			from++
			i, j = from, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}

// millis is a time as MLflow counts it, for comparisons with its numbers.
func millis(t time.Time) (float64, bool) { return float64(t.UnixMicro()) / 1000, !t.IsZero() }
