package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/kernel/cell"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/parameters"
	"patchlab/kernel/runner"
)

// executeFlags are what "notebook run" and "notebook check" have in common.
type executeFlags struct {
	kernel, cwd, transport        string
	timeout, cellTimeout, patient time.Duration
}

func (f *executeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kernel, "kernel-name", "", "run on this `kernel` (default: the notebook's)")
	flags.StringVar(&f.cwd, "cwd", "", "the kernel's `folder` (default: the notebook's)")
	flags.DurationVar(&f.timeout, "timeout", 0, "end the run after this time, e.g. 1h")
	flags.DurationVar(&f.cellTimeout, "cell-timeout", 0, "end the run when a cell takes longer")
	flags.DurationVar(&f.patient, "start-timeout", time.Minute, "how long the kernel may start")
	flags.StringVar(&f.transport, "transport", "tcp", "tcp (loopback) or ipc")
	cmd.RegisterFlagCompletionFunc("kernel-name", completeKernels)
}

// options are the runner's, for the notebook n in the file input.
func (f *executeFlags) options(n *notebook.Notebook, input string) (runner.Options, error) {
	for name, d := range map[string]time.Duration{"timeout": f.timeout, "cell-timeout": f.cellTimeout, "start-timeout": f.patient} {
		if d < 0 {
			return runner.Options{}, fmt.Errorf("--%s %v; allowed: a positive time, such as 90s", name, d)
		}
	}
	spec, err := kernelOf(n, f.kernel)
	if err != nil {
		return runner.Options{}, err
	}
	dir := f.cwd
	if dir == "" {
		dir = filepath.Dir(input)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return runner.Options{}, fmt.Errorf("--cwd %s; allowed: an existing folder", dir)
	}
	return runner.Options{
		Kernel: spec, Input: input, Timeout: f.timeout, CellTimeout: f.cellTimeout,
		Start: runner.StartOptions{Dir: dir, Timeout: f.patient, Transport: f.transport},
	}, nil
}

type notebookRunOptions struct {
	executeFlags
	output string
	parameterFlags
	resume      string
	allowErrors bool
}

func newNotebookRunCommand() *cobra.Command {
	o := &notebookRunOptions{}
	cmd := &cobra.Command{
		Use:   "run FILE -o OUT",
		Short: "Run a notebook's cells in order and keep the outputs",
		Long: `Run a notebook's cells in order and keep the outputs.

OUT, which may be FILE itself, is saved after each cell. At the first error the
run stops, shows the cell and the kernel's trace, and ends with code 1; in a
cell tagged raises-exception an error is expected. Cells tagged skip-execution
are left out. Ctrl-C interrupts the cell and saves.

Parameters are set as by papermill: behind the cell tagged parameters, whose Go
types the values must fit. In Go a duration is written 90s, a list 1,2,3. -f
takes them from a file in YAML or JSON, -y from YAML on the command line; -y
goes before -f, and -p before both.

--resume goes on where the run that left OUT stopped: outputs of cells that
succeeded and have not been changed since are kept. A new kernel knows nothing
of them, so their state is restored first: for Go their declarations are sent
again and nothing is run (declare); for other languages the cells are run again
and their outputs dropped (rerun), but for those tagged skip-on-resume. With
--resume=nothing nothing is restored.`,
		Example: `  patchlab notebook run 02-mixer.ipynb -o out.ipynb
  patchlab notebook run 02-mixer.ipynb -o out.ipynb -p epochs=3 -p limit=90s
  patchlab notebook run 02-mixer.ipynb -o out.ipynb -f small.yaml -p seed=2
  patchlab notebook run 02-mixer.ipynb -o out.ipynb --resume
  patchlab notebook run any.ipynb -o any.ipynb --kernel-name python3`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeNotebooks,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	o.executeFlags.add(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "the `file` to write (required)")
	o.parameterFlags.add(f)
	f.StringVar(&o.resume, "resume", "", "go on: auto, declare, rerun, nothing")
	f.Lookup("resume").NoOptDefVal = "auto"
	f.BoolVar(&o.allowErrors, "allow-errors", false, "go on after cells that fail")
	return cmd
}

func (o *notebookRunOptions) run(cmd *cobra.Command, input string) error {
	if o.output == "" {
		return errors.New("no output; say where with -o OUT (FILE itself is allowed)")
	}
	n, err := notebook.Read(input)
	if err != nil {
		return err
	}
	options, err := o.options(n, input)
	if err != nil {
		return err
	}
	options.Output, options.AllowErrors = o.output, o.allowErrors
	n.Upgrade()
	if err := o.inject(cmd, n, &options); err != nil {
		return err
	}
	if err := o.previous(cmd, &options); err != nil {
		return err
	}
	values, err := keptValues(o.output, options.Previous != nil)
	if err != nil {
		return err
	}
	options.Start.Env = append(options.Start.Env, cell.Kept+"="+values)
	progress := newCellProgress(cmd.ErrOrStderr())
	options.Progress = progress.tell
	began := time.Now()
	err = runner.Run(cmd.Context(), n, options)
	progress.close()
	if err == nil {
		err = os.RemoveAll(values) // nothing is left to go on with
	}
	if err != nil {
		showTrace(cmd, err)
		if _, statErr := os.Stat(o.output); statErr == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "Saved %s; to go on where it stopped:\n  %s\n", o.output, o.again(cmd, input))
		}
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d cells in %s\n", o.output, progress.ran, seconds(time.Since(began)))
	return nil
}

// inject sets the parameters that the user gives.
func (o *notebookRunOptions) inject(cmd *cobra.Command, n *notebook.Notebook, options *runner.Options) error {
	list, err := o.assignments()
	if err != nil {
		return err
	}
	values, warnings, err := parameters.Inject(n, list)
	options.Parameters = values
	for _, w := range warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "Warning:", w)
	}
	return err
}

// previous reads what the run left that is to go on.
func (o *notebookRunOptions) previous(cmd *cobra.Command, options *runner.Options) error {
	ways := map[string]runner.Restore{"auto": runner.RestoreAuto, "declare": runner.RestoreDeclare, "rerun": runner.RestoreRerun, "nothing": runner.RestoreNothing}
	if o.resume == "" {
		return nil
	}
	way, ok := ways[o.resume]
	if !ok {
		return fmt.Errorf("--resume=%s; allowed: auto, declare, rerun, nothing", o.resume)
	}
	options.Restore = way
	previous, err := notebook.Read(o.output)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(cmd.ErrOrStderr(), "There is no %s yet; beginning with the first cell\n", o.output)
		return nil
	}
	options.Previous = previous
	return err
}

// again is the command that goes on.
func (o *notebookRunOptions) again(cmd *cobra.Command, input string) string {
	words := []string{"patchlab", "notebook", "run", shellWord(input)}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case f.Name == "resume":
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
		case f.Value.Type() == "stringArray":
			for _, value := range f.Value.(pflag.SliceValue).GetSlice() {
				words = append(words, "-"+f.Shorthand, shellWord(value))
			}
		case f.Name == "output":
			words = append(words, "-o", shellWord(o.output))
		default:
			words = append(words, "--"+f.Name, shellWord(f.Value.String()))
		}
	})
	resume := "--resume"
	if o.resume != "" && o.resume != "auto" {
		resume += "=" + o.resume
	}
	return strings.Join(append(words, resume), " ")
}

// showTrace shows what the kernel says of the cell that failed.
func showTrace(cmd *cobra.Command, err error) {
	var failure *runner.CellError
	if errors.As(err, &failure) && (failure.Cause == nil || len(failure.Traceback) > 1) {
		fmt.Fprintf(cmd.ErrOrStderr(), "\n%s\n", failure.Trace(colourful(cmd.ErrOrStderr())))
	}
}
