// Command scale fills a tracker as a cluster does, node by node, asks it what
// users ask, and writes the figures as Markdown to standard output.
//
//	scale fill FOLDER NODES RUNS_A_NODE
//	scale ask FOLDER
//
// Every node records its runs, 1,000 points each, in a database of its own in
// FOLDER, which is then merged into the one tracker and deleted.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"patchlab/tracker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 4 && args[0] == "fill":
		nodes, err := strconv.Atoi(args[2])
		if err != nil || nodes < 1 {
			return fmt.Errorf("%q nodes; allowed: a whole number from 1", args[2])
		}
		runs, err := strconv.Atoi(args[3])
		if err != nil || runs < 1 {
			return fmt.Errorf("%q runs a node; allowed: a whole number from 1", args[3])
		}
		return fill(ctx, args[1], nodes, runs)
	case len(args) == 2 && args[0] == "ask":
		return ask(ctx, args[1])
	}
	return fmt.Errorf("usage: scale fill FOLDER NODES RUNS_A_NODE, or scale ask FOLDER")
}

// database is the one tracker.
func database(folder string) string { return filepath.Join(folder, "lab.db") }

// cost is how long something took, by the clock and of the processor's time.
type cost struct{ clock, processor time.Duration }

// measure measures what is done.
func measure(do func() error) (cost, error) {
	began, used := time.Now(), processorTime()
	err := do()
	return cost{time.Since(began), processorTime() - used}, err
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fill records and merges node by node, until the tracker has so many runs, and
// writes what that took. It goes on with a tracker that has some.
func fill(ctx context.Context, folder string, nodes, runs int) error {
	before, err := countRuns(ctx, folder)
	if err != nil {
		return err
	}
	var recorded, merged []cost
	var again cost
	for have := before; have < nodes*runs; have += runs {
		path := filepath.Join(folder, fmt.Sprintf("node-%d.db", have/runs))
		took, err := measure(func() error { return record(ctx, path, have, runs) })
		if err != nil {
			return err
		}
		recorded = append(recorded, took)
		if took, err = measure(func() error { return merge(ctx, path, runs) }); err != nil {
			return err
		}
		merged = append(merged, took)
		if have+runs >= nodes*runs {
			if again, err = measure(func() error { return merge(ctx, path, 0) }); err != nil {
				return err
			}
		}
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "%d of %d runs, %d recorded in %v, merged in %v\n", have+runs, nodes*runs, runs,
			took.clock.Round(time.Millisecond), recorded[len(recorded)-1].clock.Round(time.Millisecond))
	}
	all, err := countRuns(ctx, folder)
	if err != nil || len(merged) == 0 {
		return err
	}
	info, err := os.Stat(database(folder))
	if err != nil {
		return err
	}
	fmt.Printf("%d runs and %d points, of databases of %d runs, each recorded, merged into the one tracker and deleted.\n", all, all*pointsARun, runs)
	if before > 0 {
		fmt.Printf("%d runs had been merged before; what follows is of the others.\n", before)
	}
	few := max(1, len(merged)/10)
	head("writing")
	line(fmt.Sprintf("record %d runs (each with a durable start and end)", runs), middle(recorded))
	line(fmt.Sprintf("merge them, the first %d databases", few), middle(merged[:few]))
	line(fmt.Sprintf("merge them, the last %d", few), middle(merged[len(merged)-few:]))
	line("merge the last again (nothing new)", again)
	fmt.Printf("| size of the tracker | %.0f MB | %.1f MB per 1e6 points |\n\n", float64(info.Size())/1e6, float64(info.Size())/float64(all*pointsARun))
	return nil
}

// countRuns makes the tracker where it is not there yet.
func countRuns(ctx context.Context, folder string) (n int, err error) {
	db, err := tracker.Open(database(folder))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Count(ctx, tracker.Query{})
}

// merge merges a node's database into the tracker, as `patchlab runs merge` does.
func merge(ctx context.Context, path string, added int) (err error) {
	to, err := tracker.Open(database(filepath.Dir(path)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	from, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return err
	}
	defer from.Close()
	merged, err := to.Merge(ctx, from)
	if err == nil {
		err = merged.Refused
	}
	if err == nil && merged.Added != added {
		err = fmt.Errorf("%d runs of %s were added, not %d", merged.Added, path, added)
	}
	return err
}

func head(what string) { fmt.Printf("\n| %s | clock | processor |\n|---|---|---|\n", what) }

func line(what string, c cost) {
	fmt.Printf("| %s | %s | %s |\n", what, spelled(c.clock), spelled(c.processor))
}

// spelled is a time with two or three digits.
func spelled(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
}

// middle is the median by the clock, with the mean of the processor's time, whose
// clock is coarse.
func middle(took []cost) cost {
	sorted := slices.SortedFunc(slices.Values(took), func(a, b cost) int { return cmp.Compare(a.clock, b.clock) })
	m := cost{clock: sorted[len(sorted)/2].clock}
	for _, t := range took {
		m.processor += t.processor / time.Duration(len(took))
	}
	return m
}
