package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/compare/rerun"
	"patchlab/coursework"
)

// rerunFlags say on what a sample is trained again.
type rerunFlags struct {
	data    dataFlags
	backend backend.Kind
}

func newCourseworkGradeCommand() *cobra.Command {
	var dir string
	var all bool
	o := coursework.GradeOptions{}
	flags := &rerunFlags{}
	cmd := &cobra.Command{
		Use:   "grade ASSIGNMENT",
		Short: "Train a sample of the results again, and write grades and feedback",
		Long: `Train a sample of each student's runs again, by their recipes, and write

  ASSIGNMENT-grades.csv             a line a student: claims, verdicts, remarks
  ASSIGNMENT-reruns.csv             a line a run of the sample, with its verdict
  verdicts/STUDENT/ASSIGNMENT.html  the same for the student, and as .md

The sample is drawn once for each submission and kept. Ctrl-C loses nothing:
what has a verdict keeps it, and the same command goes on. Each rerun is a
process of its own with a time limit, and may take half of this machine's
memory, where that is known, so that none stops the others. A run that a
notebook's session or a student's own code recorded has no recipe and is never
executed; nbgrader grades notebooks.

A run is made again on the backend that it recorded, unless --backend names
another. The same recipe, seed and backend give the same result bit for bit on
the same kind of processor and with the same build; else see the assignment's
tolerance.`,
		Example: `  patchlab coursework grade 02-vit --course vision
  patchlab coursework grade 02-vit --course vision --sample 3 --limit 30m
  patchlab coursework grade 02-vit --course vision --all`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all:
				o.Sample = -1
			case cmd.Flags().Changed("sample") && o.Sample < 1:
				return fmt.Errorf("--sample %d; allowed: 1 or more, or --all", o.Sample)
			case o.Limit <= 0:
				return fmt.Errorf("--limit %v; allowed: more than 0, such as 10m", o.Limit)
			}
			course, err := coursework.Open(dir)
			if err != nil {
				return err
			}
			var seed [32]byte
			rand.Read(seed[:]) // students must not foresee it
			o.Random = mathrand.New(mathrand.NewChaCha8(seed))
			if o.Rerun, err = flags.rerun(cmd); err != nil {
				return err
			}
			o.Each = func(done, total int, c coursework.Checked) {
				fmt.Fprintf(cmd.OutOrStdout(), "%d/%d  %s, %s: %s (%.0f s)\n", done, total, c.Student, oneLine(c.Run.Name), oneLine(c.Sentence), c.Seconds)
			}
			grades, err := course.Grade(cmd.Context(), args[0], o)
			if errors.Is(err, context.Canceled) {
				fmt.Fprintln(cmd.ErrOrStderr(), "Stopped; the same command goes on.")
			}
			if err != nil {
				return err
			}
			return printGrades(cmd.OutOrStdout(), grades)
		},
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		course, err := coursework.Open(dir)
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, _ := course.Assignments()
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	f := cmd.Flags()
	courseFlag(f, &dir)
	f.IntVar(&o.Sample, "sample", 0, "how many of each student's runs are trained again (default: the assignment's)")
	f.BoolVar(&all, "all", false, "train every run again")
	f.DurationVar(&o.Limit, "limit", 15*time.Minute, "the `time` that one rerun may take")
	cmd.MarkFlagsMutuallyExclusive("sample", "all")
	flags.data.add(f)
	backendFlag(f, &flags.backend)
	return cmd
}

// printGrades prints a line a student, and fails where something could not be judged.
func printGrades(w io.Writer, grades []coursework.Grade) error {
	fmt.Fprintf(w, "\n%-24s %5s %8s %11s %7s %8s %6s\n", "student", "runs", "checked", "reproduced", "within", "differs", "open")
	open := 0
	for _, g := range grades {
		fmt.Fprintf(w, "%-24s %5d %8d %11d %7d %8d %6d", cut(g.Student, 24), len(g.Runs), len(g.Checked),
			g.Count(rerun.Reproduced), g.Count(rerun.Within), g.Count(rerun.Differs), g.Count(coursework.NotRerun))
		switch {
		case g.Problem != "":
			fmt.Fprint(w, "\n    ", oneLine(g.Problem))
			open++
		case g.Made.IsZero():
			fmt.Fprint(w, "\n    nothing was handed in")
		}
		fmt.Fprintln(w)
		open += g.Count(coursework.NotRerun)
	}
	if open > 0 {
		return fmt.Errorf("%d results have no verdict: the reasons are in the grades; the same command tries again", open)
	}
	return nil
}

// rerun trains a run again by this program, in half of this machine's memory. The images are this machine's: where
// the student had them is not looked at.
func (f *rerunFlags) rerun(cmd *cobra.Command) (coursework.Rerun, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"--data-dir", f.data.dir}
	if cmd.Flags().Changed("backend") {
		args = append(args, "--backend", string(f.backend))
	}
	return coursework.Command{Program: program, Args: args, Memory: rerunMemory(backend.Describe(), cmd.ErrOrStderr())}.Rerun, nil
}

// rerunMemory is the memory that a rerun may take on a machine, in bytes. Where it isn't known, it is 0, no bound, and
// w is told so.
func rerunMemory(m backend.Machine, w io.Writer) int64 {
	if m.MemoryBytes == 0 {
		fmt.Fprintln(w, "This machine's memory is not known: nothing bounds what a rerun may take of it.")
	}
	return m.MemoryBytes / 2
}
