package exchange_test

import (
	"context"
	"log"
	"math"
	"os"
	"path/filepath"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/exchange"
)

func Example() {
	folder, err := os.MkdirTemp("", "exchange")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	db, err := tracker.Open(filepath.Join(folder, "lab.db"), tracker.WithClock(func() time.Time { return noon }))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	run, err := db.Start(ctx, tracker.Spec{Name: "first"})
	if err != nil {
		log.Fatal(err)
	}
	if err := run.Log(1, map[string]float64{"loss": math.NaN(), "accuracy": .5}); err != nil {
		log.Fatal(err)
	}
	if err := run.Finish(tracker.Finished); err != nil {
		log.Fatal(err)
	}
	runs, err := db.Runs(ctx, tracker.Query{})
	if err != nil {
		log.Fatal(err)
	}
	runs[0].ID = "" // made from the clock and chance
	if err := exchange.WriteRunsCSV(os.Stdout, runs); err != nil {
		log.Fatal(err)
	}
	// Output:
	// id,experiment,name,status,start,end,metrics.accuracy,metrics.loss
	// ,default,first,finished,2026-01-02T12:00:00.000000Z,2026-01-02T12:00:00.000000Z,0.5,NaN
}
