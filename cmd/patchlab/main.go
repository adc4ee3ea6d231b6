// Command patchlab trains patch-based vision models, keeps every run, and
// contrasts them. See "patchlab --help".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// exitInterrupted is the exit status after Ctrl-C or SIGTERM, as of shells.
const exitInterrupted = 130

func main() {
	ctx, stop := interruptible(os.Stderr, os.Args[1:])
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "patchlab: interrupted")
		os.Exit(exitInterrupted)
	}
	fmt.Fprintln(os.Stderr, "patchlab:", err)
	os.Exit(1)
}

// run is the program without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := newRootCommand()
	out := &checkedWriter{to: stdout}
	root.SetArgs(args)
	root.SetOut(out)
	if isTerminal(stdout) { // it has a width, and is never full
		root.SetOut(stdout)
	}
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return out.err
	}
	if strings.HasPrefix(err.Error(), "required flag(s)") { // cobra has no type for it
		return flagError(cmd, err)
	}
	return err
}

// checkedWriter keeps the first error of writing to the standard output, so that no
// command ends well whose words are lost.
type checkedWriter struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.to.Write(p)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "patchlab",
		Short: "A laboratory for patch-based vision architectures",
		Long: `Patchlab trains ViT, MLP-Mixer, ConvMixer and their hybrids on real images,
keeps every run in a SQLite file, and contrasts their speed and accuracy.`,
		Example: `  patchlab quickstart                         four architectures, three minutes
  patchlab train --model mixer-4              one of the ten reference models
  patchlab train --model mixer:2,vit:1        a hybrid of your own
  patchlab compare                            every run so far, side by side
  patchlab inspect latest                     pictures of what it looks at`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		newQuickstartCommand(),
		newTrainCommand(),
		newSweepCommand(),
		newRerunCommand(),
		newEvaluateCommand(),
		newPredictCommand(),
		newInspectCommand(),
		newModelsCommand(),
		newBenchCommand(),
		newBenchProcessCommand(),
		newWeightsCommand(),
		newRunsCommand(),
		newServeCommand(),
		newCompareCommand(),
		newClaimsCommand(),
		newDoctorCommand(),
		newSetupCommand(),
		newKernelCommand(),
		newNotebookCommand(),
		newCourseworkCommand(),
	)
	root.SetFlagErrorFunc(flagError)
	// Flags in lines of at most 80 columns, as the rest.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 "))
	return root
}

// flagKinds says in words what a flag takes, by pflag's name of its type.
var flagKinds = map[string]string{
	"int": "a whole number", "int64": "a whole number", "uint64": "a whole number, 0 or more",
	"int64Slice": "whole numbers, separated by commas", "float64": "a number", "bool": "true or false", "duration": "a duration such as 90s or 20m",
}

// flagError says of a flag that cannot be read what is allowed, and where all flags are explained.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if kind, ok := flagKinds[invalid.GetFlag().Value.Type()]; ok {
			err = fmt.Errorf("--%s %s: allowed is %s", invalid.GetFlag().Name, invalid.GetValue(), kind)
		}
	}
	return fmt.Errorf("%w; all flags: %s --help", err, cmd.CommandPath())
}
