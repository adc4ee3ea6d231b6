package backend_test

import (
	"context"
	"fmt"
	"os"

	"github.com/gomlx/gomlx/core/graph"

	"patchlab/backend"
)

// The pure-Go backend is always there; Auto takes XLA where it can.
func ExampleOpen() {
	b, info, err := backend.Open(context.Background(), backend.Go, os.Stderr)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Finalize()
	fmt.Println(info.Sentence)
	sum, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(x) }, []float32{1, 2, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum.Value())
	// Output:
	// Computing with GoMLX's pure-Go backend, as asked; XLA is several times faster (--backend xla).
	// 6
}

func ExampleParseKind() {
	kind, err := backend.ParseKind("XLA")
	fmt.Println(kind, err)
	_, err = backend.ParseKind("tpu")
	fmt.Println(err)
	// Output:
	// xla <nil>
	// unknown backend "tpu": it must be auto, xla, go or cuda
}
