package backend

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// norm is a norm or its gradient in StableHLO as go-xla writes it.
	norm = regexp.MustCompile(`"stablehlo\.batch_norm_(training|grad)"\([%\w, ]+\) \{
 *epsilon = ([-+.\de]+) : f32,
 *feature_index = (\d+) : i64
 *\} : \(tensor<(\d+(?:x\d+)+)xf32>, (?:tensor<\d+(?:x\d+)*xf32>(?:, |\)))+ -> \(tensor<\d+(?:x\d+)+xf32>, tensor<\d+xf32>, tensor<\d+xf32>\)`)

	scalar = regexp.MustCompile(`value = dense<([-+.\de]+)> : tensor<f32>`)

	// sum is over rows.
	sum = regexp.MustCompile(`\(\{
 *\^\w+\(%lhs: tensor<f32>, %rhs: tensor<f32>\) :
 *(%\w+) = "stablehlo\.add"\(%lhs, %rhs\) : \(tensor<f32>, tensor<f32>\) -> tensor<f32>
 *"stablehlo\.return"\((%\w+)\) : \(tensor<f32>\) -> \(\)
 *\}\) \{ dimensions = array<i64: 0> \} `)

	// affine follows a norm over rows where it is a layer's.
	affine = parsePattern(`
	scales broadcast_in_dim[1] scale
	scaled multiply unit scales
	offsets broadcast_in_dim[1] offset
	y add scaled offsets`)
)

// layer is a norm over the rows of a table x, with what follows it.
type layer struct {
	x, unit, scale, variance, epsilon string
	dims                              []int
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
func callNorms(all statements) {
	made, names := make(definedBy), make(map[string]int) // how often each name is said
	several := false                                     // results of one name, as in a program of several functions
	for _, s := range all {
		for _, name := range s.results {
			_, twice := made[name]
			several = several || twice && name != ""
			made[name] = s
		}
		for _, name := range anyName.FindAllString(s.text, -1) {
			names[name]++
		}
	}
	layers := make(map[string]layer) // by their means
	for i, s := range all {
		if !strings.HasPrefix(s.op, "batch_norm_") {
			continue
		}
		part := norm.FindStringSubmatch(s.text)
		if part == nil {
			continue
		}
		epsilon, dims := part[2], integers(part[4], "x")
		attributes := "epsilon = " + epsilon + " : f32"
		replace := func(k int, results []string, target string, arguments []string, argumentKinds, resultKinds string) {
			all[k].text = "    " + strings.Join(results, ", ") + " = " + call(target, attributes, dims, arguments, argumentKinds, resultKinds) + "\n"
		}
		byRow := part[3] == "0" && len(dims) == 2 && !several && made.constant(s.arguments[1], "1.0")
		switch {
		case slices.Contains(dims, 0):
		case part[3] == strconv.Itoa(len(dims)-1) && part[1] == "training":
			replace(i, s.results, "patchlab_batch_norm", s.arguments, "xcc", "xcc")
		case part[3] == strconv.Itoa(len(dims)-1):
			replace(i, s.results, "patchlab_batch_norm_gradient", s.arguments, "xcccx", "xcc")
		case byRow && part[1] == "training" && made.constant(s.arguments[2], "0.0"):
			found := map[string]string{"unit": s.results[0]}
			own, ok := affine.match(all[i+1:], found)
			if !ok || !slices.Equal(own, dims) || slices.Contains(s.results, found["scale"]) || slices.Contains(s.results, found["offset"]) {
				continue
			}
			mean, variance := s.results[1], s.results[2]
			layers[mean] = layer{s.arguments[0], s.results[0], found["scale"], variance, epsilon, dims}
			// The norm itself stays for those who use it, under other names, and is dropped if there are none.
			all[i].text = strings.Replace(s.text, mean+", "+variance+" = ", "%plain_"+mean[1:]+", %plain_"+variance[1:]+" = ", 1)
			replace(i+len(affine), []string{found["y"], mean, variance}, "patchlab_layer_norm", []string{s.arguments[0], found["scale"], found["offset"]}, "xcc", "xrr")
		case byRow && part[1] == "grad":
			l := layers[s.arguments[2]]
			dscale, doffset, ok := gradients(all, i, made, l)
			if !ok || l.epsilon != epsilon || names[s.results[1]] > 1 || names[s.results[2]] > 1 {
				continue
			}
			dy := made[s.arguments[4]].arguments[0]
			replace(i, []string{s.results[0], all[dscale].results[0], all[doffset].results[0]}, "patchlab_layer_norm_gradient",
				[]string{l.x, l.scale, s.arguments[2], l.variance, dy}, "xcrrx", "xcc")
			all[dscale].text, all[doffset].text = "", ""
		}
	}
}

// gradients reports whether statement i, the gradient of a norm over rows, is part of a layer's, and which statements
// after it sum the gradients of its scale and offset.
func gradients(all statements, i int, made definedBy, l layer) (dscale, doffset int, ok bool) {
	norm, scaled := all[i], made[all[i].arguments[4]]
	if norm.arguments[0] != l.x || norm.arguments[3] != l.variance || scaled.op != "multiply" {
		return 0, 0, false
	}
	if scales := made[scaled.arguments[1]]; scales.op != "broadcast_in_dim[1]" || scales.arguments[0] != l.scale {
		return 0, 0, false
	}
	dy := scaled.arguments[0]
	for k := i + 1; k < len(all) && (dscale == 0 || doffset == 0); k++ {
		s := all[k]
		if s.op != "reduce" || !s.sumsRows() || !made.constant(s.arguments[1], "0.0") {
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

func (s statement) sumsRows() bool {
	part := sum.FindStringSubmatch(s.text)
	return part != nil && part[1] == part[2]
}
