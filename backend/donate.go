package backend

import (
	"bytes"
	"fmt"
	"regexp"
	"sync"
)

// donations are what [Donate] was told, by the program's name, until it is compiled. They belong to the process, as what
// is wrapped does: the compiler calls back without a context.
var donations sync.Map

// Donate says that in the program of this name that is compiled next, output i may be written where its input
// inputs[i] lies, which the caller hands over when running it; "" is none. GoMLX hands the buffers of changed variables
// over, but go-xla v0.4.1 has no way to tell the compiler, which then keeps each twice. Where the program has no such
// input, or one of another type than the output, or the backend is not XLA on Linux's CPU, nothing changes. Two programs
// of one name that compile at the same time may take each other's donations; that costs memory, not correctness.
func Donate(program string, inputs []string) { donations.Store(identifier(program), inputs) }

var (
	moduleName = regexp.MustCompile(`^module @(\w+)`)
	signature  = regexp.MustCompile(`(?m)^ *func\.func @main\((.*)\) -> \((.*)\) \{$`)
	argument   = regexp.MustCompile(`(%\w+): (tensor<[^>]*>)(,|$)`)
	result     = regexp.MustCompile(`tensor<[^>]*>`)
	noWord     = regexp.MustCompile(`\W`)
)

// identifier is how go-xla writes a name.
func identifier(name string) string { return noWord.ReplaceAllString(name, "_") }

// donating returns a StableHLO program with what [Donate] was told of it as attributes of its inputs; nil where there
// is nothing to add.
func donating(code []byte) []byte {
	name := moduleName.FindSubmatch(code)
	if name == nil {
		return nil
	}
	told, ok := donations.LoadAndDelete(string(name[1]))
	if !ok {
		return nil
	}
	return donate(code, told.([]string))
}

// donate adds the attribute tf.aliasing_output, by which MLIR's importer into HLO makes an input share an output's
// memory.
func donate(code []byte, inputs []string) []byte {
	place := signature.FindSubmatchIndex(code)
	if place == nil {
		return nil
	}
	arguments, results := code[place[2]:place[3]], result.FindAll(code[place[4]:place[5]], -1)
	output := map[string]int{}
	for i, input := range inputs {
		output["%"+identifier(input)] = i
	}
	marked := argument.ReplaceAllFunc(arguments, func(arg []byte) []byte {
		part := argument.FindSubmatch(arg)
		i, ok := output[string(part[1])]
		if !ok || i >= len(results) || !bytes.Equal(results[i], part[2]) {
			return arg
		}
		return fmt.Appendf(nil, "%s: %s {tf.aliasing_output = %d : i32}%s", part[1], part[2], i, part[3])
	})
	return bytes.Join([][]byte{code[:place[2]], marked, code[place[3]:]}, nil)
}
