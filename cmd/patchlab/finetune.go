package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
)

// tuningFlags begin a training with a run's weights instead of drawn ones.
type tuningFlags struct {
	run    string
	freeze bool

	of    string              // that run's ID
	start *experiments.Recipe // what it tells of its network
	init  experiments.Init
}

func (t *tuningFlags) add(f *pflag.FlagSet) {
	f.StringVar(&t.run, "init", "", "fine-tune: begin with the model and weights of this `run`, trained or imported")
	f.BoolVar(&t.freeze, "freeze", false, "with --init: train the head alone")
}

// open looks the run up that --init names.
func (t *tuningFlags) open(cmd *cobra.Command, dbPath string) (err error) {
	if t.run == "" {
		if t.freeze {
			return fmt.Errorf("--freeze keeps what --init brings, and there is no --init")
		}
		return nil
	}
	for _, other := range []string{"model", "recipe"} {
		if cmd.Flags().Changed(other) {
			return fmt.Errorf("--init and --%s both name a model; give one of them", other)
		}
	}
	db, info, err := readRun(cmd.Context(), dbPath, t.run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	recipe, err := lab.Describe(cmd.Context(), db, info)
	if err != nil {
		return err
	}
	init, err := lab.FineTuning(cmd.Context(), db, info)
	if err != nil {
		return err
	}
	t.of, t.start, t.init = info.ID, &recipe, *init
	return nil
}

// recipe is that of fine-tuning: five epochs at a constant, small rate, with
// today's decay; the best epoch on the images held out is kept.
func (t *tuningFlags) recipe(data experiments.Data, seed int64) experiments.Recipe {
	rate := 1e-4
	if t.freeze {
		rate = 1e-3
	}
	init := t.init
	init.Freeze = t.freeze
	r := experiments.Recipe{
		Model: t.start.Model, Data: data, Batch: 32, Epochs: 5,
		Optimizer: experiments.DefaultAdamW(rate), Keep: experiments.KeepAccuracy, Seed: seed, Init: &init,
	}
	r.Optimizer.Decay, r.Optimizer.WeightDecay = experiments.DecayScaled, .01
	return r
}

// fitView sets the size of a folder's pictures to the network's, cropped as
// those that the weights to begin with are used to.
func (t *tuningFlags) fitView(r *experiments.Recipe) {
	if !datasets.IsFolder(r.Data.Name) || r.Data.View != nil {
		return
	}
	view := datasets.View{Size: r.Model.ImageSize}
	if t.start != nil && t.start.Data.View != nil {
		view.Crop = t.start.Data.View.Crop
	}
	r.Data.View = &view
}
