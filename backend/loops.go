package backend

import "slices"

// stride is a loop over size numbers of a table, so far from each other.
type stride struct{ size, step int }

// layout tells where a table's numbers lie in another, source, of the given dims: for each axis the loops that it is,
// outermost first, none for an axis of one.
type layout struct {
	source string
	dims   []int
	axes   [][]stride
}

// rowMajor is a table as it is.
func rowMajor(name string, dims []int) layout {
	l, step := layout{name, dims, make([][]stride, len(dims))}, 1
	for i, dim := range slices.Backward(dims) {
		if dim > 1 {
			l.axes[i] = []stride{{dim, step}}
		}
		step *= dim
	}
	return l
}

// transposed is what a transposition makes of a layout.
func (l layout) transposed(permutation []int) layout {
	axes := make([][]stride, len(permutation))
	for i, axis := range permutation {
		axes[i] = l.axes[axis]
	}
	return layout{l.source, l.dims, axes}
}

// reshaped is what a reshape makes of a layout; false where an axis would not be loops.
func (l layout) reshaped(dims []int) (layout, bool) {
	loops, axes := slices.Concat(l.axes...), make([][]stride, len(dims))
	for i, dim := range dims {
		for dim > 1 {
			loop := loops[0]
			switch {
			case dim%loop.size == 0:
				loops = loops[1:]
			case loop.size%dim == 0: // it goes on in the next axis
				inner := loop.size / dim
				loops[0].size, loop = inner, stride{dim, loop.step * inner}
			default:
				return layout{}, false
			}
			dim /= loop.size
			if n := len(axes[i]) - 1; n >= 0 && axes[i][n].step == loop.size*loop.step {
				axes[i][n] = stride{axes[i][n].size * loop.size, loop.step}
			} else {
				axes[i] = append(axes[i], loop)
			}
		}
	}
	return layout{l.source, l.dims, axes}, true
}

// inverse tells where the numbers of l's source, of the given dims, lie in a table that has l's axes, in row-major
// order; false where an axis would not be loops.
func (l layout) inverse(dims []int) ([][]stride, bool) {
	loops := slices.Concat(l.axes...)
	places, step := make(map[int]int), 1 // of a loop, by its step in the source, its step in the table
	for _, loop := range slices.Backward(loops) {
		places[loop.step] = step
		step *= loop.size
	}
	slices.SortFunc(loops, func(a, b stride) int { return b.step - a.step })
	for i, loop := range loops {
		loops[i].step = places[loop.step]
	}
	inverse, ok := layout{axes: [][]stride{loops}}.reshaped(dims)
	return inverse.axes, ok
}

// loop is one of a product's, with its step in each of the three tables.
type loop struct{ size, a, b, c int }

// product is what loops a product of two tables is: product_work's of kernels_linux.h.
type product struct {
	groups        [2]loop
	rows, columns loop
	outer, depth  loop
	swapped       bool // a is the right operand
}

// numbers are product_work's, in their order.
func (p product) numbers() []int {
	g := p.groups
	return []int{g[0].size, g[1].size, p.rows.size, p.columns.size, p.outer.size, p.depth.size,
		g[0].a, g[1].a, p.rows.a, p.outer.a, p.depth.a, g[0].b, g[1].b, p.outer.b, p.depth.b, p.columns.b, g[0].c, g[1].c, p.rows.c}
}

// worthwhile reports whether the kernel beats XLA's own products: not for small ones, which have less around them there.
// The limits are those that were measured (results/speed-log.md); package models has them for layers with a bias.
func (p product) worthwhile() bool {
	return min(p.rows.size, p.columns.size) >= 32 && p.outer.size*p.depth.size >= 48
}

// dots are the axes of a product: batch and contracting ones of both operands.
type dots struct{ lhsBatch, rhsBatch, lhsDepth, rhsDepth []int }

// plan finds the loops of a product from where the numbers of its operands and its result lie, the result's axes being
// batch, left and right; false where they are not those that the kernel has.
func (d dots) plan(lhs, rhs, out [][]stride) (p product, ok bool) {
	pick := func(table [][]stride, axes []int) (loops []stride) {
		for _, axis := range axes {
			loops = append(loops, table[axis]...)
		}
		return loops
	}
	rest := func(table [][]stride, used ...int) (loops []stride) {
		for axis := range table {
			if !slices.Contains(used, axis) {
				loops = append(loops, table[axis]...)
			}
		}
		return loops
	}
	batch, left := len(d.lhsBatch), len(lhs)-len(d.lhsDepth)
	groups, ok0 := together(pick(lhs, d.lhsBatch), pick(rhs, d.rhsBatch), slices.Concat(out[:batch]...))
	rows, ok1 := together(rest(lhs, slices.Concat(d.lhsBatch, d.lhsDepth)...), nil, slices.Concat(out[batch:left]...))
	columns, ok2 := together(nil, rest(rhs, slices.Concat(d.rhsBatch, d.rhsDepth)...), slices.Concat(out[left:]...))
	sums, ok3 := together(pick(lhs, d.lhsDepth), pick(rhs, d.rhsDepth), nil)
	if !(ok0 && ok1 && ok2 && ok3) {
		return p, false
	}
	// The result's numbers of one row lie side by side: if those of the left operand do, it is the right one.
	beside := func(l loop) bool { return l.c == 1 }
	if !slices.ContainsFunc(columns, beside) {
		p.swapped = true
		for _, loops := range [][]loop{groups, rows, columns, sums} {
			for i, l := range loops {
				loops[i] = loop{l.size, l.b, l.a, l.c}
			}
		}
		rows, columns = columns, rows
	}
	at := slices.IndexFunc(columns, beside)
	if at < 0 || len(rows) == 0 || len(sums) == 0 || len(sums) > 2 {
		return p, false
	}
	one := loop{size: 1}
	p.groups, p.outer = [2]loop{one, one}, one
	p.rows, p.columns, p.depth = rows[len(rows)-1], columns[at], sums[len(sums)-1]
	if len(sums) == 2 {
		p.outer = sums[0]
	}
	groups = slices.Concat(groups, rows[:len(rows)-1], columns[:at], columns[at+1:])
	return p, copy(p.groups[:], groups) == len(groups)
}

// together cuts lists that run over the same numbers into loops that they share, nil being a table that does not move;
// false where their sizes do not divide.
func together(a, b, c []stride) (loops []loop, ok bool) {
	lists := [3][]stride{slices.Clone(a), slices.Clone(b), slices.Clone(c)}
	moves := [3]bool{a != nil, b != nil, c != nil}
	for {
		size := 0
		for i, list := range lists {
			if moves[i] && len(list) > 0 && (size == 0 || list[len(list)-1].size < size) {
				size = list[len(list)-1].size
			}
		}
		if size == 0 {
			slices.Reverse(loops)
			return joined(loops), true
		}
		var steps [3]int
		for i, list := range lists {
			if !moves[i] {
				continue
			}
			if len(list) == 0 || list[len(list)-1].size%size != 0 {
				return nil, false
			}
			last := &list[len(list)-1]
			steps[i] = last.step
			if last.size /= size; last.size == 1 {
				lists[i] = list[:len(list)-1]
			} else {
				last.step *= size
			}
		}
		loops = append(loops, loop{size, steps[0], steps[1], steps[2]})
	}
}

// joined joins loops where one goes on with what the next does.
func joined(loops []loop) (out []loop) {
	for _, l := range loops {
		if n := len(out) - 1; n >= 0 && out[n].a == l.size*l.a && out[n].b == l.size*l.b && out[n].c == l.size*l.c {
			out[n] = loop{out[n].size * l.size, l.a, l.b, l.c}
		} else {
			out = append(out, l)
		}
	}
	return out
}
