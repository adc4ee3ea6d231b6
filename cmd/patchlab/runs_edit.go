package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/lab"
	"patchlab/tracker"
)

func newRunsDeleteCommand(writing runsWrapper) *cobra.Command {
	return &cobra.Command{
		Use:     "delete RUN…",
		Short:   "Hide runs until `runs gc` removes them",
		Example: "  patchlab runs delete 01JD8ZK3T5",
		Args:    cobra.MinimumNArgs(1),
		RunE: writing(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
			runs, err := findAll(ctx, args, db.Find)
			if err != nil {
				return err
			}
			for _, info := range runs {
				if info.Status == tracker.Running {
					return fmt.Errorf("run %s (%s) is still being written, so nothing is deleted: stop its process first (Ctrl-C where it trains)", info.ID, oneLine(info.Name))
				}
			}
			for _, info := range runs {
				if err := db.Delete(ctx, info.ID); err != nil {
					return err
				}
				fmt.Fprintf(out, "deleted %s (%s)\n", info.ID, oneLine(info.Name))
			}
			return nil
		}),
	}
}

// findAll finds all runs before any is changed: a run deleted would make
// "latest" another one, and one that is not found would leave half done.
func findAll(ctx context.Context, refs []string, find func(context.Context, string) (tracker.RunInfo, error)) ([]tracker.RunInfo, error) {
	var runs []tracker.RunInfo
	named := map[string]bool{}
	for _, ref := range refs {
		info, err := find(ctx, ref)
		if err != nil {
			return nil, err
		}
		if !named[info.ID] {
			named[info.ID] = true
			runs = append(runs, info)
		}
	}
	return runs, nil
}

func newRunsRestoreCommand(writing runsWrapper) *cobra.Command {
	return &cobra.Command{
		Use:     "restore RUN…",
		Short:   "Bring deleted runs back",
		Example: "  patchlab runs restore 01JD8ZK3T5",
		Args:    cobra.MinimumNArgs(1),
		RunE: writing(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
			for _, ref := range args {
				info, err := db.FindAny(ctx, ref)
				if err != nil {
					return err
				}
				if !info.Deleted {
					return fmt.Errorf("%q is run %s, which is not deleted: name a deleted run by the ID that `patchlab runs list --deleted` shows",
						ref, info.ID)
				}
				if err := db.Restore(ctx, info.ID); err != nil {
					return err
				}
				fmt.Fprintf(out, "restored %s (%s)\n", info.ID, oneLine(info.Name))
			}
			return nil
		}),
	}
}

func newRunsNoteCommand(writing runsWrapper) *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "note RUN [TEXT…]",
		Short: "Set a run's note, in Markdown",
		Long: `Set a run's note, in Markdown.

The text comes from standard input where none is given; "" clears the note.`,
		Example: "  patchlab runs note latest \"the *first* run above 60 %\"\n  patchlab runs note latest < report.md",
		Args:    cobra.MinimumNArgs(1),
		RunE: writing(func(ctx context.Context, db *tracker.DB, args []string, _ io.Writer) error {
			info, err := db.Find(ctx, args[0])
			if err != nil {
				return err
			}
			text := strings.Join(args[1:], " ")
			if len(args) == 1 {
				all, err := io.ReadAll(cmd.InOrStdin())
				if err != nil {
					return fmt.Errorf("reading the note: %w", err)
				}
				if len(bytes.TrimSpace(all)) == 0 {
					return fmt.Errorf("standard input is empty, so the note stays as it is: to clear it, run `patchlab runs note %s \"\"`", args[0])
				}
				text = string(all)
			}
			return db.SetNote(ctx, info.ID, text)
		}),
	}
	return cmd
}

func newRunsTagCommand(writing runsWrapper) *cobra.Command {
	return &cobra.Command{
		Use:     "tag RUN KEY=VALUE…",
		Short:   "Set tags of a run",
		Example: "  patchlab runs tag latest course=vision grade=A",
		Args:    cobra.MinimumNArgs(2),
		RunE: writing(func(ctx context.Context, db *tracker.DB, args []string, _ io.Writer) error {
			tags := map[string]string{}
			for _, arg := range args[1:] {
				key, value, found := strings.Cut(arg, "=")
				if !found || key == "" {
					return fmt.Errorf("the tag %q is not of the form KEY=VALUE", arg)
				}
				tags[key] = value
			}
			info, err := db.Find(ctx, args[0])
			if err != nil {
				return err
			}
			return db.SetTags(ctx, info.ID, tags)
		}),
	}
}

func newRunsArchiveCommand(writing runsWrapper) *cobra.Command {
	var undo bool
	cmd := &cobra.Command{
		Use:     "archive RUN…",
		Short:   "Keep runs out of lists (--undo shows them again)",
		Example: "  patchlab runs archive 01JD8ZK3T5\n  patchlab runs archive --undo 01JD8ZK3T5",
		Args:    cobra.MinimumNArgs(1),
		RunE: writing(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
			runs, err := findAll(ctx, args, db.Find)
			if err != nil {
				return err
			}
			for _, info := range runs {
				if err := db.Archive(ctx, info.ID, !undo); err != nil {
					return err
				}
				done := "archived"
				if undo {
					done = "listed again"
				}
				fmt.Fprintf(out, "%s %s (%s)\n", done, info.ID, oneLine(info.Name))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "show archived runs in lists again")
	return cmd
}

func newRunsGCCommand(writing runsWrapper, dbPath *string) *cobra.Command {
	var olderThan time.Duration
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove deleted runs for good, and all that is theirs alone",
		Long: `Remove deleted runs for good, their checkpoints, and artifacts that nothing
refers to.`,
		Example: "  patchlab runs gc\n  patchlab runs gc --older-than 720h",
		Args:    cobra.NoArgs,
		RunE: writing(func(ctx context.Context, db *tracker.DB, _ []string, out io.Writer) error {
			if olderThan < 0 {
				return fmt.Errorf("--older-than %v is negative: give zero or a positive duration such as 720h", olderThan)
			}
			deleted, err := db.Runs(ctx, tracker.Query{IncludeArchived: true, DeletedOnly: true})
			if err != nil {
				return err
			}
			for _, run := range deleted { // its process would fail at the next point
				if run.Status == tracker.Running {
					return fmt.Errorf("run %s (%s) was deleted while a process writes it, so nothing is removed: stop that process, or bring the run back with `patchlab runs restore %s`",
						run.ID, oneLine(run.Name), run.ID)
				}
			}
			g, err := db.GC(ctx, olderThan)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "removed %d runs and %d artifact files (%.1f MB)\n", g.Runs, g.Files, float64(g.Bytes)/1e6)
			return dropCheckpoints(ctx, db, *dbPath, deleted)
		}),
	}
	cmd.Flags().DurationVar(&olderThan, "older-than", 0, "only runs deleted longer ago than this")
	return cmd
}

// dropCheckpoints removes the checkpoints of those deleted runs that are there no more.
func dropCheckpoints(ctx context.Context, db *tracker.DB, path string, deleted []tracker.RunInfo) error {
	for _, run := range deleted {
		if _, err := db.Find(ctx, run.ID); !errors.Is(err, tracker.ErrNotFound) {
			continue
		}
		if err := os.RemoveAll(lab.CheckpointDir(path, run.ID)); err != nil {
			return fmt.Errorf("removing the checkpoints of run %s: %w", run.ID, err)
		}
	}
	return nil
}

func newRunsVerifyCommand(reading runsWrapper) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [RUN…]",
		Short: "Check every digest: points, content, artifacts",
		Long: `Check every digest of runs, or of all where none is named: of their points,
content and artifacts.`,
		Example: "  patchlab runs verify\n  patchlab runs verify latest",
		RunE: reading(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
			runs, err := chosenRuns(ctx, db, args, tracker.Query{IncludeArchived: true, IncludeDeleted: true})
			if err != nil {
				return err
			}
			var problems []error
			for _, run := range runs {
				if err := db.Verify(ctx, run.ID); err != nil {
					problems = append(problems, err)
				}
			}
			fmt.Fprintf(out, "%d of %d runs are whole\n", len(runs)-len(problems), len(runs))
			return errors.Join(problems...)
		}),
	}
}
