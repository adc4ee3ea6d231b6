package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/check"
	"patchlab/kernel/runner"
)

type notebookCheckOptions struct {
	executeFlags
	levels int
	share  float64
	output string
}

func newNotebookCheckCommand() *cobra.Command {
	o := &notebookCheckOptions{}
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Run a notebook again and compare the outputs",
		Long: `Run a notebook again and compare the outputs with those that it holds.

Text must be the same, pictures nearly so. FILE is not changed. The code is 0
where all outputs are the same, 1 where they differ or a cell fails. Tags of a
cell change what counts:

  skip-check, nondeterministic   its outputs are not compared
  timing                         times such as 1.5s and 30 ms are all the same
  raises-exception               it must fail with an error of that name
  skip-execution                 it is not run`,
		Example: `  patchlab notebook check 02-mixer.ipynb
  patchlab notebook check 02-mixer.ipynb --pixel-levels 8 --pixel-share 0.01`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeNotebooks,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.add(cmd)
	f := cmd.Flags()
	f.IntVar(&o.levels, "pixel-levels", 2, "how far a pixel may be off, of 255")
	f.Float64Var(&o.share, "pixel-share", .001, "share of pixels that may be further off")
	f.StringVarP(&o.output, "output", "o", "", "also keep the new run in this `file`")
	return cmd
}

func (o *notebookCheckOptions) run(cmd *cobra.Command, input string) error {
	if o.levels < 1 || o.levels > 255 {
		return fmt.Errorf("--pixel-levels %d; allowed: 1 to 255", o.levels)
	}
	if !(o.share >= 0 && o.share <= 1) {
		return fmt.Errorf("--pixel-share %g; allowed: 0 to 1", o.share)
	}
	limits := check.Options{Levels: o.levels, Share: o.share}
	if o.share == 0 {
		limits.Share = -1
	}
	old, err := notebook.Read(input)
	if err != nil {
		return err
	}
	executed := func(c *notebook.Cell) bool {
		return c.Kind() == notebook.Code && (c.Count() > 0 || len(c.Outputs()) > 0)
	}
	if !slices.ContainsFunc(old.Cells, executed) {
		return fmt.Errorf("%s holds no outputs to compare with; run it first: patchlab notebook run %s -o %[2]s", input, shellWord(input))
	}
	old.Upgrade()
	n := old.Clone()
	options, err := o.options(n, input)
	if err != nil {
		return err
	}
	options.Output = o.output
	progress := newCellProgress(cmd.ErrOrStderr())
	options.Progress = progress.tell
	began := time.Now()
	err = runner.Run(cmd.Context(), n, options)
	progress.close()
	if err != nil {
		showTrace(cmd, err)
		return err
	}
	differences, err := check.Compare(old, n, limits)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	showDifferences(out, differences, colourful(out))
	if len(differences) > 0 {
		return fmt.Errorf("%s: the outputs of %d of %d cells differ", input, len(differences), progress.ran)
	}
	fmt.Fprintf(out, "%s: %d cells in %s, the outputs are the same\n", input, progress.ran, seconds(time.Since(began)))
	return nil
}

// showDifferences prints what differs, cell by cell.
func showDifferences(w io.Writer, differences []check.Difference, colour bool) {
	colours := map[byte]string{'-': "\x1b[31m", '+': "\x1b[32m", '@': "\x1b[36m"}
	for _, d := range differences {
		fmt.Fprintf(w, "code cell %d (id %s): %s\n", d.Cell, d.ID, cut(runner.Plain(d.Line), 50))
		for _, line := range d.Lines {
			line = strings.ReplaceAll(line, "\x1b", "␛")
			if c := colours[line[0]]; colour && c != "" {
				line = c + line + "\x1b[0m"
			}
			fmt.Fprintln(w, "  "+line)
		}
		fmt.Fprintln(w)
	}
}
