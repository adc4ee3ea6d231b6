package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/tracker"
)

// trainOptions are the flags of patchlab train.
type trainOptions struct {
	recipeFlags
	data       dataFlags
	backend    backend.Kind
	db         string
	experiment string
	name       string
	tags       map[string]string
	resume     string
	pauseAfter int
	dryRun     bool
}

func newTrainCommand() *cobra.Command {
	o := &trainOptions{}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model and record the run",
		Long: `Train a model and record the run.

A named model (see "patchlab models") trains by the recipe of the course unless
flags change it; a stack of blocks trains by the recipe of the course's hybrids.
--recipe-name modern trains it as today: warm-up and cosine, augmented images
and more, by the kind of its first block; --dry-run shows the recipe. Ctrl-C
writes a checkpoint; --resume continues as if nothing had happened, as it does
after a crash: bit for bit on the same kind of processor, with the same build.`,
		Example: `  patchlab train --model mixer-4 --epochs 5
  patchlab train --model mixer:2,vit:1 --dim 64 --seed 2
  patchlab train --model mixer-4 --data shapes --train-limit 5000
  patchlab train --model mixer-128-8 --recipe-name modern --epochs 20
  patchlab train --model vit:4 --crop 4 --flip --mixup 0.2 --warmup 2
  patchlab train --recipe recipe.json
  patchlab train --init latest --data folder:pets --epochs 5
  patchlab train --init network.safetensors --data folder:pets
  patchlab train --resume latest`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("train takes no argument %q; a model is named by --model %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.pauseAfter < 0 {
				return fmt.Errorf("--pause-after %d; allowed: 0 or more", o.pauseAfter)
			}
			if o.resume != "" {
				if err := resumes(cmd.Flags()); err != nil {
					return err
				}
				return o.resumeRun(cmd)
			}
			return o.newRun(cmd)
		},
	}
	f := cmd.Flags()
	o.recipeFlags.add(f)
	o.data.add(f)
	backendFlag(f, &o.backend)
	dbFlag(f, &o.db)
	f.StringVar(&o.experiment, "experiment", "", "the experiment that the run belongs to")
	f.StringVar(&o.name, "name", "", "the run's name (default: the model and the seed)")
	f.StringToStringVar(&o.tags, "tag", nil, "`key=value` to tag the run with, repeatable")
	f.StringVar(&o.resume, "resume", "", "continue this `run` (an ID, a name or \"latest\")")
	f.IntVar(&o.pauseAfter, "pause-after", 0, "stop with a checkpoint once this `epoch` is complete; --resume goes on (0: train to the end)")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the recipe and stop")
	cmd.RegisterFlagCompletionFunc("model", completeModels)
	cmd.RegisterFlagCompletionFunc("resume", completeRuns(&o.db))
	cmd.RegisterFlagCompletionFunc("init", completeRuns(&o.db))
	completeWords(cmd, "data", datasets.Names()...)
	completeWords(cmd, "recipe-name", courseRecipe, modernRecipe)
	completeWords(cmd, "decay", string(experiments.DecayPlain), string(experiments.DecayScaled))
	return cmd
}

// resumes refuses flags beside --resume that would change the run.
func resumes(f *pflag.FlagSet) (err error) {
	f.Visit(func(other *pflag.Flag) {
		switch other.Name {
		case "resume", "db", "data-dir", "backend", "pause-after":
		default:
			err = fmt.Errorf("--%s with --resume: a resumed run goes on as it began; leave out --%s, or --resume to begin another run", other.Name, other.Name)
		}
	})
	return err
}

// newRun starts a run from the flags.
func (o *trainOptions) newRun(cmd *cobra.Command) error {
	var err error
	if o.recipeFlags.data.Name, err = o.data.folder(o.recipeFlags.data.Name); err != nil {
		return err
	}
	if err := o.tuning.open(cmd, o.db); err != nil {
		return err
	}
	recipe, err := o.recipe(cmd.Flags())
	if err != nil {
		return err
	}
	o.tuning.fitView(&recipe)
	if recipe.Init != nil && o.tuning.start == nil {
		return fmt.Errorf("the recipe begins with weights %.12s, which its file does not hold: make a recorded run again with patchlab rerun, or begin with a run's by --init", recipe.Init.Weights)
	}
	if o.dryRun {
		_, err := recipe.WriteTo(cmd.OutOrStdout())
		return err
	}
	return o.train(cmd, recipe)
}

// train starts a run of a recipe.
func (o *trainOptions) train(cmd *cobra.Command, recipe experiments.Recipe) error {
	d, err := o.data.load(cmd, recipe.Data)
	if err != nil {
		return err
	}
	// The network takes the images as the dataset has them.
	recipe.Model.Channels, recipe.Model.Classes = d.Channels, len(d.Classes)
	if recipe.Data.View != nil {
		recipe.Data.Classes = d.Classes // which the name does not tell
	}
	if err := recipe.Validate(); err != nil {
		return err
	}
	if err := o.tuning.check(recipe.Model); err != nil { // before anything is written
		return err
	}
	name := o.name
	if name == "" {
		name = fmt.Sprintf("%s-%d", recipe.Model.ID, recipe.Seed)
	}
	return o.carryOut(cmd, recipe, d, starts(tracker.Spec{
		Experiment: o.experiment, Name: name, Tags: o.tags, Parent: o.tuning.of,
		Inputs: []tracker.Input{{Name: d.Name, Digest: d.Digest, Context: "train and test"}},
	}, o.tuning.keep))
}

// begin starts or resumes the run that a training is recorded in.
type begin func(ctx context.Context, db *tracker.DB, env map[string]string, diff []byte) (*tracker.Run, error)

// starts begins a new run, which keeps the environment and uncommitted changes,
// and by keep the weights to begin with.
func starts(spec tracker.Spec, keep func(context.Context, *tracker.DB, *tracker.Run) error) begin {
	return func(ctx context.Context, db *tracker.DB, env map[string]string, diff []byte) (*tracker.Run, error) {
		spec.Environment = env
		run, err := lab.Start(ctx, db, spec, diff)
		if err != nil {
			return nil, err
		}
		if err := keep(ctx, db, run); err != nil {
			return nil, errors.Join(err, run.Finish(tracker.Failed))
		}
		return run, nil
	}
}

// carryOut trains and records what begin starts or resumes.
func (o *trainOptions) carryOut(cmd *cobra.Command, recipe experiments.Recipe, d *datasets.Dataset, begin begin) error {
	b, info, err := openBackend(cmd, o.backend)
	if err != nil {
		return err
	}
	defer b.Finalize()
	job := experiments.Job{
		Recipe: recipe, Dataset: d, Backend: b, BackendName: info.Name, PauseAfter: o.pauseAfter,
	}
	if err := job.Check(); err != nil { // before anything is written
		return err
	}
	db, err := tracker.Open(o.db)
	if err != nil {
		return err
	}
	defer db.Close()
	env, diff := lab.Environment(cmd.Context(), info)
	if o.data.dir != "" {
		if env["data_dir"], err = filepath.Abs(o.data.dir); err != nil {
			return err
		}
	}
	env["data_source"] = d.Source
	run, err := begin(cmd.Context(), db, env, diff)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), wrapped("", fmt.Sprintf("Run %s: %s on %s (%d images), recorded in %s",
		run.ID(), recipe.Model.ID, d.Name, d.Train.Len(), o.db)))
	p := newProgress(cmd.OutOrStdout(), cmd.ErrOrStderr())
	job.CheckpointDir, job.Report = lab.CheckpointDir(o.db, run.ID()), p.report
	result, err := lab.Carry(cmd.Context(), db, run, job)
	p.clear()
	if errors.Is(err, experiments.ErrPaused) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Paused after epoch %d; continue with: %s train --resume %s%s\n", o.pauseAfter, self(), run.ID(), dbHint(o.db))
		return nil
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Stopped; continue with: %s train --resume %s%s\n", self(), run.ID(), dbHint(o.db))
	}
	if result != nil {
		printResult(cmd.OutOrStdout(), result)
		if result.StoppedEarly > 0 && recipe.Model.BatchNorm() && len(result.Timing.StepMillis) < 700 {
			fmt.Fprintln(cmd.ErrOrStderr(), wrapped("", "Its BatchNorms' moving statistics (momentum .99) need some 700 steps, and it validates near chance before: "+
				"train on more images, in smaller batches, or by --recipe-name modern, which does not stop early."))
		}
	}
	return err
}

func printResult(w io.Writer, r *experiments.Result) {
	seconds := func(s float64) time.Duration {
		return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond)
	}
	if r.StoppedEarly > 0 {
		fmt.Fprintf(w, "stopped early after epoch %d: no lower validation loss for %d epochs\n", len(r.History), r.StoppedEarly)
	}
	fmt.Fprintf(w, "test top-1 %.2f %%, top-5 %.2f %%, loss %.4f on %d images (weights of epoch %d)\n",
		100*r.Test.Top1, 100*r.Test.Top5, r.Test.Loss, r.Test.Images, r.Best.Epoch)
	if len(r.Timing.StepMillis) > 0 { // enough steps to leave out the warm-up
		fmt.Fprintf(w, "training %.0f images/s, step %.1f ms (p95 %.1f), ", r.TrainImagesPerSecond, r.StepMedian, r.StepP95)
	}
	fmt.Fprintf(w, "inference %.0f images/s\n", r.Test.ImagesPerSecond())
	fmt.Fprintf(w, "compiling %v, training %v, evaluation %v\n",
		seconds(r.Timing.Compile), seconds(r.Timing.Train), seconds(r.Timing.Eval))
}
