package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"patchlab/tracker"
)

// newRunsMergeCommand needs no database to be there yet.
func newRunsMergeCommand(dbPath *string) *cobra.Command {
	return &cobra.Command{
		Use:   "merge FILE…",
		Short: "Copy all runs of other databases into this one",
		Long: `Copies runs with points and artifacts; they keep their identities, so merging
again changes nothing. Of a run that is here already, what this copy has not is
added: points, parameters, tags, inputs, artifacts. Nothing is taken away.

A run is not merged, and the command fails at its end, where its content is not
what its digest says, where it is damaged here or there, where a living process
writes it, or where the two copies went different ways: then neither has all
points of the other. The other runs are merged all the same.`,
		Example: "  patchlab runs merge --db class.db ada.db grace.db",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			into, err := tracker.Open(*dbPath)
			if err != nil {
				return err
			}
			var problems []error
			for _, path := range args {
				problems = append(problems, mergeFile(cmd.Context(), into, path, cmd.OutOrStdout()))
			}
			return errors.Join(append(problems, into.Close())...)
		},
	}
}

// mergeFile merges one file and says what was done; runs that were not taken
// are in the error.
func mergeFile(ctx context.Context, into *tracker.DB, path string, out io.Writer) error {
	from, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return err
	}
	merged, err := into.Merge(ctx, from)
	fmt.Fprintf(out, "%s: %d runs added, %d updated, %d unchanged\n", path, merged.Added, merged.Updated, merged.Unchanged)
	return errors.Join(merged.Refused, err, from.Close())
}
