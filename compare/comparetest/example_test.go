package comparetest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"patchlab/compare/comparetest"
	"patchlab/tracker"
)

func ExampleCreate() {
	folder, err := os.MkdirTemp("", "comparetest")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "runs.db")
	ids, err := comparetest.Create(context.Background(), path, []comparetest.Run{
		{Model: "mixer-4", Seed: 1, Accuracy: .63, TrainPerS: 2300},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	run, err := db.Find(context.Background(), ids[0])
	fmt.Println(run.Name, run.Status, run.Metrics["test_accuracy"].Value, err)
	// Output: mixer-4-seed1 finished 0.63 <nil>
}
