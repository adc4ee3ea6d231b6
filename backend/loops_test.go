package backend

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// numbers lists where a layout's numbers lie, in the order of its axes.
func numbers(axes [][]stride) []int {
	places := []int{0}
	for _, loop := range slices.Concat(axes...) {
		var next []int
		for _, place := range places {
			for i := range loop.size {
				next = append(next, place+i*loop.step)
			}
		}
		places = next
	}
	return places
}

// TestLayouts follows tables through random reshapes and transposes, each number by itself.
func TestLayouts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	split := func(n int) (dims []int) { // into factors, 1 among them
		for n > 1 {
			f := 1
			for n%f != 0 || f == 1 && r.IntN(4) > 0 {
				f = 1 + r.IntN(n)
			}
			dims, n = append(dims, f), n/f
		}
		return dims
	}
	followed, inverted := 0, 0
	for range 3000 {
		dims := split([]int{225, 108, 256, 720, 54}[r.IntN(5)])
		l := rowMajor("x", dims)
		want := numbers(l.axes) // where the table's numbers lie in x
		now := dims
		for range 1 + r.IntN(4) {
			if r.IntN(2) == 0 {
				permutation := r.Perm(len(now))
				index := rowMajor("", now).transposed(permutation)
				var moved []int
				for _, at := range numbers(index.axes) {
					moved = append(moved, want[at])
				}
				want, l = moved, l.transposed(permutation)
				to := make([]int, len(now))
				for i, axis := range permutation {
					to[i] = now[axis]
				}
				now = to
				continue
			}
			to := split(len(want))
			reshaped, ok := l.reshaped(to)
			if !ok {
				break
			}
			l, now = reshaped, to
		}
		if got := numbers(l.axes); !slices.Equal(got, want) {
			t.Fatalf("%v as %v: %v lies at %v, want %v", dims, now, l.axes, got, want)
		}
		followed++
		axes, ok := l.inverse(dims)
		if !ok {
			continue
		}
		inverted++
		for at, place := range numbers(axes) {
			if want[place] != at {
				t.Fatalf("%v as %v: number %d of x lies at %d by %v, which is number %d", dims, now, at, place, axes, want[place])
			}
		}
	}
	if followed < 1000 || inverted < 500 {
		t.Errorf("only %d layouts were followed, %d inverted", followed, inverted)
	}
}
