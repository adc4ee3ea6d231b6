package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/tracker"
)

// newRunsCommand is `patchlab runs`: everything about recorded runs.
func newRunsCommand() *cobra.Command {
	var dbPath string
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List, show, edit, merge, verify and export recorded runs",
		Long: `Work on the runs in a tracking database: that of --db, else of $PATCHLAB_DB,
else patchlab.db.

A RUN is its ID, the beginning of its ID, its name, or "latest".`,
		Example: `  patchlab runs list --limit 10
  patchlab runs show latest
  patchlab runs export --format csv --output points.csv`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&dbPath, "db", cmp.Or(os.Getenv("PATCHLAB_DB"), "patchlab.db"), "the tracking database")
	reading := func(run runsFunc) func(*cobra.Command, []string) error {
		return withDB(&dbPath, run, tracker.ReadOnly())
	}
	writing := func(run runsFunc) func(*cobra.Command, []string) error { return withDB(&dbPath, run) }
	cmd.AddCommand(
		newRunsListCommand(reading),
		newRunsShowCommand(reading),
		newRunsExportCommand(reading),
		newRunsDeleteCommand(writing),
		newRunsRestoreCommand(writing),
		newRunsNoteCommand(writing),
		newRunsTagCommand(writing),
		newRunsArchiveCommand(writing),
		newRunsGCCommand(writing, &dbPath),
		newRunsVerifyCommand(reading),
		newRunsMergeCommand(&dbPath),
		newRunsImportCommand(&dbPath),
	)
	return cmd
}

// knownSubcommand refuses what is no subcommand of cmd.
func knownSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			known = append(known, sub.Name())
		}
	}
	return fmt.Errorf("there is no command %q in %q: there are %s", args[0], cmd.CommandPath(), strings.Join(known, ", "))
}

// runsFunc does a command's work on an open database.
type runsFunc func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error

// withDB opens the database around a command's work.
func withDB(path *string, run runsFunc, opts ...tracker.Option) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if _, err := os.Stat(*path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no database %s: name one with --db or PATCHLAB_DB", *path)
		}
		db, err := tracker.Open(*path, opts...)
		if err != nil {
			return err
		}
		err = run(cmd.Context(), db, args, cmd.OutOrStdout())
		return errors.Join(err, db.Close())
	}
}

type runsWrapper func(runsFunc) func(*cobra.Command, []string) error

// chosenRuns are those that args name, or those that query selects.
func chosenRuns(ctx context.Context, db *tracker.DB, args []string, query tracker.Query) ([]tracker.RunInfo, error) {
	if len(args) == 0 {
		return db.Runs(ctx, query)
	}
	var runs []tracker.RunInfo
	for _, ref := range args {
		info, err := db.Find(ctx, ref)
		if err != nil {
			return nil, err
		}
		runs = append(runs, info)
	}
	return runs, nil
}

// took is how long a run lasted, or has lasted so far.
func took(info tracker.RunInfo) string {
	switch {
	case !info.End.IsZero():
		return shortDuration(info.End.Sub(info.Start))
	case info.Status == tracker.Running:
		return shortDuration(time.Since(info.Start)) + "…"
	}
	return "-"
}

func shortDuration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d/time.Second%60)
	default:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d/time.Minute%60)
	}
}
