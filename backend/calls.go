package backend

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// native holds the names of the plugins whose programs call kernels of our own, as keys. A name and not a backend: those
// come and go, while go-xla never unloads a plugin.
var native sync.Map

// pluginName is what go-xla knows a backend's plugin by; empty for a backend that has none.
func pluginName(b compute.Backend) string {
	if xla, ok := b.(interface{ PluginName() string }); ok {
		return xla.PluginName()
	}
	return ""
}

// Native reports whether a graph's program may call the kernels of [Call]. XLA's on Linux's CPU may, those of one device:
// [Open] makes them call kernels_linux.h.
func Native(g *graph.Graph) bool {
	_, ok := native.Load(pluginName(g.Backend()))
	return ok && g.DistributedStrategy() == distributed.None
}

// Kernels is [Call] for a graph that is [Native], nil for others.
func Kernels(g *graph.Graph) func(kernel string, inputs []*graph.Node, results ...shapes.Shape) []*graph.Node {
	if !Native(g) {
		return nil
	}
	return Call
}

// customCall writes a call by XLA's foreign function interface, tables in row-major order. Each of aliases is a result
// that lies where an argument does: their numbers. XLA copies the argument before if it is still needed.
func customCall(target string, arguments []byte, attributes string, argumentRanks, resultRanks []int, types []byte, aliases ...[2]int) []byte {
	layouts := func(ranks []int) string {
		texts := make([]string, len(ranks))
		for i, rank := range ranks {
			axes := make([]string, rank)
			for k := range axes {
				axes[k] = strconv.Itoa(rank - 1 - k)
			}
			texts[i] = fmt.Sprintf("dense<[%s]> : tensor<%dxindex>", strings.Join(axes, ", "), rank)
		}
		return strings.Join(texts, ", ")
	}
	var inPlace string
	if len(aliases) > 0 {
		texts := make([]string, len(aliases))
		for i, a := range aliases {
			texts[i] = fmt.Sprintf("#stablehlo.output_operand_alias<output_tuple_indices = [%d], operand_index = %d, operand_tuple_indices = []>", a[0], a[1])
		}
		inPlace = ", output_operand_aliases = [" + strings.Join(texts, ", ") + "]"
	}
	return fmt.Appendf(nil, `"stablehlo.custom_call"(%s) {call_target_name = %q, api_version = 4 : i32, backend_config = {%s}, operand_layouts = [%s], result_layouts = [%s]%s} : %s`,
		arguments, target, attributes, layouts(argumentRanks), layouts(resultRanks), inPlace, types)
}
