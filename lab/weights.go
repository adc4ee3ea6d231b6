package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/experiments"
	"patchlab/models"
	"patchlab/tracker"
	"patchlab/weights"
)

// Artifacts of a run that hold weights, and what they are the weights of.
const (
	weightsArtifact = "weights.safetensors" // that the run ended with, or that were imported
	initArtifact    = "init.safetensors"    // that it began with, where it fine-tunes
	modelArtifact   = "model.json"          // of an imported run, which has no recipe
)

// Imported is what an imported run knows of its network, in model.json.
type Imported struct {
	Model models.Config `json:"model"`
	// Data has no name, but the view of a picture that the network is used to,
	// and its classes where they are known.
	Data experiments.Data `json:"data"`
}

// Import records weights that were trained elsewhere, by the names of package
// models, as a finished run, which can be used as one that was trained here. Weights
// that hold NaN or infinity are refused before there is a run.
func Import(ctx context.Context, db *tracker.DB, spec tracker.Spec, im Imported, named map[string]*tensors.Tensor) (*tracker.Run, error) {
	if err := im.Validate(); err != nil {
		return nil, err
	}
	if err := weights.CheckFinite(named); err != nil {
		return nil, err
	}
	counts, err := im.Model.Count()
	if err != nil {
		return nil, err
	}
	run, err := db.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	record := func() error {
		model, err := json.MarshalIndent(im, "", "  ")
		if err != nil {
			return err
		}
		if err := run.AddArtifact(modelArtifact, bytes.NewReader(append(model, '\n'))); err != nil {
			return err
		}
		var file bytes.Buffer
		if err := weights.Write(&file, named); err != nil {
			return err
		}
		if err := run.AddArtifact(weightsArtifact, &file); err != nil {
			return err
		}
		return run.SetParams(map[string]string{
			"model": im.Model.ID, "image_size": strconv.Itoa(im.Model.ImageSize), "patch_size": strconv.Itoa(im.Model.PatchSize),
			"dim": strconv.Itoa(im.Model.Dim), "tokens": strconv.Itoa(im.Model.Tokens()), "classes": strconv.Itoa(im.Model.Classes),
			"params": strconv.FormatInt(counts.Total, 10), "trainable": strconv.FormatInt(counts.Trainable, 10),
			"flops": strconv.FormatInt(im.Model.FLOPs(), 10), "precision": "float32",
		})
	}
	if err := record(); err != nil {
		return nil, errors.Join(err, run.Finish(tracker.Failed))
	}
	return run, run.Finish(tracker.Finished)
}

// Validate refuses what no network could be used as.
func (im Imported) Validate() error {
	if err := im.Model.Validate(); err != nil {
		return err
	}
	if im.Data.View == nil {
		return fmt.Errorf("it does not say how pictures are shown")
	}
	if err := im.Data.View.Validate(); err != nil {
		return err
	}
	_, err := im.Recipe().Images()
	return err
}

// Recipe is as much of one as is known.
func (im Imported) Recipe() experiments.Recipe {
	return experiments.Recipe{Model: im.Model, Data: im.Data, Batch: 32}
}

// Describe tells what network a run has, and of what pictures: its recipe, or
// of an imported run one that holds model and data alone.
func Describe(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (experiments.Recipe, error) {
	recipe, err := Recipe(ctx, db, info)
	if !errors.Is(err, tracker.ErrNotFound) {
		return recipe, err
	}
	file, missing := db.OpenArtifact(ctx, info.ID, modelArtifact)
	if missing != nil {
		return recipe, err
	}
	defer file.Close()
	var im Imported
	if err := json.NewDecoder(file).Decode(&im); err != nil {
		return recipe, fmt.Errorf("%s of run %s: %w", modelArtifact, info.Name, err)
	}
	if err := im.Validate(); err != nil {
		return recipe, fmt.Errorf("%s of run %s: %w", modelArtifact, info.Name, err)
	}
	return im.Recipe(), nil
}

// Export writes a network's weights as a safetensors file that says what network
// they are of: what [ReadExport] takes.
func Export(w io.Writer, recipe experiments.Recipe, named map[string]*tensors.Tensor) error {
	images, err := recipe.Images()
	if err != nil {
		return err
	}
	view := recipe.View(images)
	text, err := json.Marshal(Imported{Model: recipe.Model, Data: experiments.Data{View: &view, Classes: images.Classes}})
	if err != nil {
		return err
	}
	return weights.WriteDescribed(w, named, string(text))
}

// ErrNotDescribed says that a safetensors file does not tell what network its
// weights are of.
var ErrNotDescribed = errors.New("the file does not say what network it holds")

// ReadExport reads what [Export] wrote, as a whole, and checks that the weights are
// the network's. Where a file says nothing of its network, that is
// [ErrNotDescribed]; with any error about the network the tensors come all the same.
func ReadExport(r io.Reader) (im Imported, named map[string]*tensors.Tensor, err error) {
	named, text, err := weights.ReadDescribed(r)
	if err != nil {
		return im, nil, err
	}
	if text == "" {
		return im, named, ErrNotDescribed
	}
	if err := json.Unmarshal([]byte(text), &im); err != nil {
		return im, named, fmt.Errorf("what the file says of its network: %w", err)
	}
	if err := im.Validate(); err != nil {
		return im, named, fmt.Errorf("what the file says of its network: %w", err)
	}
	im.Model, _, err = weights.FromOwn(im.Model, named)
	return im, named, err
}

// FineTuning is the recipe's Init that begins with what a run ended with. A run
// that has no weights is [ErrNoWeights].
func FineTuning(ctx context.Context, db *tracker.DB, info tracker.RunInfo) (*experiments.Init, error) {
	artifacts, err := db.Artifacts(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range artifacts {
		if a.Name == weightsArtifact {
			return &experiments.Init{Weights: a.SHA256}, nil
		}
	}
	return nil, fmt.Errorf("run %s has %w (it is %s)", info.Name, ErrNoWeights, info.Status)
}

// KeepInit makes the weights of a recipe's Init an artifact of the run that
// begins with them, so that it can be resumed and rerun whatever becomes of the
// run that they come from: of is a run that ended with them or began with them.
func KeepInit(ctx context.Context, db *tracker.DB, run *tracker.Run, of string, init experiments.Init) error {
	artifacts, err := db.Artifacts(ctx, of)
	if err != nil {
		return err
	}
	for _, a := range artifacts {
		if a.SHA256 != init.Weights {
			continue
		}
		file, err := db.OpenArtifact(ctx, of, a.Name)
		if err != nil {
			return err
		}
		return errors.Join(run.AddArtifact(initArtifact, file), file.Close())
	}
	return fmt.Errorf("run %s has no weights with the digest %.12s, which the recipe begins with", of, init.Weights)
}

// KeepInitFile makes a file of initial weights an artifact of the run that begins
// with them, as [KeepInit] does with a run's.
func KeepInitFile(run *tracker.Run, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(run.AddArtifact(initArtifact, file), file.Close())
}

// openInit opens what a run begins with; nil where it draws its weights.
func openInit(ctx context.Context, db *tracker.DB, run string, recipe experiments.Recipe) (io.ReadCloser, error) {
	if recipe.Init == nil {
		return nil, nil
	}
	return db.OpenArtifact(ctx, run, initArtifact)
}
