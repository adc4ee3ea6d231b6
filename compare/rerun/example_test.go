package rerun_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"patchlab/compare/comparetest"
	"patchlab/compare/rerun"
	"patchlab/tracker"
)

func Example() {
	folder, err := os.MkdirTemp("", "rerun")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "runs.db")
	_, err = comparetest.Create(context.Background(), path, []comparetest.Run{
		{Model: "mixer-2", Seed: 1, Accuracy: .6892, TrainPerS: 1900},
		{Model: "mixer-2", Seed: 1, Accuracy: .6892, TrainPerS: 1500},
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
	runs, err := db.Runs(context.Background(), tracker.Query{})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := rerun.Judge(context.Background(), db, runs[1], runs[0], .01)
	fmt.Println(v.Sentence, err)
	// Output: reproduced bit for bit <nil>
}
