package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/models"
	"patchlab/weights"
)

// Init says which weights a run begins with: fine-tuning.
type Init struct {
	// Weights is the SHA-256, in hex, of a safetensors file with the names of
	// package models: a run's artifact weights.safetensors.
	Weights string `json:"weights"`
	// Freeze trains the classifier, and hidden layers of the head, alone.
	Freeze bool `json:"freeze,omitempty"`
}

func (i *Init) validate() error {
	if i == nil {
		return nil
	}
	if b, err := hex.DecodeString(i.Weights); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("init: weights %q; allowed: a SHA-256 in %d hexadecimal digits", i.Weights, 2*sha256.Size)
	}
	return nil
}

func (r Recipe) frozen() bool { return r.Init != nil && r.Init.Freeze }

// begin gives the network the weights of a file, as fine-tuning does:
//
//   - a classifier for another number of classes is left out, and the network's
//     own, as drawn from the seed, stays;
//   - a position embedding for another number of patches is interpolated;
//   - the statistics that pixels are normalised by are the file's, since that is
//     what its weights are used to, and not those of the new images.
//
// All else must be there with its shape, and nothing more.
func (n *Network) begin(file io.Reader, init Init) error {
	if file == nil {
		return fmt.Errorf("initial weights %.12s are named by the recipe and not given", init.Weights)
	}
	hash := sha256.New()
	named, err := weights.Read(io.TeeReader(file, hash))
	if err != nil {
		return fmt.Errorf("initial weights: %w", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != init.Weights {
		return fmt.Errorf("initial weights have the digest %.12s; the recipe wants %.12s", got, init.Weights)
	}
	if bias := named["classifier/bias"]; bias != nil && !slices.Equal(bias.Shape().Dimensions, []int{n.Config.Classes}) {
		for _, name := range []string{"classifier/kernel", "classifier/bias"} {
			if named[name], err = n.store.GetVariable("/" + name).Value(); err != nil {
				return fmt.Errorf("initial weights: %w", err)
			}
		}
	}
	if err := fitPositions(n.Config, named); err != nil {
		return fmt.Errorf("initial weights: %w", err)
	}
	if err := n.restore(named); err != nil {
		return fmt.Errorf("initial weights: %w", err)
	}
	return nil
}

// CheckInit says why a network cannot begin with weights, by the rules of [Init] or
// because they hold NaN or infinity, before a run is made for it.
func CheckInit(config models.Config, named map[string]*tensors.Tensor) error {
	if err := weights.CheckFinite(named); err != nil {
		return fmt.Errorf("initial weights: %w", err)
	}
	named = maps.Clone(named)
	if err := fitPositions(config, named); err != nil {
		return fmt.Errorf("initial weights: %w", err)
	}
	if _, _, err := weights.FromOwn(config, named); err != nil { // with the file's number of classes
		return fmt.Errorf("initial weights: %w", err)
	}
	return nil
}

// fitPositions fits the position embedding among weights, if there is one.
func fitPositions(config models.Config, named map[string]*tensors.Tensor) (err error) {
	const position = "position/embedding"
	if t := named[position]; t != nil && config.Position {
		if named[position], err = positions(config, t); err != nil {
			return fmt.Errorf("%s: %w", position, err)
		}
	}
	return nil
}

// positions fits a position embedding [T', C] to a network's patches: [T, C].
func positions(config models.Config, t *tensors.Tensor) (*tensors.Tensor, error) {
	dims := t.Shape().Dimensions
	special := config.Tokens() - config.Grid()*config.Grid() // a class token, which keeps its row
	if len(dims) != 2 || dims[1] != config.Dim || dims[0] == config.Tokens() {
		return t, nil // who sets it has the say
	}
	grid := int(math.Sqrt(float64(dims[0] - special)))
	if grid < 1 || grid*grid+special != dims[0] {
		return nil, fmt.Errorf("%d rows; allowed: a square number of patches and %d more", dims[0], special)
	}
	table, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	at := special * config.Dim
	table = append(table[:at:at], models.ResizePositions(table[at:], grid, config.Grid(), config.Dim)...)
	return tensors.FromFlatDataAndDimensions(table, config.Tokens(), config.Dim), nil
}

// headSize is the number of values that are trained where all before is frozen.
func (n *Network) headSize() int64 {
	size := 0
	for _, path := range n.names {
		if strings.HasPrefix(path, "/classifier/") || strings.HasPrefix(path, "/head/dense_") {
			size += n.store.GetVariable(path).Shape().Size()
		}
	}
	return int64(size)
}
