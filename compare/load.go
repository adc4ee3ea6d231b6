package compare

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"sync"

	"patchlab/tracker"
)

// Source reads what a comparison needs; *[tracker.DB] is one.
type Source interface {
	Runs(ctx context.Context, query tracker.Query) ([]tracker.RunInfo, error)
	History(ctx context.Context, id, key string) ([]tracker.Point, error)
	Artifacts(ctx context.Context, id string) ([]tracker.Artifact, error)
	OpenArtifact(ctx context.Context, id, name string) (io.ReadCloser, error)
}

// readers is how many histories are read at once, as many as the tracker
// keeps connections.
const readers = 4

// histories reads one metric of many runs; a run without it has none.
func histories(ctx context.Context, src Source, runs []tracker.RunInfo, key string) (map[string][]tracker.Point, error) {
	out := make(map[string][]tracker.Point, len(runs))
	var mu sync.Mutex
	err := each(ctx, runs, func(r tracker.RunInfo) error {
		if _, ok := r.Metrics[key]; !ok {
			return nil
		}
		points, err := src.History(ctx, r.ID, key)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		out[r.ID] = points
		return nil
	})
	return out, err
}

// each calls do for every run, a few at a time, and returns the errors joined.
func each(ctx context.Context, runs []tracker.RunInfo, do func(tracker.RunInfo) error) error {
	work := make(chan tracker.RunInfo)
	failures := make([]error, readers)
	var wait sync.WaitGroup
	for i := range readers {
		wait.Go(func() {
			for r := range work {
				if failures[i] == nil {
					failures[i] = do(r)
				}
			}
		})
	}
	for _, r := range runs {
		if ctx.Err() != nil {
			break
		}
		work <- r
	}
	close(work)
	wait.Wait()
	return errors.Join(append(failures, ctx.Err())...)
}

// PredictionsName is the artifact that holds a run's answers, one row a test
// image.
const PredictionsName = "predictions.csv"

// predictions reads which test images a run got right, by the image's index;
// nil if the run stored no predictions.
func predictions(ctx context.Context, src Source, run string) ([]bool, error) {
	text, err := artifact(ctx, src, run, PredictionsName)
	if text == nil || err != nil {
		return nil, err
	}
	return readPredictions(bytes.NewReader(text))
}

// unreadable says in a sentence why an artifact of a run cannot be used.
func unreadable(name, run string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("the file %s of run %s is missing (the artifacts lie in a folder beside the database)", name, run)
	}
	return fmt.Sprintf("the file %s of run %s cannot be used: %v", name, run, err)
}

// readPredictions reads a table with a header that has at least the columns
// index, label and top1.
func readPredictions(file io.Reader) ([]bool, error) {
	table := csv.NewReader(file)
	table.ReuseRecord = true
	header, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("reading its header: %w", err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
	}
	for _, name := range [...]string{"index", "label", "top1"} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("its header %q has no column %q", header, name)
		}
	}
	index, label, top1 := at["index"], at["label"], at["top1"]
	var correct []bool
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return correct, nil
		}
		if err != nil {
			return nil, err
		}
		if i, err := strconv.Atoi(row[index]); err != nil || i != len(correct) {
			return nil, fmt.Errorf("row %d has index %q, want %d", len(correct)+1, row[index], len(correct))
		}
		correct = append(correct, row[label] == row[top1])
	}
}
