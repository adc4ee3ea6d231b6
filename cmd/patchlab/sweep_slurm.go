package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
	"patchlab/tracker"
)

// addCluster adds the flags of what trials ask of a cluster.
func addCluster(f *pflag.FlagSet, c *sweeps.Cluster) {
	f.StringVar(&c.Partition, "partition", "", "Slurm: the `partition` of the jobs")
	f.StringVar(&c.Time, "time", "", "Slurm: a job's time `limit`, such as 04:00:00; a trial may take several jobs")
	f.StringVar(&c.Account, "account", "", "Slurm: the `account` of the jobs")
	f.StringVar(&c.Memory, "memory", "", "cluster: memory a trial, such as 4G on Slurm or 4Gi on Kubernetes")
	f.StringVar(&c.GPUs, "gpus", "", "cluster: GPUs a trial")
	f.IntVar(&c.Cores, "cores", 1, "cluster: cores a trial")
	f.IntVar(&c.Parallel, "parallel", 0, "cluster: trials at a time (0: as many as fit)")
	f.IntVar(&c.Grace, "grace", 120, "cluster: `seconds` for a checkpoint before a job is ended")
	f.StringVar(&c.Template, "template", "", "cluster: an edited `file` of \"sweep template\"")
	f.StringArrayVar(&c.Options, "sbatch", nil, "Slurm: another `option` of sbatch, repeatable, such as --qos=low")
	f.StringVar(&c.Program, "program", "", "cluster: the patchlab that the nodes run (default: this one)")
}

// completeCluster fills in what jobs need from the machine that submits them.
func completeCluster(f *sweeps.Sweep) error {
	c := f.Cluster
	if c.Cores < 1 || c.Parallel < 0 || c.Grace < 1 {
		return fmt.Errorf("--cores %d, --parallel %d, --grace %d; allowed: 1 or more, 0 or more, 1 or more", c.Cores, c.Parallel, c.Grace)
	}
	if strings.ContainsAny(f.Dir, " \t\n%\"'\\") {
		return fmt.Errorf("the folder %s has blanks, quotes or %%, which job scripts do not bear; begin the sweep elsewhere", f.Dir)
	}
	var err error
	if c.Template, err = absolute(c.Template); err != nil {
		return err
	}
	if c.Program == "" {
		if c.Program, err = os.Executable(); err != nil {
			return err
		}
		if strings.Contains(c.Program, string(filepath.Separator)+"go-build") && !strings.HasSuffix(c.Program, ".test") {
			return errors.New("\"go run\" leaves no program for the nodes: install patchlab where they find it (go install ./cmd/patchlab), or name it by --program")
		}
	}
	return nil
}

// submitSweep merges what there is and submits the next round of a sweep.
func submitSweep(cmd *cobra.Command, f *sweeps.Sweep, plan *sweep.Plan, retryFailed bool) error {
	queue, err := f.AskSlurm(cmd.Context())
	if err != nil {
		return err
	}
	if active := queue.Active(); active > 0 {
		return fmt.Errorf("%d jobs of sweep %s are in Slurm's queue: \"%s sweep status %s\" shows them, \"sweep stop\" ends them",
			active, f.Spec.Name, self(), sweepRef(f))
	}
	return submitRound(cmd, f, plan, sweeps.Turn{Begun: true, RetryFailed: retryFailed, Load: loader(cmd, f)})
}

// newSweepNextCommand is what the dependent job of a round runs.
func newSweepNextCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "next SWEEP",
		Short:  "Merge a round's results and submit the next: what the dependent job runs",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openSweep(args[0])
			if err != nil {
				return err
			}
			plan, err := planOf(f)
			if err != nil {
				return err
			}
			unlock, err := f.Lock()
			if err != nil {
				return busySweep(f, err)
			}
			defer unlock()
			return submitRound(cmd, f, plan, sweeps.Turn{Load: loader(cmd, f)})
		},
	}
}

// submitRound submits a round, and tells of it.
func submitRound(cmd *cobra.Command, f *sweeps.Sweep, plan *sweep.Plan, turn sweeps.Turn) error {
	out := cmd.OutOrStdout()
	step, err := f.Submit(cmd.Context(), plan, turn)
	if step.Merged != nil {
		printMerged(out, f, *step.Merged, step.Unmerged)
	}
	switch {
	case err != nil:
		return err
	case step.Stopped:
		fmt.Fprintf(out, "The sweep is stopped; continue with: %s sweep resume %s\n", self(), sweepRef(f))
		return nil
	case len(step.Round.Tasks) == 0:
		printBest(out, f, step.Trials, nil, step.Runs)
		return lost(f, step.GivenUp)
	}
	r := step.Round
	fmt.Fprintf(out, "Round %d: %s submitted as job %s, job %s merges and goes on\n", r.Number, counted(len(r.Tasks), "trial"), r.Array, r.Merge)
	return nil
}

// printMerged tells what was merged, and what was not.
func printMerged(w io.Writer, f *sweeps.Sweep, m tracker.Merged, unmerged []error) {
	fmt.Fprintf(w, "%s: %d runs added, %d updated, %d unchanged\n", f.DB, m.Added, m.Updated, m.Unchanged)
	for _, problem := range unmerged {
		fmt.Fprintln(w, "not merged:", oneLine(problem.Error()))
	}
}

// queueSentence says what the queue holds.
func queueSentence(q *sweeps.Queue) string {
	switch {
	case q.Err != nil:
		return fmt.Sprintf("Slurm does not answer (%v): what runs now is unknown, what is merged is below.", q.Err)
	case len(q.Undone) > 0:
		return fmt.Sprintf("Kubernetes has not ended %s, as far as the folder tells; kubectl get jobs shows more.", counted(len(q.Undone), "trial"))
	case q.Active() == 0:
		return "No job of it is in the queue."
	}
	var running int
	for _, t := range q.Tasks {
		if t.State == "RUNNING" {
			running++
		}
	}
	s := fmt.Sprintf("Slurm: %s running, %d waiting or ending", counted(running, "trial"), len(q.Tasks)-running)
	if len(q.Merge) > 0 {
		s += fmt.Sprintf("; job %s merges them", q.Merge[0].Job)
	}
	return s + "."
}

// cancelSweep ends a sweep's jobs and waits for their checkpoints.
func cancelSweep(cmd *cobra.Command, f *sweeps.Sweep) error {
	queue, err := f.AskSlurm(cmd.Context())
	if err != nil {
		return err
	}
	jobs := queue.Jobs()
	if len(jobs) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "No job of sweep %s is in Slurm's queue\n", f.Spec.Name)
		return nil
	}
	if err := launch.Cancel(cmd.Context(), jobs...); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Sweep %s: jobs %s are ending …\n", f.Spec.Name, strings.Join(jobs, ", "))
	for queue.Active() > 0 {
		select {
		case <-time.After(time.Second):
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		}
		if queue, err = f.AskSlurm(cmd.Context()); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Stopped; continue with: %s sweep resume %s\n", self(), sweepRef(f))
	return nil
}
