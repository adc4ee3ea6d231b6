package tracker_test

import (
	"context"
	"fmt"
	"log"
	"math"
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

// inFolder opens a database in a folder that is gone afterwards.
func inFolder(use func(path string)) {
	folder, err := os.MkdirTemp("", "tracker")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	use(filepath.Join(folder, "lab.db"))
}

// check keeps the examples short.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleOpen() {
	inFolder(func(path string) {
		_, err := tracker.Open(path, tracker.ReadOnly())
		fmt.Println(err != nil)

		db, err := tracker.Open(path) // makes the file
		check(err)
		check(db.Close())

		db, err = tracker.Open(path, tracker.ReadOnly())
		check(err)
		check(db.Close())
	})
	// Output: true
}

func ExampleDB_Start() {
	inFolder(func(path string) {
		db, err := tracker.Open(path)
		check(err)
		defer db.Close()
		run, err := db.Start(context.Background(), tracker.Spec{
			Experiment:  "cifar10",
			Name:        "mixer-4, seed 1",
			Params:      map[string]string{"model": "mixer-4", "seed": "1"},
			Environment: map[string]string{"cpu": "…"},
			Inputs:      []tracker.Input{{Name: "cifar10", Digest: "sha256…", Context: "train"}},
		})
		check(err)
		info, err := db.Find(context.Background(), run.ID())
		check(err)
		fmt.Println(info.Name, info.Status)
	})
	// Output: mixer-4, seed 1 running
}

func ExampleRun_Log() {
	inFolder(func(path string) {
		db, err := tracker.Open(path)
		check(err)
		defer db.Close()
		run, err := db.Start(context.Background(), tracker.Spec{})
		check(err)
		for step := range int64(3) {
			check(run.Log(step, map[string]float64{"loss": 1 / float64(step+1)}))
		}
		check(run.Log(1, map[string]float64{"loss": math.NaN()})) // a step may come again
		check(run.Flush())
		history, err := db.History(context.Background(), run.ID(), "loss")
		check(err)
		for _, point := range history {
			fmt.Printf("%d: %.2f\n", point.Step, point.Value)
		}
	})
	// Output:
	// 0: 1.00
	// 1: 0.50
	// 1: NaN
	// 2: 0.33
}

func ExampleRun_Flush() {
	inFolder(func(path string) {
		db, err := tracker.Open(path)
		check(err)
		defer db.Close()
		run, err := db.Start(context.Background(), tracker.Spec{})
		check(err)
		check(run.Log(1, map[string]float64{"loss": .5}))
		check(run.Flush()) // from here on the value survives whatever happens to the process
		info, err := db.Find(context.Background(), run.ID())
		check(err)
		fmt.Println(info.Metrics["loss"].Value)
	})
	// Output: 0.5
}

func ExampleRun_Finish() {
	inFolder(func(path string) {
		db, err := tracker.Open(path)
		check(err)
		defer db.Close()
		run, err := db.Start(context.Background(), tracker.Spec{})
		check(err)
		check(run.Finish(tracker.Failed))
		info, err := db.Find(context.Background(), run.ID())
		check(err)
		fmt.Println(info.Status, len(info.Digest), db.Verify(context.Background(), run.ID()))
	})
	// Output: failed 64 <nil>
}

func ExampleDB_Runs() {
	inFolder(func(path string) {
		db, err := tracker.Open(path)
		check(err)
		defer db.Close()
		for i, model := range []string{"mixer-4", "vit-1", "mixer-4"} {
			run, err := db.Start(context.Background(), tracker.Spec{Params: map[string]string{"model": model}})
			check(err)
			check(run.Log(1, map[string]float64{"val_accuracy": .6 + float64(i)/100}))
			check(run.Finish(tracker.Finished))
		}
		runs, err := db.Runs(context.Background(), tracker.Query{
			Filter:  "metrics.val_accuracy > 0.5 and params.model = 'mixer-4'",
			OrderBy: "metrics.val_accuracy DESC",
		})
		check(err)
		for _, r := range runs {
			fmt.Println(r.Params["model"], r.Metrics["val_accuracy"].Value)
		}
		_, err = db.Runs(context.Background(), tracker.Query{Filter: "metrics.val accuracy > 1"})
		fmt.Println(err)
	})
	// Output:
	// mixer-4 0.62
	// mixer-4 0.6
	// filter: at character 13: expected a comparison (=, !=, <, <=, >, >=, like, ilike, in, is), found "accuracy"
	//   metrics.val accuracy > 1
	//               ^
}

func ExampleDB_Resume() {
	inFolder(func(path string) {
		db, err := tracker.Open(path)
		check(err)
		run, err := db.Start(context.Background(), tracker.Spec{Name: "cut off"})
		check(err)
		check(run.Log(1, map[string]float64{"loss": .5}))
		check(db.Close()) // without Finish, as if the process had died

		db, err = tracker.Open(path)
		check(err)
		defer db.Close()
		info, err := db.Find(context.Background(), "cut off")
		check(err)
		fmt.Println(info.Status)
		run, err = db.Resume(context.Background(), info.ID)
		check(err)
		check(run.Log(2, map[string]float64{"loss": .25}))
		check(run.Finish(tracker.Finished))
		info, err = db.Find(context.Background(), "cut off")
		check(err)
		fmt.Println(info.Status, info.Metrics["loss"].Count)
	})
	// Output:
	// crashed
	// finished 2
}

func ExampleDB_Merge() {
	inFolder(func(path string) {
		laptop, err := tracker.Open(path + ".laptop.db")
		check(err)
		defer laptop.Close()
		run, err := laptop.Start(context.Background(), tracker.Spec{Name: "mixer-4"})
		check(err)
		check(run.Finish(tracker.Finished))

		lab, err := tracker.Open(path)
		check(err)
		defer lab.Close()
		for range 2 {
			merged, err := lab.Merge(context.Background(), laptop)
			check(err)
			check(merged.Refused)
			fmt.Println(merged.Added, merged.Updated, merged.Unchanged)
		}
		fmt.Println(lab.Verify(context.Background(), run.ID()))
	})
	// Output:
	// 1 0 0
	// 0 0 1
	// <nil>
}

func ExampleDB_Unknown() {
	inFolder(func(path string) {
		ctx := context.Background()
		db, err := tracker.Open(path)
		check(err)
		defer db.Close()
		_, err = db.Start(ctx, tracker.Spec{Params: map[string]string{"model": "mixer-4"}})
		check(err)
		query := tracker.Query{Filter: "params.modle = 'mixer-4'"}
		found, err := db.Runs(ctx, query)
		check(err)
		unknown, err := db.Unknown(ctx, query, found)
		check(err)
		fmt.Println(len(found), unknown)
	})
	// Output: 0 [no run has params.modle: there are params.model]
}
