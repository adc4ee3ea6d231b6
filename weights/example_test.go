package weights_test

import (
	"bytes"
	"fmt"
	"log"
	"maps"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/models"
	"patchlab/weights"
)

// A network's weights as timm names them, in a safetensors file, and back.
func Example() {
	config, err := models.Parse("mixer-128-8")
	if err != nil {
		log.Fatal(err)
	}
	config.Blocks = config.Blocks[:1]
	variables, err := config.Variables()
	if err != nil {
		log.Fatal(err)
	}
	named := map[string]*tensors.Tensor{}
	for _, v := range variables {
		named[v.Path] = tensors.FromFlatDataAndDimensions(make([]float32, v.Size()), v.Dims...)
	}
	theirs, err := weights.ToTimm(config, named)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := weights.Write(&file, theirs); err != nil {
		log.Fatal(err)
	}
	read, err := weights.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(read))[:4] {
		fmt.Println(name, read[name].Shape().Dimensions)
	}
	_, named, err = weights.FromTimm(config, read, weights.TimmDefaults(config).Pixels)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(named["block_0/token_mlp/dense_0/kernel"].Shape().Dimensions)
	// Output:
	// blocks.0.mlp_channels.fc1.bias [512]
	// blocks.0.mlp_channels.fc1.weight [512 128]
	// blocks.0.mlp_channels.fc2.bias [128]
	// blocks.0.mlp_channels.fc2.weight [128 512]
	// [64 64]
}
