package backend

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dotGeneral is a product of float32 in StableHLO as go-xla writes it.
var dotGeneral = regexp.MustCompile(`(%\w+) = "stablehlo\.dot_general"\((%\w+), (%\w+)\) \{
 *dot_dimension_numbers = #stablehlo\.dot<
 *lhs_batching_dimensions = \[([\d, ]*)\],
 *rhs_batching_dimensions = \[([\d, ]*)\],
 *lhs_contracting_dimensions = \[([\d, ]*)\],
 *rhs_contracting_dimensions = \[([\d, ]*)\]
 *>,
 *precision_config = [^\n]*
 *\} : \(tensor<([\dx]+)xf32>, tensor<([\dx]+)xf32>\) -> tensor<([\dx]+)xf32>`)

// relaying is a reshape or a transposition of float32.
var relaying = regexp.MustCompile(`(%\w+) = "stablehlo\.(reshape|transpose)"\((%\w+)\)` +
	`(?: \{ permutation = array<i64: ([\d, ]+)> \})? : \(tensor<([\dx]+)xf32>\) -> tensor<([\dx]+)xf32>`)

var (
	anyName     = regexp.MustCompile(`%\w+`)
	definitions = regexp.MustCompile(`%\w+(?:, %\w+)* = "`)
)

// relaid is what a reshape or transposition makes.
type relaid struct {
	name, argument string
	permutation    []int // nil: a reshape
	from, to       []int // dims
	place          [2]int
}

func (r relaid) layout(l layout) (layout, bool) {
	if r.permutation != nil {
		return l.transposed(r.permutation), true
	}
	return l.reshaped(r.to)
}

// tables are those of a program that products may read and write otherwise than it says.
type tables struct {
	made       map[string]relaid
	users      map[string]relaid // by argument
	uses       map[string]int    // of a name, by operations of any kind
	multiplied map[string]bool   // whether a product reads it
}

// readTables is false for a program in which a table's name has several meanings, as in one of several functions
// (reductions name scalars alike).
func readTables(code []byte) (t tables, ok bool) {
	t = tables{make(map[string]relaid), make(map[string]relaid), make(map[string]int), make(map[string]bool)}
	defined := make(map[string]int)
	for _, names := range definitions.FindAll(code, -1) {
		for _, name := range anyName.FindAll(names, -1) {
			defined[string(name)]++
		}
	}
	for _, name := range anyName.FindAll(code, -1) {
		t.uses[string(name)]++
	}
	for name := range t.uses {
		t.uses[name]-- // its definition
	}
	for _, m := range dotGeneral.FindAllSubmatch(code, -1) {
		t.multiplied[string(m[2])], t.multiplied[string(m[3])] = true, true
		if defined[string(m[1])] > 1 {
			return t, false
		}
	}
	for _, m := range relaying.FindAllSubmatchIndex(code, -1) {
		part := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return string(code[m[2*i]:m[2*i+1]])
		}
		r := relaid{part(1), part(3), integers(part(4), ", "), integers(part(5), "x"), integers(part(6), "x"), [2]int{m[0], m[1]}}
		if slices.Contains(r.to, 0) {
			continue
		}
		if defined[r.name] > 1 {
			return t, false
		}
		t.made[r.name], t.users[r.argument] = r, r
	}
	return t, true
}

// origin follows a table's reshapes and transposes back, as far as its numbers' places are loops.
func (t tables) origin(name string, dims []int) layout {
	if r, ok := t.made[name]; ok {
		if l, ok := r.layout(t.origin(r.argument, r.from)); ok {
			return l
		}
	}
	return rowMajor(name, dims)
}

// next returns the reshape or transposition that alone uses a table, unless a call does it already.
func (t tables) next(name string) (relaid, bool) {
	r, ok := t.made[t.users[name].name]
	return r, ok && t.uses[name] == 1
}

// read reports whether a product reads a table, reshaped or not.
func (t tables) read(name string) bool {
	r, ok := t.next(name)
	return t.multiplied[name] || ok && r.permutation == nil && t.read(r.name)
}

// end is a table in which a product's result may be written.
type end struct {
	layout          // whose axes tell where the product's numbers lie
	path   []relaid // what leads to it, which is not done then
	read   bool     // whether a product reads it, which does so as well if it is not transposed
}

// ends are a product's own table, and those that reshapes and transposes make of it.
func (t tables) ends(name string, dims []int) []end {
	here := rowMajor(name, dims)
	now := end{layout: here}
	all := []end{now}
	for {
		r, ok := t.next(now.source)
		var axes [][]stride
		if ok {
			here, ok = r.layout(here)
		}
		if ok {
			axes, ok = here.inverse(dims)
		}
		if !ok {
			return all
		}
		now = end{layout{r.name, r.to, axes}, append(slices.Clone(now.path), r), t.read(r.name)}
		all = append(all, now)
	}
}

// callProducts returns a StableHLO program with calls of kernels_linux.h in place of products of tables. They read and write
// tables as they lie, so that transposes of them are not made. nil: there are none, or the program is for several devices,
// for which XLA takes tables apart.
func callProducts(code []byte) []byte {
	if bytes.Contains(code, []byte("num_partitions")) {
		return nil
	}
	t, ok := readTables(code)
	if !ok {
		return nil
	}
	type edit struct {
		place [2]int
		text  string
	}
	var edits []edit
	for _, m := range dotGeneral.FindAllSubmatchIndex(code, -1) {
		part := func(i int) string { return string(code[m[2*i]:m[2*i+1]]) }
		axes := func(i int) []int { return integers(part(i), ", ") }
		d := dots{axes(4), axes(5), axes(6), axes(7)}
		left, right, result := integers(part(8), "x"), integers(part(9), "x"), integers(part(10), "x")
		if slices.Contains(slices.Concat(left, right), 0) {
			continue
		}
		read := func(name string, dims []int) []layout { return []layout{t.origin(name, dims), rowMajor(name, dims)} }
		e, call := callProduct(d, read(part(2), left), read(part(3), right), t.ends(part(1), result))
		if call == nil {
			continue
		}
		edits = append(edits, edit{[2]int{m[0], m[1]}, e.source + " = " + string(call)})
		for _, r := range e.path {
			edits = append(edits, edit{r.place, ""})
			delete(t.made, r.name)
		}
	}
	if len(edits) == 0 {
		return nil
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.place[0] - b.place[0] })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.Write(code[at:e.place[0]])
		b.WriteString(e.text)
		at = e.place[1]
	}
	b.Write(code[at:])
	return []byte(b.String())
}

// callProduct returns the call that does with the fewest transposes; nil where XLA's own product is the better.
func callProduct(d dots, left, right []layout, ends []end) (end, []byte) {
	for _, e := range slices.Backward(ends) {
		for _, lhs := range left {
			for _, rhs := range right {
				work, ok := d.plan(lhs.axes, rhs.axes, e.axes)
				if !ok || !work.worthwhile() || work.swapped && e.read {
					continue
				}
				a, b := lhs, rhs
				if work.swapped {
					a, b = rhs, lhs
				}
				return e, customCall("patchlab_product", []byte(a.source+", "+b.source), "loops = array<i64: "+join(work.numbers(), ", ")+">",
					[]int{len(a.dims), len(b.dims)}, []int{len(e.dims)}, fmt.Appendf(nil, "(%s, %s) -> %s", tensor(a.dims), tensor(b.dims), tensor(e.dims)))
			}
		}
	}
	return end{}, nil
}

func tensor(dims []int) string {
	if len(dims) == 0 {
		return "tensor<f32>"
	}
	return "tensor<" + join(dims, "x") + "xf32>"
}

// integers are those of a text, between separators.
func integers(text, separator string) (numbers []int) {
	if text == "" {
		return nil
	}
	for _, part := range strings.Split(text, separator) {
		n, _ := strconv.Atoi(part)
		numbers = append(numbers, n)
	}
	return numbers
}

func join(numbers []int, separator string) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, separator)
}
