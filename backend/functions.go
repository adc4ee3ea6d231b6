package backend

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Call returns what the kernel of that name (handlers_linux.h has them) makes of inputs, results of these shapes, in a program
// that is [Native]. They have no gradient: derivation takes them for constants.
//
// For go-xla it is the call of a function, since that has no other way to name a kernel; [Open]'s backend puts the kernel
// in its place, or does not compile the program. The function itself has results of NaN, 0 where they are no floats.
func Call(kernel string, inputs []*graph.Node, results ...shapes.Shape) []*graph.Node {
	given := make([]*graph.Node, len(inputs))
	for i, input := range inputs {
		given[i] = graph.StopGradient(input) // else derivation would look for the function's
	}
	// The new node's number makes the name unique.
	name := fmt.Sprintf("patchlab_%s_%d", kernel, given[0].Id())
	function := graph.NewFunction(given[0].Graph(), name, func(g *graph.Graph) (outputs []*graph.Node) {
		for i, input := range given {
			graph.Parameter(g, fmt.Sprintf("input%d", i), input.Shape())
		}
		for _, shape := range results {
			number := math.NaN()
			if !shape.DType.IsFloat() {
				number = 0
			}
			// GoMLX's Scalar would keep the constant for the graph's other functions, too.
			outputs = append(outputs, graph.BroadcastToShape(graph.Const(g, shapes.CastAsDType(number, shape.DType)), shape))
		}
		return outputs
	})
	return function.Call(given...)
}

var (
	functionCall = regexp.MustCompile(`"func\.call"\(([%\w, ]+)\) \{ callee = @(patchlab_\w+)_\d+ \} : ([^\n]+)`)
	functions    = regexp.MustCompile(`(?m)^  }\n\n  func\.func @`) // those after main, which go-xla writes first
	tensorType   = regexp.MustCompile(`tensor<([^>]*)>`)
)

// callFunctions returns a StableHLO program with calls of kernels_linux.h in place of [Call]'s functions; nil where there
// are none.
func callFunctions(code []byte) []byte {
	called := functionCall.ReplaceAllFunc(code, callFunction)
	if bytes.Equal(called, code) {
		return nil
	}
	if end := functions.FindIndex(called); end != nil && !bytes.Contains(called, []byte(`"func.call"`)) {
		called = append(called[:end[0]], "  }\n}\n"...)
	}
	return called
}

// inPlace are the results of kernels that may lie where an argument does: the numbers of both.
var inPlace = map[string][][2]int{"patchlab_adamw": {{1, 2}, {2, 3}}} // moments

// callFunction replaces the call of a function by one of the kernel.
func callFunction(whole []byte) []byte {
	part := functionCall.FindSubmatch(whole)
	arguments, results, _ := strings.Cut(string(part[3]), " -> ")
	ranks := func(types string) (ranks []int) {
		for _, kind := range tensorType.FindAllStringSubmatch(types, -1) {
			ranks = append(ranks, strings.Count(kind[1], "x"))
		}
		return ranks
	}
	return customCall(string(part[2]), part[1], "", ranks(arguments), ranks(results), part[3], inPlace[string(part[2])]...)
}
