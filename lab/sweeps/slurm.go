package sweeps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"github.com/google/renameio/v2"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

// Cluster is what trials ask of a cluster.
type Cluster struct {
	Partition string   `json:"partition,omitempty"`
	Time      string   `json:"time,omitempty"`
	Account   string   `json:"account,omitempty"`
	Memory    string   `json:"memory,omitempty"`
	GPUs      string   `json:"gpus,omitempty"`
	Cores     int      `json:"cores"`
	Parallel  int      `json:"parallel,omitempty"` // trials at a time; 0: as many as fit
	Grace     int      `json:"grace_seconds"`      // for a checkpoint before a job is ended
	Template  string   `json:"template,omitempty"` // an edited one's absolute path
	Options   []string `json:"options,omitempty"`  // of sbatch
	Program   string   `json:"program"`            // patchlab, as the nodes find it
}

// text is the template of the jobs, or one that stands for it.
func (c *Cluster) text(otherwise string) (string, error) {
	if c.Template == "" {
		return otherwise, nil
	}
	b, err := os.ReadFile(c.Template)
	return string(b), err
}

// Submit merges what there is and submits to Slurm the trials that may be trained
// now, as an array and a job that runs "sweep next" when it has ended. Step.Round
// says what was submitted; it has no Merge where that job was refused.
func (s *Sweep) Submit(ctx context.Context, plan *sweep.Plan, turn Turn) (Step, error) {
	step, err := s.next(ctx, plan, turn, launch.MaxArray)
	if err != nil || len(step.Round.Tasks) == 0 {
		return step, err
	}
	return step, s.submitRound(ctx, &step.Round)
}

// refusedSize matches what sbatch says of an array that is too large for a limit
// or for a queue that is nearly full.
var refusedSize = regexp.MustCompile(`(?i)limit|MaxSubmit|MaxJobCount|array spec|array index|temporarily`)

// submitRound submits the array and the job that depends on it. Of a round that
// Slurm finds too large it submits the beginning; the rest comes later.
func (s *Sweep) submitRound(ctx context.Context, r *Round) error {
	for {
		if err := s.saveRound(*r); err != nil { // before a task can ask for it
			return err
		}
		job, err := s.submitJob(ctx, *r, "")
		if err == nil {
			r.Array = job
			break
		}
		if len(r.Tasks) == 1 || !refusedSize.MatchString(err.Error()) {
			return errors.Join(fmt.Errorf("%w; nothing is lost, and resuming the sweep submits again", err), os.Remove(s.roundPath(r.Number)))
		}
		r.Tasks = r.Tasks[:len(r.Tasks)/2]
	}
	if err := s.saveRound(*r); err != nil {
		return err
	}
	var err error
	if r.Merge, err = s.submitJob(ctx, *r, r.Array); err != nil {
		return fmt.Errorf("the trials are submitted as job %s, but not the job that merges them: %w; when they have ended, resuming the sweep goes on", r.Array, err)
	}
	return s.saveRound(*r)
}

// submitJob submits a round's array or, after it, the job that merges.
func (s *Sweep) submitJob(ctx context.Context, r Round, after string) (string, error) {
	c := s.Cluster
	j := launch.SlurmJob{
		Name: s.Spec.Name, Folder: s.Dir, Grace: c.Grace, Cores: c.Cores,
		Partition: c.Partition, Time: c.Time, Account: c.Account, Memory: c.Memory, GPUs: c.GPUs,
		Job: fmt.Sprintf("%s-%d", s.Spec.Name, r.Number), After: after,
	}
	if after == "" {
		j.Array = fmt.Sprintf("0-%d", len(r.Tasks)-1)
		if c.Parallel > 0 {
			j.Array += fmt.Sprintf("%%%d", c.Parallel)
		}
		j.Command = launch.Quote(c.Program, "sweep", "task", s.Dir, "--round", strconv.Itoa(r.Number)) + ` --index "$SLURM_ARRAY_TASK_ID"`
	} else {
		j.Job += "-merge"
		j.Command = launch.Quote(c.Program, "sweep", "next", s.Dir)
	}
	text, err := c.text(launch.SlurmTemplate)
	if err != nil {
		return "", err
	}
	script, err := j.Script(text)
	if err != nil {
		return "", err
	}
	path := s.Path(jobsFolder, j.Job+".sh")
	// Not by package save, which makes no file executable.
	if err := renameio.WriteFile(path, script, 0o755); err != nil {
		return "", err
	}
	return launch.Submit(ctx, path, c.Options...)
}
