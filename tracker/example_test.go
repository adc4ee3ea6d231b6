package tracker_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"patchlab/tracker"
)

func Example() {
	folder, err := os.MkdirTemp("", "tracker")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()

	db, err := tracker.Open(filepath.Join(folder, "lab.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	run, err := db.Start(ctx, tracker.Spec{
		Experiment: "cifar10",
		Name:       "first",
		Params:     map[string]string{"model": "mixer-4"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for epoch := range int64(3) {
		if err := run.Log(epoch+1, map[string]float64{"val_accuracy": .4 + .1*float64(epoch)}); err != nil {
			log.Fatal(err)
		}
	}
	if err := run.Finish(tracker.Finished); err != nil {
		log.Fatal(err)
	}

	info, err := db.Find(ctx, "first")
	if err != nil {
		log.Fatal(err)
	}
	last := info.Metrics["val_accuracy"]
	fmt.Printf("%s %s: %.1f at step %d\n", info.Params["model"], info.Status, last.Value, last.Step)
	// Output: mixer-4 finished: 0.6 at step 3
}
