package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// tuningFlags begin a training with a run's weights instead of drawn ones.
type tuningFlags struct {
	from   string
	freeze bool

	of    string              // that run's ID; "" of a file
	start *experiments.Recipe // what it tells of its network
	init  experiments.Init
	named map[string]*tensors.Tensor
}

func (t *tuningFlags) add(f *pflag.FlagSet) {
	f.StringVar(&t.from, "init", "", "fine-tune: begin with the model and weights of this `run`, or of a FILE.safetensors that \"weights export\" wrote")
	f.BoolVar(&t.freeze, "freeze", false, "with --init: train the head alone")
}

// open looks up what --init names: a run, or a file.
func (t *tuningFlags) open(cmd *cobra.Command, dbPath string) (err error) {
	if t.from == "" {
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
	if strings.EqualFold(filepath.Ext(t.from), ".safetensors") {
		file, err := readWeights(t.from)
		if err == nil && file.wrong != nil {
			err = fmt.Errorf("%s: %w", t.from, file.wrong)
		}
		if errors.Is(err, lab.ErrNotDescribed) {
			err = fmt.Errorf("%w; make a run of it first: %s weights import %s --as MODEL", err, self(), t.from)
		}
		if err != nil {
			return fmt.Errorf("--init: %w", err)
		}
		recipe := file.of.Recipe()
		t.start, t.init, t.named = &recipe, experiments.Init{Weights: file.digest}, file.named
		return nil
	}
	db, info, err := readRun(cmd.Context(), dbPath, t.from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	recipe, named, err := lab.Weights(cmd.Context(), db, info)
	if err != nil {
		return noWeights(err, info, dbPath)
	}
	init, err := lab.FineTuning(cmd.Context(), db, info)
	if err != nil {
		return err
	}
	t.of, t.start, t.init, t.named = info.ID, &recipe, *init, named
	return nil
}

// check refuses a network that the weights do not fit.
func (t *tuningFlags) check(config models.Config) error {
	if t.start == nil {
		return nil
	}
	return experiments.CheckInit(config, t.named)
}

// keep makes the weights that the run begins with its own.
func (t *tuningFlags) keep(ctx context.Context, db *tracker.DB, run *tracker.Run) error {
	if t.start == nil {
		return nil
	}
	if t.of == "" {
		return lab.KeepInitFile(run, t.from)
	}
	return lab.KeepInit(ctx, db, run, t.of, t.init)
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
