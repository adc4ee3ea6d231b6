package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

// clusterConfig is what trials ask of a cluster.
type clusterConfig struct {
	Partition string   `json:"partition,omitempty"`
	Time      string   `json:"time,omitempty"`
	Account   string   `json:"account,omitempty"`
	Memory    string   `json:"memory,omitempty"`
	GPUs      string   `json:"gpus,omitempty"`
	Cores     int      `json:"cores"`
	Parallel  int      `json:"parallel,omitempty"`
	Grace     int      `json:"grace_seconds"`
	Template  string   `json:"template,omitempty"`
	Options   []string `json:"options,omitempty"`
	Program   string   `json:"program"`
}

func (c *clusterConfig) add(f *pflag.FlagSet) {
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

// complete fills in what jobs need from the machine that submits them.
func (c *clusterConfig) complete(f *sweepFolder) error {
	if c.Cores < 1 || c.Parallel < 0 || c.Grace < 1 {
		return fmt.Errorf("--cores %d, --parallel %d, --grace %d; allowed: 1 or more, 0 or more, 1 or more", c.Cores, c.Parallel, c.Grace)
	}
	if strings.ContainsAny(f.dir, " \t\n%\"'\\") {
		return fmt.Errorf("the folder %s has blanks, quotes or %%, which job scripts do not bear; begin the sweep elsewhere", f.dir)
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

// text is the template of the jobs.
func (c *clusterConfig) text() (string, error) {
	if c.Template == "" {
		return launch.SlurmTemplate, nil
	}
	b, err := os.ReadFile(c.Template)
	return string(b), err
}

// submit merges what there is and submits the next round of a sweep.
func (f *sweepFolder) submit(cmd *cobra.Command, plan *sweep.Plan, retryFailed bool) error {
	queue, err := f.askSlurm(cmd.Context())
	if err != nil {
		return err
	}
	if active := queue.active(); active > 0 {
		return fmt.Errorf("%d jobs of sweep %s are in Slurm's queue: \"%s sweep status %s\" shows them, \"sweep stop\" ends them",
			active, f.Spec.Name, self(), f.ref())
	}
	return f.round(cmd, plan, true, retryFailed)
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
			plan, err := sweep.NewPlan(f.Spec, recipeOf)
			if err != nil {
				return err
			}
			unlock, err := f.lock()
			if err != nil {
				return err
			}
			defer unlock()
			return f.round(cmd, plan, false, false)
		},
	}
}

// round merges the results so far and submits what may be trained now.
func (f *sweepFolder) round(cmd *cobra.Command, plan *sweep.Plan, begun, retryFailed bool) error {
	out := cmd.OutOrStdout()
	if err := os.MkdirAll(f.path(sweepJobs), 0o755); err != nil {
		return err
	}
	if err := f.merge(cmd.Context(), out); err != nil {
		return err
	}
	if f.stopping() {
		fmt.Fprintf(out, "The sweep is stopped; continue with: %s sweep resume %s\n", self(), f.ref())
		return nil
	}
	limit, err := launch.MaxArray(cmd.Context())
	if err != nil {
		return err
	}
	runs, err := newSweepResults(f).read(cmd.Context(), f.DB)
	if err != nil {
		return err
	}
	r, trials, givenUp, err := f.nextRound(plan, runs, begun, retryFailed, limit)
	if err != nil {
		return err
	}
	if more, err := f.know(cmd, trials); err != nil {
		return err
	} else if more {
		if err := f.save(); err != nil {
			return err
		}
	}
	if len(r.Tasks) == 0 {
		printBest(out, f, trials, nil, runs)
		if givenUp > 0 {
			return fmt.Errorf("%s could not be trained; the logs are in %s; \"%s sweep resume %s\" tries again",
				counted(givenUp, "trial"), f.path(sweepTrials), self(), f.ref())
		}
		return nil
	}
	return f.submitRound(cmd, r)
}

// refusedSize matches what sbatch says of an array that is too large for a limit
// or for a queue that is nearly full.
var refusedSize = regexp.MustCompile(`(?i)limit|MaxSubmit|MaxJobCount|array spec|array index|temporarily`)

// submitRound submits the array and the job that depends on it. Of a round that
// Slurm finds too large it submits the beginning; the rest comes later.
func (f *sweepFolder) submitRound(cmd *cobra.Command, r sweepRound) error {
	for {
		if err := f.saveRound(r); err != nil { // before a task can ask for it
			return err
		}
		job, err := f.submitJob(cmd.Context(), r, "")
		if err == nil {
			r.Array = job
			break
		}
		if len(r.Tasks) == 1 || !refusedSize.MatchString(err.Error()) {
			return errors.Join(fmt.Errorf("%w; nothing is lost, \"%s sweep resume %s\" submits again", err, self(), f.ref()), os.Remove(f.roundPath(r.Number)))
		}
		r.Tasks = r.Tasks[:len(r.Tasks)/2]
	}
	if err := f.saveRound(r); err != nil {
		return err
	}
	var err error
	if r.Merge, err = f.submitJob(cmd.Context(), r, r.Array); err != nil {
		return fmt.Errorf("the trials are submitted as job %s, but not the job that merges them: %w; when they have ended, \"%s sweep resume %s\" goes on", r.Array, err, self(), f.ref())
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Round %d: %s submitted as job %s, job %s merges and goes on\n", r.Number, counted(len(r.Tasks), "trial"), r.Array, r.Merge)
	return f.saveRound(r)
}

// submitJob submits a round's array or, after it, the job that merges.
func (f *sweepFolder) submitJob(ctx context.Context, r sweepRound, after string) (string, error) {
	c := f.Cluster
	j := launch.SlurmJob{
		Name: f.Spec.Name, Folder: f.dir, Grace: c.Grace, Cores: c.Cores,
		Partition: c.Partition, Time: c.Time, Account: c.Account, Memory: c.Memory, GPUs: c.GPUs,
		Job: fmt.Sprintf("%s-%d", f.Spec.Name, r.Number), After: after,
	}
	if after == "" {
		j.Array = fmt.Sprintf("0-%d", len(r.Tasks)-1)
		if c.Parallel > 0 {
			j.Array += fmt.Sprintf("%%%d", c.Parallel)
		}
		j.Command = launch.Quote(c.Program, "sweep", "task", f.dir, "--round", strconv.Itoa(r.Number)) + ` --index "$SLURM_ARRAY_TASK_ID"`
	} else {
		j.Job += "-merge"
		j.Command = launch.Quote(c.Program, "sweep", "next", f.dir)
	}
	text, err := c.text()
	if err != nil {
		return "", err
	}
	script, err := j.Script(text)
	if err != nil {
		return "", err
	}
	path := f.path(sweepJobs, j.Job+".sh")
	if err := renameio.WriteFile(path, script, 0o755); err != nil {
		return "", err
	}
	return launch.Submit(ctx, path, c.Options...)
}

// cancel ends a sweep's jobs and waits for their checkpoints.
func (f *sweepFolder) cancel(cmd *cobra.Command) error {
	queue, err := f.askSlurm(cmd.Context())
	if err != nil {
		return err
	}
	jobs := queue.jobs()
	if len(jobs) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "No job of sweep %s is in Slurm's queue\n", f.Spec.Name)
		return nil
	}
	if err := launch.Cancel(cmd.Context(), jobs...); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Sweep %s: jobs %s are ending …\n", f.Spec.Name, strings.Join(jobs, ", "))
	for queue.active() > 0 {
		select {
		case <-time.After(time.Second):
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		}
		if queue, err = f.askSlurm(cmd.Context()); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Stopped; continue with: %s sweep resume %s\n", self(), f.ref())
	return nil
}
