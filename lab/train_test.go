package lab_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// A run that its context ends is killed, whenever and however that comes; one
// that cannot go on is failed and says why.
func TestCarryTellsStoppedFromFailed(t *testing.T) {
	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b, info, err := backend.Open(t.Context(), backend.Go, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	images, err := datasets.Load(t.Context(), "shapes", datasets.Options{TrainLimit: 40, TestLimit: 10})
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := experiments.ReferenceRecipe("mixer-4", experiments.Data{Name: "shapes", Validation: .5}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if recipe.Model, err = models.Parse("mixer:1"); err != nil {
		t.Fatal(err)
	}
	recipe.Model.ImageSize, recipe.Model.PatchSize, recipe.Model.Dim, recipe.Epochs = 16, 8, 8, 1
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), time.Second) // comes while the run waits for it
	defer cancel()
	past, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()

	for name, c := range map[string]struct {
		ctx    context.Context
		change func(*experiments.Job)
		want   tracker.Status
		err    error
		says   string
	}{
		"cancelled before":  {cancelled, func(*experiments.Job) {}, tracker.Killed, context.Canceled, ""},
		"late before":       {past, func(*experiments.Job) {}, tracker.Killed, context.DeadlineExceeded, ""},
		"late in training":  {late, func(j *experiments.Job) { j.Report = func(experiments.Event) { <-late.Done() } }, tracker.Killed, context.DeadlineExceeded, ""},
		"without a dataset": {t.Context(), func(j *experiments.Job) { j.Dataset = nil }, tracker.Failed, nil, "lacks its Dataset"},
		"without its init":  {t.Context(), func(j *experiments.Job) { j.Recipe.Init = &experiments.Init{} }, tracker.Failed, tracker.ErrNotFound, "init.safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := lab.Start(t.Context(), db, tracker.Spec{Name: name}, nil)
			if err != nil {
				t.Fatal(err)
			}
			job := experiments.Job{Recipe: recipe, Dataset: images, Backend: b, BackendName: info.Name, CheckpointDir: t.TempDir()}
			c.change(&job)
			if _, err := lab.Carry(c.ctx, db, run, job); err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("the error is %v, want %v", err, c.err)
			}
			got, err := db.Find(t.Context(), run.ID())
			if err != nil {
				t.Fatal(err)
			}
			said, tagged := got.Tags[lab.TagError]
			if got.Status != c.want || tagged != (c.want == tracker.Failed) || !strings.Contains(said, c.says) {
				t.Errorf("the run is %v and says %q, want %v and %q", got.Status, said, c.want, c.says)
			}
		})
	}
}
