package coursework_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"patchlab/coursework"
	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

// A teacher hands a notebook out, a student hands it in with a run, and the teacher
// collects it.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "coursework")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Code, "const answer = 0 +\n// BEGIN SOLUTION\n42\n// END SOLUTION"))
	file := filepath.Join(folder, "hw1.ipynb")
	if err := n.Write(file); err != nil {
		log.Fatal(err)
	}
	draft, err := coursework.NewDraft(file, coursework.NewAssignment(file))
	if err != nil {
		log.Fatal(err)
	}
	course, err := coursework.Create(filepath.Join(folder, "course"), draft)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("answers removed from", draft.Released.Solutions, "cell")

	db, err := tracker.Open(filepath.Join(folder, "ada.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	run, err := db.Start(ctx, tracker.Spec{Experiment: "hw1", Name: "by hand"})
	if err != nil {
		log.Fatal(err)
	}
	if err := run.Log(1, map[string]float64{"test_accuracy": .5}); err != nil {
		log.Fatal(err)
	}
	if err := run.Finish(tracker.Finished); err != nil {
		log.Fatal(err)
	}
	key, err := coursework.NewKey("ada")
	if err != nil {
		log.Fatal(err)
	}
	packed := filepath.Join(folder, "ada"+coursework.Extension)
	_, err = coursework.Submit(ctx, coursework.Work{
		Dir: course.ReleaseDir("hw1"), DB: filepath.Join(folder, "ada.db"), Key: key, Made: time.Now(), Output: packed,
	})
	if err != nil {
		log.Fatal(err)
	}

	all, err := course.Collect(ctx, []string{packed}, coursework.CollectOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(all[0].Status, all[0].Student, all[0].Runs, "run")
	// Output:
	// answers removed from 1 cell
	// new ada 1 run
}
