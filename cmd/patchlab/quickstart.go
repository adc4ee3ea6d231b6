package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/experiments/launch"
	"patchlab/lab"
	"patchlab/save"
	"patchlab/tracker"
)

// quickModels are the four that quickstart contrasts, all on the same table of
// 64 tokens of 64 channels.
var quickModels = [...]struct{ spec, what string }{
	{"mixer:2", "an MLP-Mixer"},
	{"vit:1", "a ViT"},
	{"mixer:1,vit:1", "a hybrid of both"},
	{"convmixer:1", "a ConvMixer"},
}

const quickExperiment = "quickstart"

// quickstart is one call of the command.
type quickstart struct {
	db     string
	data   dataFlags
	kind   backend.Kind
	report string
}

func newQuickstartCommand() *cobra.Command {
	q := &quickstart{}
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "Train and compare four small architectures: about three minutes",
		Long: `Train four small architectures and compare them: about three minutes.

A Mixer, a ViT, a hybrid of both and a ConvMixer learn from a subset of CIFAR-10
(or of the built-in shapes, where CIFAR-10 can't be had). Each trains in a
process of its own and is recorded. Run again, it finishes what was interrupted,
or adds another seed.`,
		Example: `  patchlab quickstart
  patchlab quickstart --data-dir ~/data/cifar10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	q.data.add(f)
	backendFlag(f, &q.kind)
	dbFlag(f, &q.db)
	f.StringVarP(&q.report, "output", "o", "quickstart.md", "the report's `file`")
	return cmd
}

func (q *quickstart) run(cmd *cobra.Command) error {
	if err := save.Check(q.report); err != nil { // not after minutes
		return err
	}
	out := cmd.OutOrStdout()
	b, info, err := openBackend(cmd, q.kind) // installs what is missing, once
	if err != nil {
		return err
	}
	b.Finalize()
	if q.kind, err = lab.KindOf(info.Name); err != nil {
		return err
	}
	slow := info.Name == "go"
	d, err := q.findData(cmd, slow)
	if err != nil {
		return err
	}
	began := time.Now()
	plan, err := q.plan(cmd.Context(), d)
	if err != nil {
		return err
	}
	for i, step := range plan {
		fmt.Fprintf(out, "\n[%d/%d] %s: %s, seed %d\n", i+1, len(plan), step.spec, step.what, step.seed)
		if err := q.train(cmd, step, d, slow); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nTrained in %v. Side by side, over all seeds so far:\n\n", time.Since(began).Round(time.Second))
	if err := q.compare(cmd); err != nil {
		return err
	}
	if slow {
		fmt.Fprintln(out, `
In pure Go there is time for a few hundred images only: these accuracies are
near chance, and say that everything works, not which model is better.`)
	}
	folder := ""
	if q.data.dir != "" {
		folder = " --data-dir " + launch.Quote(q.data.dir)
	}
	fmt.Fprintf(out, `
The report is in %s, every run in %s. What to try next, with %s:

  quickstart                        again: another seed, tighter figures
  predict latest PICTURE.png        what the last network sees in it
  train --model mixer:2,vit:2 --data %s%s
                                    a hybrid of your own
  compare -o report.html            everything so far, on one page
  serve                             the same on a live page, and for Python's mlflow
`, q.report, q.db, self(), d.Name, folder)
	return nil
}

// findData says which images are used; out loud where they are the built-in ones.
func (q *quickstart) findData(cmd *cobra.Command, slow bool) (*datasets.Dataset, error) {
	train, test := quickImages(slow)
	d, err := q.data.load(cmd, experiments.Data{Name: "cifar10", TrainLimit: train, TestLimit: test})
	if errors.Is(err, datasets.ErrUnavailable) && q.data.dir == "" {
		fmt.Fprintln(cmd.OutOrStdout(), "CIFAR-10 is not here and can't be downloaded: the built-in shapes stand in for it.\n"+
			"(With CIFAR-10's official binary files, give their folder: --data-dir DIR.)")
		return q.data.load(cmd, experiments.Data{Name: "shapes", TrainLimit: train, TestLimit: test})
	}
	return d, err
}

// quickImages is how many images are trained and tested on: 90 % of the first
// divide into batches of 32.
func quickImages(slow bool) (train, test int) {
	if slow {
		return 640, 500
	}
	return 7680, 2000
}

// quickStep is one training of the plan.
type quickStep struct {
	spec, what string
	seed       int64
	resume     string // the interrupted run to continue, or ""
}

// plan finds the first seed that not all four models have finished on this
// backend with these images, and what of it is left to do: an interrupted run is
// resumed, a failed one made anew, one that another process is at is left to it.
func (q *quickstart) plan(ctx context.Context, d *datasets.Dataset) ([]quickStep, error) {
	var runs []tracker.RunInfo
	if _, err := os.Stat(q.db); err == nil {
		db, err := tracker.Open(q.db, tracker.ReadOnly())
		if err != nil {
			return nil, err
		}
		runs, err = db.Runs(ctx, tracker.Query{Experiment: quickExperiment})
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, err
		}
	}
	type key struct {
		model, seed string
	}
	found := map[key]tracker.RunInfo{}
	for _, r := range runs {
		k := key{r.Params["model"], r.Params["seed"]}
		kind, err := lab.KindOf(r.Environment["backend"])
		if err == nil && kind == q.kind && sameImages(r, d) == nil && found[k].Status != tracker.Finished {
			found[k] = r
		}
	}
	for seed := int64(1); ; seed++ {
		var plan []quickStep
		for _, m := range quickModels {
			step := quickStep{spec: m.spec, what: m.what, seed: seed}
			switch r := found[key{m.spec, strconv.FormatInt(seed, 10)}]; r.Status {
			case tracker.Finished, tracker.Running:
				continue
			case tracker.Killed, tracker.Crashed:
				step.resume = r.ID
			}
			plan = append(plan, step)
		}
		if len(plan) > 0 {
			return plan, nil
		}
	}
}

// train runs "patchlab train" in a process of its own, so that no model's speed
// or memory depends on those before it.
func (q *quickstart) train(cmd *cobra.Command, s quickStep, d *datasets.Dataset, slow bool) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"train", "--db", q.db, "--backend", string(q.kind)}
	if q.data.dir != "" {
		args = append(args, "--data-dir", q.data.dir)
	}
	if s.resume != "" {
		args = append(args, "--resume", s.resume)
	} else {
		images, tests := quickImages(slow)
		epochs := "5"
		if slow {
			epochs = "2"
		}
		// Small batches, because a ConvMixer's moving statistics need about a
		// thousand steps.
		args = append(args, "--model", s.spec, "--image-size", "32", "--patch-size", "4", "--dim", "64", "--dropout", "0.1",
			"--data", d.Name, "--train-limit", strconv.Itoa(images), "--test-limit", strconv.Itoa(tests), "--epochs", epochs, "--batch", "32",
			"--seed", strconv.FormatInt(s.seed, 10), "--experiment", quickExperiment)
	}
	child := exec.CommandContext(cmd.Context(), program, args...)
	child.Stdout, child.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = time.Minute // for its checkpoint
	err = child.Run()
	if ctxErr := cmd.Context().Err(); ctxErr != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "Stopped; \""+self()+" quickstart\" goes on from here.")
		return ctxErr
	}
	if err != nil {
		return fmt.Errorf("training %s: %w", s.spec, err)
	}
	return nil
}

// compare prints the comparison and writes it as the report.
func (q *quickstart) compare(cmd *cobra.Command) error {
	for _, args := range [][]string{{}, {"--format", "markdown", "--output", q.report}} {
		c := newCompareCommand()
		c.SetArgs(append([]string{"--db", q.db, "--filter", "attributes.experiment_name = '" + quickExperiment + "'"}, args...))
		c.SetOut(cmd.OutOrStdout())
		c.SetErr(cmd.ErrOrStderr())
		c.SilenceErrors, c.SilenceUsage = true, true
		if err := c.ExecuteContext(cmd.Context()); err != nil {
			return err
		}
	}
	return nil
}
