package experiments

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"patchlab/datasets"
	"patchlab/datasets/augment"
	"patchlab/models"
)

// Recipe is everything that decides the outcome of a training run.
type Recipe struct {
	Model     models.Config `json:"model"`
	Data      Data          `json:"data"`
	Batch     int           `json:"batch"`
	Epochs    int           `json:"epochs"`
	Optimizer AdamW         `json:"optimizer"`
	// Plateau lowers the learning rate when the validation loss stalls; nil keeps it constant.
	Plateau *Plateau `json:"plateau,omitempty"`
	// Cosine warms the learning rate up and anneals it, step by step; it and
	// Plateau exclude one another.
	Cosine *Cosine `json:"cosine,omitempty"`
	// EarlyStopping ends the run when the validation loss stalls; nil runs all epochs.
	EarlyStopping *EarlyStopping `json:"early_stopping,omitempty"`
	// LabelSmoothing is the share ε of each label that is spread evenly over all
	// classes (Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7).
	LabelSmoothing float64 `json:"label_smoothing,omitempty"`
	// Augment varies the training images; nil takes them as they are.
	Augment *augment.Policy `json:"augment,omitempty"`
	// EMA is the decay d of the moving average of the weights, which is then what
	// is validated, tested and kept; 0 keeps the weights themselves:
	// w̄ ← w̄ + (1 − min(d, (1+t)/(10+t)))·(w − w̄) after step t.
	EMA float64 `json:"ema,omitempty"`
	// Keep says which epoch's weights the run ends with.
	Keep Keep  `json:"keep"`
	Seed int64 `json:"seed"`
	// Precision is that of the training steps' products; "" is float32.
	Precision Precision `json:"precision,omitempty"`
	// Devices is how many devices of the backend share each batch in training; 0
	// is 1. The losses are the same to rounding. Evaluation takes one device.
	Devices int `json:"devices,omitempty"`
	// Init names the weights to begin with; nil draws them from the seed.
	Init *Init `json:"init,omitempty"`
}

// Data names the images of a recipe and how they are divided.
type Data struct {
	Name string `json:"name"` // cifar10, fashion-mnist, shapes, or folder: and a name
	// TrainLimit and TestLimit use the first so many images; 0 means all.
	TrainLimit int `json:"train_limit,omitempty"`
	TestLimit  int `json:"test_limit,omitempty"`
	// Validation is the fraction of the training images, its last ones, that
	// is held out for validation.
	Validation float64 `json:"validation"`
	// View and Classes are those of a folder of pictures, which says neither in
	// its name.
	View    *datasets.View `json:"view,omitempty"`
	Classes []string       `json:"classes,omitempty"`
}

// Keep says which epoch's weights are kept.
type Keep string

// The epochs to keep: the one of the lowest validation loss, of the highest
// validation accuracy, or simply the last.
const (
	KeepLoss     Keep = "val_loss"
	KeepAccuracy Keep = "val_accuracy"
	KeepLast     Keep = "last"
)

// Better reports whether an epoch's result is to be kept over the best so far.
func (k Keep) Better(e, best Evaluation) bool {
	switch k {
	case KeepLoss:
		return e.Loss < best.Loss
	case KeepAccuracy:
		return e.Top1 > best.Top1
	default:
		return true
	}
}

// ReferenceRecipe returns the recipe with which the course trained a named
// configuration (package models lists them): its batch size, learning rate and
// number of epochs, TensorFlow Addons' AdamW with weight decay 1e-4, the last
// 10 % of the training images held out.
func ReferenceRecipe(id string, data Data, seed int64) (Recipe, error) {
	entry, err := models.Lookup(id)
	if err != nil {
		return Recipe{}, err
	}
	t := entry.Training
	r := Recipe{
		Model: entry.Config, Data: data, Batch: t.Batch, Epochs: t.Epochs,
		Optimizer: DefaultAdamW(t.LearningRate), Keep: Keep(t.KeepBest), Seed: seed,
	}
	r.Optimizer.WeightDecay = t.WeightDecay
	if t.Plateau {
		r.Plateau = &Plateau{Factor: .5, Patience: 5, MinDelta: 1e-4}
		r.EarlyStopping = &EarlyStopping{Patience: 10}
	}
	return r, nil
}

// Validate reports the first value that no run could use, and what is allowed.
func (r Recipe) Validate() error {
	if err := r.Model.Validate(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	switch {
	case !slices.Contains(datasets.Names(), r.Data.Name) && !datasets.IsFolder(r.Data.Name):
		return fmt.Errorf("data %q; allowed: %s, %sDIR", r.Data.Name, strings.Join(datasets.Names(), ", "), datasets.FolderPrefix)
	case r.Data.TrainLimit < 0 || r.Data.TestLimit < 0:
		return fmt.Errorf("data: limits %d and %d; allowed: 0 (all) or more", r.Data.TrainLimit, r.Data.TestLimit)
	case !(r.Data.Validation > 0 && r.Data.Validation < 1):
		return fmt.Errorf("data: validation fraction %g; allowed: more than 0, less than 1", r.Data.Validation)
	case r.Batch < 1:
		return fmt.Errorf("batch size %d; allowed: 1 or more", r.Batch)
	case r.Devices < 0 || r.Devices > 1 && r.Batch%r.Devices != 0:
		return fmt.Errorf("%d devices for batches of %d; allowed: divisors of the batch size", r.Devices, r.Batch)
	case r.Epochs < 1:
		return fmt.Errorf("%d epochs; allowed: 1 or more", r.Epochs)
	case r.Keep != KeepLoss && r.Keep != KeepAccuracy && r.Keep != KeepLast:
		return fmt.Errorf("keep %q; allowed: %s, %s, %s", r.Keep, KeepLoss, KeepAccuracy, KeepLast)
	}
	if err := r.Optimizer.validate(); err != nil {
		return err
	}
	if err := r.Precision.Check(""); err != nil {
		return err
	}
	if p := r.Plateau; p != nil && (p.Patience < 1 || !(p.Factor > 0 && p.Factor < 1) || !(p.MinDelta >= 0)) {
		return fmt.Errorf("plateau: factor %g, patience %d, min_delta %g; allowed: factor between 0 and 1, patience 1 or more, min_delta 0 or more",
			p.Factor, p.Patience, p.MinDelta)
	}
	if c := r.Cosine; c != nil {
		if r.Plateau != nil {
			return fmt.Errorf("plateau and cosine both set the learning rate; allowed is one of them")
		}
		if err := c.validate(r.Epochs); err != nil {
			return err
		}
	}
	if !(r.LabelSmoothing >= 0 && r.LabelSmoothing < 1) {
		return fmt.Errorf("label smoothing %g; allowed: 0 or more, less than 1", r.LabelSmoothing)
	}
	if !(r.EMA >= 0 && r.EMA < 1) {
		return fmt.Errorf("EMA decay %g; allowed: 0 (without) or more, less than 1", r.EMA)
	}
	if r.Augment != nil {
		if err := r.Augment.Validate(); err != nil {
			return fmt.Errorf("augment: %w", err)
		}
	}
	if s := r.EarlyStopping; s != nil && s.Patience < 1 {
		return fmt.Errorf("early stopping: patience %d; allowed: 1 or more", s.Patience)
	}
	if v := r.Data.View; v != nil {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("data: %w", err)
		}
	}
	return r.Init.validate()
}

// Images describes the pictures that the network was made for, without reading
// any: their size, channels and classes.
func (r Recipe) Images() (datasets.Dataset, error) {
	if r.Data.View == nil {
		return datasets.Describe(r.Data.Name)
	}
	d := datasets.Dataset{
		Name: r.Data.Name, Classes: r.Data.Classes, Height: r.Data.View.Size, Width: r.Data.View.Size, Channels: r.Model.Channels,
	}
	if d.Classes == nil {
		for class := range r.Model.Classes {
			d.Classes = append(d.Classes, fmt.Sprintf("class %d", class))
		}
	}
	if len(d.Classes) != r.Model.Classes {
		return d, fmt.Errorf("the model has %d classes and %d names for them", r.Model.Classes, len(d.Classes))
	}
	return d, nil
}

// View is how the network is shown pictures of any size: as the folder that it was
// trained on, or whole in the size of its dataset's, which [Recipe.Images] tells.
func (r Recipe) View(images datasets.Dataset) datasets.View {
	if r.Data.View != nil {
		return *r.Data.View
	}
	return datasets.View{Size: images.Height}
}

// Digest identifies the recipe: SHA-256 of its compact JSON, in hex.
func (r Recipe) Digest() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("recipe does not encode: %v", err)) // only non-finite numbers, which Validate refuses
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// WriteTo writes the recipe as indented JSON.
func (r Recipe) WriteTo(w io.Writer) (int64, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("write recipe: %w", err)
	}
	n, err := w.Write(append(b, '\n'))
	return int64(n), err
}

// ReadRecipe reads what [Recipe.WriteTo] wrote and validates it. A field that
// no recipe has is an error, so that a misspelt one is not ignored.
func ReadRecipe(src io.Reader) (Recipe, error) {
	var r Recipe
	d := json.NewDecoder(src)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Recipe{}, fmt.Errorf("read recipe: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Recipe{}, fmt.Errorf("read recipe: there is more after its end, at byte %d", d.InputOffset())
	}
	if err := r.Validate(); err != nil {
		return Recipe{}, fmt.Errorf("read recipe: %w", err)
	}
	return r, nil
}

// String is the recipe's compact JSON.
func (r Recipe) String() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	if err := e.Encode(r); err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

func positive(x float64) bool { return x > 0 && !math.IsInf(x, 1) }
