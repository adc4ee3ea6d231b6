// Command patchlab trains patch-based vision models, keeps every run, and
// contrasts them. See "patchlab --help".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// exitInterrupted is the exit status after Ctrl-C or SIGTERM, as of shells.
const exitInterrupted = 130

func main() {
	ctx, stop := interruptible(os.Stderr)
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
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
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
  patchlab inspect latest                     what its network looks at, in pictures`,
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
	return root
}
