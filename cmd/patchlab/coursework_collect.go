package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/coursework"
)

// courseFlag adds --course.
func courseFlag(flags *pflag.FlagSet, dir *string) {
	flags.StringVar(dir, "course", ".", "the course's `folder`, which \"coursework new\" made")
}

func newCourseworkCollectCommand() *cobra.Command {
	var dir string
	var limit int64
	cmd := &cobra.Command{
		Use:   "collect FILE|DIR…",
		Short: "Check submissions and take them into the course",
		Long: `Check submissions and take them into the course: signature, every digest, every
result against the recorded points. Folders are searched, also below, so that
the unpacked download of a learning platform will do; names of files mean
nothing.

The runs come into class.db, tagged with student and assignment; the submission
into collected/STUDENT, its notebook into submitted/STUDENT/ASSIGNMENT, where
nbgrader looks for it; a student's first key into roster.csv. At the end stands
who handed in what another did. collected.csv and copies.csv hold the same.
Collecting again changes nothing.

A file that cannot be taken is listed with the reason and stops no other; the
exit code is then 1.`,
		Example: `  patchlab coursework collect downloads/ --course vision
  patchlab compare --db vision/class.db --by tags.student`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return fmt.Errorf("--limit %d; allowed: 1 (MB) or more", limit)
			}
			course, err := coursework.Open(dir)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			all, err := course.Collect(cmd.Context(), args, coursework.CollectOptions{
				Limit: limit << 20, Each: func(d coursework.Collected) { printCollected(out, d) },
			})
			if err != nil {
				return err
			}
			copies, unread, err := course.Copies(cmd.Context())
			if err != nil {
				return err
			}
			printCopies(out, copies)
			refused := 0
			for _, d := range all {
				if d.Status == coursework.Refused {
					refused++
				}
			}
			if refused > 0 {
				text := "%d of %d files were refused; the others were taken"
				if refused == len(all) {
					text = "%d of %d files were refused"
				}
				unread = append(unread, fmt.Errorf(text, refused, len(all)))
			}
			return errors.Join(unread...)
		},
	}
	courseFlag(cmd.Flags(), &dir)
	cmd.Flags().Int64Var(&limit, "limit", coursework.DefaultLimit>>20, "how many `MB` a submission may have, packed or unpacked")
	return cmd
}

// printCollected prints a line a file, and the reason below it.
func printCollected(w io.Writer, d coursework.Collected) {
	if d.Status == coursework.Refused {
		fmt.Fprintf(w, "%-9s  %s\n", d.Status, oneLine(d.File))
	} else {
		fmt.Fprintf(w, "%-9s  %-24s %-24s %s\n", d.Status, cut(d.Student, 24), cut(d.Assignment, 24), countRuns(d.Runs))
	}
	if d.Reason != "" {
		fmt.Fprintf(w, "           %s\n", oneLine(d.Reason))
	}
}

// printCopies prints what several students handed in.
func printCopies(w io.Writer, copies []coursework.Copied) {
	if len(copies) == 0 {
		fmt.Fprintln(w, "\nNo run and no notebook was handed in by two students.")
		return
	}
	fmt.Fprintln(w, "\nHanded in by several students:")
	for _, d := range copies {
		sure := ""
		if !d.Certain {
			sure = " (may be chance: look at them)"
		}
		fmt.Fprintf(w, "%s\n    %s, %s\n    %s%s\n", strings.Join(d.Students, ", "), strings.Join(d.Assignments, ", "),
			oneLine(d.What), d.Evidence, sure)
	}
}
