package backend

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// adamW is a step of AdamW on one table of weights in StableHLO, as experiments.AdamW.Update makes it, operation by
// operation: what it makes, its name, its arguments. All others are made before.
const adamW = `
	d subtract g m
	rate1 broadcast_in_dim mean_rate
	dm multiply d rate1
	new_m add m dm
	gg multiply g g
	dd subtract gg v
	rate2 broadcast_in_dim square_rate
	dv multiply dd rate2
	new_v add v dv
	rate3 broadcast_in_dim decay
	dw multiply w rate3
	decayed subtract w dw
	rate4 broadcast_in_dim rate
	up multiply new_m rate4
	root sqrt new_v
	epsilons broadcast_in_dim epsilon
	down add root epsilons
	step divide up down
	new_w subtract decayed step`

var (
	decaying    = steps(adamW)
	undecaying  = steps(regexp.MustCompile(`\n.*rate3 .*\n.*\n.*`).ReplaceAllString(strings.ReplaceAll(adamW, "decayed step", "w step"), ""))
	elementwise = regexp.MustCompile(`^ *(%\w+) = "stablehlo\.(\w+)"\((%\w+)(?:, (%\w+))?\)(?: \{ broadcast_dimensions = array<i64> \})? : \([^)]*\) -> tensor<([\dx]+)xf32>$`)
)

func steps(text string) (all [][]string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		all = append(all, strings.Fields(line))
	}
	return all
}

// callAdamW replaces steps of AdamW by calls, one for each table, where XLA compiles and runs three kernels. What else
// uses a number in between still finds it.
func callAdamW(code []byte) []byte {
	if !bytes.Contains(code, []byte(`"stablehlo.sqrt"`)) {
		return code
	}
	lines := strings.SplitAfter(string(code), "\n")
	for i := range lines {
		for _, pattern := range [][][]string{decaying, undecaying} {
			names, dims, ok := matched(lines[i:], pattern)
			if !ok {
				continue
			}
			arguments := []string{"w", "g", "m", "v", "mean_rate", "square_rate", "rate", "epsilon"}
			if names["decay"] != "" {
				arguments = append(arguments, "decay")
			}
			ranks, types := make([]int, len(arguments)), make([]string, len(arguments))
			for k, a := range arguments {
				arguments[k], types[k] = names[a], "tensor<f32>"
				if k < 4 {
					ranks[k], types[k] = len(dims), tensor(dims)
				}
			}
			call := customCall("patchlab_adamw", []byte(strings.Join(arguments, ", ")), "", ranks, ranks[:3],
				fmt.Appendf(nil, "(%s) -> (%s)", strings.Join(types, ", "), strings.Join(types[:3], ", ")), [2]int{1, 2}, [2]int{2, 3})
			for k, step := range pattern {
				switch step[0] {
				case "new_m":
					lines[i+k] = fmt.Sprintf("    %s, %s, %s = %s\n", names["new_w"], names["new_m"], names["new_v"], call)
				case "new_v", "new_w":
					lines[i+k] = ""
				}
			}
		}
	}
	return []byte(strings.Join(lines, ""))
}

// matched reports whether lines begin with a pattern's operations on tables of the same dims, and by what names.
func matched(lines []string, pattern [][]string) (names map[string]string, dims []int, ok bool) {
	names = make(map[string]string)
	for i, step := range pattern {
		if i >= len(lines) {
			return nil, nil, false
		}
		part := elementwise.FindStringSubmatch(strings.TrimSuffix(lines[i], "\n"))
		if part == nil || part[2] != step[1] || i > 0 && part[5] != join(dims, "x") {
			return nil, nil, false
		}
		dims = integers(part[5], "x")
		given := append([]string{part[1]}, part[3:3+len(step)-2]...)
		for k, name := range append(step[:1:1], step[2:]...) {
			if known, ok := names[name]; ok && known != given[k] {
				return nil, nil, false
			}
			names[name] = given[k]
		}
	}
	return names, dims, true
}
