package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
)

// addKubernetes adds the flags of what manifests need besides.
func addKubernetes(f *pflag.FlagSet, c *sweeps.Kubernetes) {
	f.StringVar(&c.Image, "image", "", "Kubernetes: the container `image`, which has patchlab")
	f.StringVar(&c.Claim, "claim", "", "Kubernetes: the PersistentVolumeClaim (ReadWriteMany) that holds the sweep's folder")
	f.StringVar(&c.Mount, "mount", "", "Kubernetes: the `folder` at which this machine and the pods mount it (default: the current one)")
}

// quantity is an amount of memory as Kubernetes writes it.
var quantity = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$`)

// completeKubernetes checks what a manifest needs.
func completeKubernetes(f *sweeps.Sweep) error {
	c := f.Kubernetes
	if c.Image == "" || c.Claim == "" {
		return errors.New("a manifest needs --image, a container with patchlab, and --claim, a volume with the sweep's folder")
	}
	var err error
	if c.Mount == "" {
		c.Mount = filepath.Dir(f.Dir)
	}
	if c.Mount, err = filepath.Abs(c.Mount); err != nil {
		return err
	}
	if in, err := filepath.Rel(c.Mount, f.Dir); err != nil || strings.HasPrefix(in, "..") {
		return fmt.Errorf("--mount %s; it must hold the sweep's folder, %s, since the pods find it there", c.Mount, f.Dir)
	}
	if f.Cluster.Memory == "" {
		f.Cluster.Memory = "4Gi"
	}
	if !quantity.MatchString(f.Cluster.Memory) {
		return fmt.Errorf("--memory %s; Kubernetes writes it such as 4Gi", f.Cluster.Memory)
	}
	return nil
}

// renderSweep merges what there is and writes the manifest of a sweep's next round.
func renderSweep(cmd *cobra.Command, f *sweeps.Sweep, plan *sweep.Plan, retryFailed bool) error {
	out := cmd.OutOrStdout()
	if missing, err := f.Undone(); err != nil {
		return err
	} else if len(missing) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "The last round waits for %s: see that its Jobs are gone before you\napply another, with: kubectl delete -f %s\n",
			counted(len(missing), "trial"), f.ManifestPath())
	}
	step, err := f.Render(cmd.Context(), plan, sweeps.Turn{Begun: true, RetryFailed: retryFailed, Load: loader(cmd, f)})
	if step.Merged != nil {
		printMerged(out, f, *step.Merged, step.Unmerged)
	}
	if err != nil {
		return err
	}
	if len(step.Round.Tasks) == 0 {
		printBest(out, f, step.Trials, nil, step.Runs)
		return nil
	}
	fmt.Fprintf(out, "Round %d, %s; begin with: kubectl apply -f %s\nWhen its merge Job has ended, \"%s sweep resume %s\" renders what is left.\n",
		step.Round.Number, counted(len(step.Round.Tasks), "trial"), f.ManifestPath(), self(), sweepRef(f))
	return nil
}

// newSweepMergeCommand merges the results of a cluster's trials.
func newSweepMergeCommand() *cobra.Command {
	var wait bool
	cmd := ofSweep(&cobra.Command{
		Use:   "merge [SWEEP]",
		Short: "Merge what a cluster's trials recorded into results.db",
		Long: `Merge what a cluster's trials recorded into the sweep's results.db.

On Slurm a job does it after each round. Nothing must write results.db
meanwhile.`,
		Example: "  patchlab sweep merge rates",
	}, func(cmd *cobra.Command, f *sweeps.Sweep) error {
		if f.Launcher == sweeps.LaunchLocal {
			return fmt.Errorf("sweep %s runs on this machine, where all trials are recorded in %s: there is nothing to merge", f.Spec.Name, f.DB)
		}
		for wait {
			missing, err := f.Undone()
			if err != nil {
				return err
			}
			if len(missing) == 0 {
				break
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: waiting for %s\n", time.Now().Format(time.DateTime), counted(len(missing), "trial"))
			select {
			case <-time.After(10 * time.Second):
			case <-cmd.Context().Done():
				return cmd.Context().Err()
			}
		}
		merged, unmerged, err := f.Merge(cmd.Context())
		printMerged(cmd.OutOrStdout(), f, merged, unmerged)
		return err
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until all trials of the last round have ended")
	return cmd
}

// newSweepTemplateCommand prints a cluster's template, to be edited.
func newSweepTemplateCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "template slurm|kubernetes",
		Short:     "Print a cluster's job template, to edit and give by --template",
		Example:   "  patchlab sweep template slurm > mine.sh",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{sweeps.LaunchSlurm, sweeps.LaunchKubernetes},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := launch.SlurmTemplate
			if args[0] == sweeps.LaunchKubernetes {
				text = launch.KubernetesTemplate
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
}
