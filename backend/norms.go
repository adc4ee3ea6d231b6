package backend

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// norm is a norm or its gradient in StableHLO as go-xla writes it.
	norm = regexp.MustCompile(`"stablehlo\.batch_norm_(training|grad)"\(([%\w, ]+)\) \{
 *epsilon = ([-+.\de]+) : f32,
 *feature_index = (\d+) : i64
 *\} : (\(tensor<(\d+(?:x\d+)+)xf32>, (?:tensor<\d+(?:x\d+)*xf32>(?:, |\)))+ -> \(tensor<\d+(?:x\d+)+xf32>, tensor<\d+xf32>, tensor<\d+xf32>\))`)

	scalar = regexp.MustCompile(`value = dense<([-+.\de]+)> : tensor<f32>`)
	sum    = regexp.MustCompile(`(?s)"stablehlo\.add"\(.*\bdimensions = array<i64: 0> \}`) // over rows

	// affine follows a norm over rows where it is a layer's.
	affine = parsePattern(`
	scales broadcast_in_dim[1] scale
	scaled multiply unit scales
	offsets broadcast_in_dim[1] offset
	y add scaled offsets`)
)

// layer is a norm over the rows of a table, with what follows it.
type layer struct {
	x, unit, scale string
	dims           []int
}

// definedBy are the statements of a program by what they make.
type definedBy map[string]statement

// constant reports whether a name stands for this number, or for a table of it.
func (d definedBy) constant(name, value string) bool {
	s := d[name]
	if s.op == "broadcast_in_dim[]" {
		s = d[s.arguments[0]]
	}
	part := scalar.FindStringSubmatch(s.text)
	return s.op == "constant" && part != nil && part[1] == value
}

// callNorms replaces norms and their gradients by calls: those over all but the last axis, and those over each row that
// are scaled and moved by channel afterwards.
func callNorms(code []byte) []byte {
	if !norm.Match(code) {
		return code
	}
	all := statementsOf(code)
	made, uses := make(definedBy), make(map[string]int)
	several := false // of one name, as in a program of several functions
	for _, s := range all {
		for _, name := range s.results {
			_, twice := made[name]
			several = several || twice && name != ""
			made[name] = s
		}
		for _, name := range s.arguments {
			uses[name]++
		}
	}
	layers := make(map[string]layer) // by their means
	for i, s := range all {
		part := norm.FindStringSubmatch(s.text)
		if part == nil || !strings.HasPrefix(s.op, "batch_norm_") {
			continue
		}
		epsilon, dims := part[3], integers(part[6], "x")
		switch axis := part[4]; {
		case axis == fmt.Sprint(len(dims)-1):
			all[i].text = strings.Replace(s.text, part[0], batchNorm(part), 1)
		case axis != "0" || len(dims) != 2 || several || !made.constant(s.arguments[1], "1.0"):
		case part[1] == "training":
			names := map[string]string{"unit": s.results[0]}
			if !made.constant(s.arguments[2], "0.0") || len(all) <= i+1 {
				continue
			}
			if own, ok := affine.match(all[i+1:], names); !ok || !slices.Equal(own, dims) {
				continue
			}
			mean, variance := s.results[1], s.results[2]
			layers[mean] = layer{s.arguments[0], s.results[0], names["scale"], dims}
			// The norm itself stays for those who use it, under other names, and is dropped if there are none.
			all[i].text = strings.Replace(s.text, mean+", "+variance+" = ", "%plain_"+mean[1:]+", %plain_"+variance[1:]+" = ", 1)
			all[i+4].text = fmt.Sprintf("    %s, %s, %s = %s\n", names["y"], mean, variance,
				layerNorm("patchlab_layer_norm", epsilon, dims, []string{s.arguments[0], names["scale"], names["offset"]}, "xcc", "xrr"))
		default:
			l := layers[s.arguments[2]]
			dscale, doffset, ok := gradients(all, i, made, l)
			if !ok || uses[s.results[1]]+uses[s.results[2]] > 0 {
				continue
			}
			dy := made[s.arguments[4]].arguments[0]
			all[i].text = fmt.Sprintf("    %s, %s, %s = %s\n", s.results[0], all[dscale].results[0], all[doffset].results[0],
				layerNorm("patchlab_layer_norm_gradient", epsilon, dims, []string{l.x, l.scale, s.arguments[2], s.arguments[3], dy}, "xcrrx", "xcc"))
			all[dscale].text, all[doffset].text = "", ""
		}
	}
	return all.code()
}

// gradients reports whether statement i, the gradient of a norm over rows, is part of a layer norm's, and which
// statements after it sum the gradients of its scale and offset.
func gradients(all statements, i int, made definedBy, l layer) (dscale, doffset int, ok bool) {
	s := all[i]
	scaled := made[s.arguments[4]]
	if l.x != s.arguments[0] || scaled.op != "multiply" {
		return 0, 0, false
	}
	if scales := made[scaled.arguments[1]]; scales.op != "broadcast_in_dim[1]" || scales.arguments[0] != l.scale {
		return 0, 0, false
	}
	dy := scaled.arguments[0]
	for k := i + 1; k < len(all) && (dscale == 0 || doffset == 0); k++ {
		s := all[k]
		own, ok := s.dims()
		if s.op != "reduce" || !ok || !slices.Equal(own, l.dims[1:]) || !sum.MatchString(s.text) || !made.constant(s.arguments[1], "0.0") {
			continue
		}
		of := made[s.arguments[0]]
		switch {
		case s.arguments[0] == dy:
			doffset = k
		case of.op == "multiply" && slices.Equal(of.arguments, []string{dy, l.unit}):
			dscale = k
		}
	}
	return dscale, doffset, dscale > 0 && doffset > 0
}

// batchNorm is the call for a norm over all but the last axis, by what norm found.
func batchNorm(part []string) string {
	rank := strings.Count(part[6], "x") + 1
	target, arguments := "patchlab_batch_norm", []int{rank, 1, 1}
	if part[1] == "grad" {
		target, arguments = "patchlab_batch_norm_gradient", []int{rank, 1, 1, 1, rank}
	}
	return string(customCall(target, []byte(part[2]), "epsilon = "+part[3]+" : f32", arguments, []int{rank, 1, 1}, []byte(part[5])))
}

// layerNorm is a call for a table of these dims. Kinds tell of each argument and each result whether it is such a table
// (x), or has a number for each row (r) or channel (c).
func layerNorm(target, epsilon string, dims []int, arguments []string, argumentKinds, resultKinds string) string {
	describe := func(kinds string) (ranks []int, types string) {
		texts := make([]string, len(kinds))
		for i, kind := range kinds {
			own := map[rune][]int{'x': dims, 'r': dims[:1], 'c': dims[1:]}[kind]
			ranks = append(ranks, len(own))
			texts[i] = tensor(own)
		}
		return ranks, "(" + strings.Join(texts, ", ") + ")"
	}
	argumentRanks, argumentTypes := describe(argumentKinds)
	resultRanks, resultTypes := describe(resultKinds)
	return string(customCall(target, []byte(strings.Join(arguments, ", ")), "epsilon = "+epsilon+" : f32", argumentRanks, resultRanks, []byte(argumentTypes+" -> "+resultTypes)))
}
