package lab_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// A recipe is carried out, recorded, and its network read back.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "lab")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "lab.db")
	db, err := tracker.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	b, info, err := backend.Open(ctx, backend.Go, io.Discard)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Finalize()

	images, err := datasets.Load(ctx, "shapes", datasets.Options{TrainLimit: 100, TestLimit: 20})
	if err != nil {
		log.Fatal(err)
	}
	data := experiments.Data{Name: "shapes", TrainLimit: 100, TestLimit: 20, Validation: .1}
	recipe, err := experiments.ReferenceRecipe("mixer-4", data, 1)
	if err != nil {
		log.Fatal(err)
	}
	if recipe.Model, err = models.Parse("mixer:1"); err != nil {
		log.Fatal(err)
	}
	recipe.Model.ImageSize, recipe.Model.PatchSize, recipe.Model.Dim, recipe.Epochs = 16, 8, 8, 2

	env, diff := lab.Environment(ctx, info)
	run, err := lab.Start(ctx, db, tracker.Spec{Name: "small", Environment: env}, diff)
	if err != nil {
		log.Fatal(err)
	}
	_, err = lab.Carry(ctx, db, run, experiments.Job{
		Recipe: recipe, Dataset: images, Backend: b, BackendName: info.Name, CheckpointDir: lab.CheckpointDir(path, run.ID()),
	})
	if err != nil {
		log.Fatal(err)
	}

	recorded, err := db.Find(ctx, "small")
	if err != nil {
		log.Fatal(err)
	}
	_, network, err := lab.Load(ctx, db, recorded, b)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	fmt.Println(recorded.Status, recorded.Params["model"], network.Config.Tokens(), "tokens")
	// Output: finished mixer:1 4 tokens
}
