package models_test

import (
	"fmt"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/models"
)

// A hybrid that nobody listed, from one line of text to logits and attention scores.
func Example() {
	config, err := models.Parse("mixer:2,vit:1")
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Dim = 32 // any setting can be changed
	counts, err := config.Count()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %d tokens, %d parameters, %d FLOPs\n", config.ID, config.Tokens(), counts.Total, config.FLOPs())

	backend, err := gobackend.New("ops_sequential") // programs take patchlab/backend's Open
	if err != nil {
		fmt.Println(err)
		return
	}
	store := model.NewStore()
	store.SetParam(models.ParamSeed, int64(1))
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, images *graph.Node) (*graph.Node, *graph.Node) {
		var taps models.Taps
		logits := config.Logits(scope, images, models.Pass{Taps: &taps})
		return logits, taps.Attention[0]
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	images := tensors.FromFlatDataAndDimensions(make([]uint8, 5*32*32*3), 5, 32, 32, 3)
	logits, attention, err := exec.Call2(images)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("logits", logits.Shape(), "attention", attention.Shape())
	// Output:
	// mixer:2,vit:1: 64 tokens, 69553 parameters, 11797120 FLOPs
	// logits (Float32)[5, 10] attention (Float32)[5, 4, 64, 64]
}
