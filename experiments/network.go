package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"golang.org/x/sync/errgroup"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/models"
	"patchlab/weights"
)

// Network is a model with its weights on a backend. It is not safe for
// concurrent use.
type Network struct {
	Config  models.Config
	backend compute.Backend
	store   *model.Store
	forward *model.Exec
	inside  *model.Exec // made by Inspect; nil before
	half    bool        // the products of forward in bfloat16, for [Measure]
	// names are the model's own variables, without the optimiser's.
	names []string
}

// NewNetwork returns a network with initial weights drawn from the seed: the
// same on every backend and machine.
func NewNetwork(b compute.Backend, config models.Config, seed int64) (*Network, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("build network: %w", err)
	}
	n := &Network{Config: config, backend: b, store: model.NewStore()}
	n.store.SetParam("/"+models.ParamSeed, seed)
	if err := config.Init(n.store); err != nil {
		return nil, fmt.Errorf("build network: %w", err)
	}
	for v := range n.store.IterVariables() {
		n.names = append(n.names, v.Path())
	}
	slices.Sort(n.names)
	err := guard("build network", func() (err error) {
		n.forward, err = model.NewExec(b, n.store, func(scope *model.Scope, images *graph.Node) *graph.Node {
			return config.Logits(scope, images, models.Pass{BFloat16: n.half, Kernels: backend.Kernels(images.Graph())})
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	n.forward.WithName("forward").SetMaxCache(-1)
	return n, nil
}

// LoadNetwork returns a network with the weights of a safetensors file, as a
// run's artifact weights.safetensors holds them. Every variable of the model
// must be there with its shape, and none else.
func LoadNetwork(b compute.Backend, config models.Config, file io.Reader) (*Network, error) {
	n, err := NewNetwork(b, config, 0)
	if err != nil {
		return nil, err
	}
	named, err := weights.Read(file)
	if err != nil {
		return nil, fmt.Errorf("load network: %w", err)
	}
	if err := n.restore(named); err != nil {
		return nil, fmt.Errorf("load network: %w", err)
	}
	return n, nil
}

// Adapt gives the network's normalisation the moments of images, where it has one:
// what training begins with.
func (n *Network) Adapt(s datasets.Split) error {
	if !n.Config.Normalize {
		return nil
	}
	mean, variance := s.ChannelMoments()
	return models.SetNormalization(n.store, mean, variance)
}

// SaveWeights writes the model's variables as a safetensors file.
func (n *Network) SaveWeights(w io.Writer) error {
	named, err := n.snapshot(n.names)
	if err != nil {
		return fmt.Errorf("save weights: %w", err)
	}
	return weights.Write(w, named)
}

// Close frees the compiled graphs and the weights.
func (n *Network) Close() {
	n.forward.Finalize()
	if n.inside != nil {
		n.inside.Finalize()
	}
	n.store.Finalize()
}

func (n *Network) inputShape(batch, height, width int) shapes.Shape {
	return shapes.Make(dtypes.Uint8, batch, height, width, n.Config.Channels)
}

// snapshot copies variables to the host, by path without its leading slash.
func (n *Network) snapshot(paths []string) (map[string]*tensors.Tensor, error) {
	named := make(map[string]*tensors.Tensor, len(paths))
	for _, path := range paths {
		value, err := n.store.GetVariable(path).Value()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if named[strings.TrimPrefix(path, "/")], err = value.LocalClone(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return named, nil
}

// restore sets the model's variables, all or none.
func (n *Network) restore(named map[string]*tensors.Tensor) error {
	for name := range named {
		if !slices.Contains(n.names, "/"+name) {
			return fmt.Errorf("weights hold %s, which the model has not", name)
		}
	}
	for _, path := range n.names {
		t, ok := named[path[1:]]
		if !ok {
			return fmt.Errorf("weights lack %s", path[1:])
		}
		if v := n.store.GetVariable(path); !t.Shape().Equal(v.Shape()) {
			return fmt.Errorf("weights hold %s as %s, the model wants %s", path[1:], t.Shape(), v.Shape())
		}
	}
	for _, path := range n.names {
		if err := setVariable(n.store.GetVariable(path), named[path[1:]]); err != nil {
			return err
		}
	}
	return nil
}

// setVariable gives a variable a copy of a value, so that the donation of its
// buffer to a training step leaves the value whole.
func setVariable(v *model.Variable, value *tensors.Tensor) error {
	c, err := value.LocalClone()
	if err != nil {
		return fmt.Errorf("%s: %w", v.Path(), err)
	}
	if err := v.SetValue(c); err != nil {
		return fmt.Errorf("%s: %w", v.Path(), err)
	}
	return nil
}

// compile compiles the forward pass for a batch of a split's images.
func (n *Network) compile(batch, height, width int) error {
	_, err := n.compiled(batch, height, width)
	return err
}

// compiled returns the graph of the forward pass for a batch size.
func (n *Network) compiled(batch, height, width int) (g *graph.Graph, err error) {
	err = guard("compile the forward pass", func() (err error) {
		g, err = n.forward.Compile(n.inputShape(batch, height, width))
		return err
	})
	return g, err
}

// Logits returns the network's output for count images of one size, each
// height × width × channels bytes: [count][classes] flattened. Images beyond
// the last full batch are padded, which no other image's output depends on.
// Outputs that are NaN or infinite are an error.
func (n *Network) Logits(ctx context.Context, images []uint8, height, width, batch int) ([]float32, error) {
	if batch < 1 {
		return nil, fmt.Errorf("predict: batch size %d; allowed: 1 or more", batch)
	}
	size := height * width * n.Config.Channels
	if size == 0 || len(images)%size != 0 {
		return nil, fmt.Errorf("predict: %d bytes are no whole number of %d×%d images with %d channels", len(images), height, width, n.Config.Channels)
	}
	count := len(images) / size
	logits := make([]float32, count*n.Config.Classes)
	classes := n.Config.Classes
	pass := func(start int, buffer []uint8) error {
		used := min(batch, count-start)
		copy(buffer, images[start*size:(start+used)*size])
		return n.pass(buffer, logits[start*classes:(start+used)*classes], batch, height, width)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if count == 0 {
		return logits, nil
	}
	// The first pass brings the weights to the device, which only one may do.
	first := make([]uint8, batch*size)
	if err := pass(0, first); err != nil {
		return nil, err
	}
	var next atomic.Int64
	next.Store(int64(batch))
	group, ctx := errgroup.WithContext(ctx)
	for w := range min(overlap, (count-1)/batch) {
		buffer := first
		if w > 0 {
			buffer = make([]uint8, batch*size)
		}
		group.Go(func() error {
			for {
				start := int(next.Add(int64(batch))) - batch
				if start >= count {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := pass(start, buffer); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return logits, nil
}

// overlap is how many batches are in the forward pass at once: one alone leaves processors idle at the end of each
// of its operations.
const overlap = 2

// pass runs the network on a full batch of images and writes the logits of the first of them, as many as there is
// room for.
func (n *Network) pass(images []uint8, logits []float32, batch, height, width int) error {
	input, err := tensors.FromRaw(n.backend, 0, n.inputShape(batch, height, width), images)
	if err != nil {
		return fmt.Errorf("forward pass: %w", err)
	}
	var out []*tensors.Tensor
	err = guard("forward pass", func() (err error) {
		out, err = n.forward.Exec(input)
		return err
	})
	if err != nil {
		return err
	}
	values, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return fmt.Errorf("forward pass: %w", err)
	}
	copy(logits, values)
	if err := finalize(input, out[0]); err != nil {
		return err
	}
	return checkLogits(logits)
}

// errNotNumbers says that a network computes NaN or infinity.
var errNotNumbers = errors.New("the network's outputs are not numbers but NaN or infinity: its weights are too large, or hold such values themselves")

// checkLogits reports outputs that nothing can be told from.
func checkLogits(logits []float32) error {
	for _, v := range logits {
		if v-v != 0 { // NaN and infinity alone
			return errNotNumbers
		}
	}
	return nil
}

func finalize(ts ...*tensors.Tensor) error {
	for _, t := range ts {
		if err := t.FinalizeAll(); err != nil {
			return fmt.Errorf("free tensor: %w", err)
		}
	}
	return nil
}

// checkDataset reports a dataset that the model was not made for.
func checkDataset(config models.Config, d *datasets.Dataset) error {
	if d.Channels != config.Channels || len(d.Classes) != config.Classes {
		return fmt.Errorf("%s has %d channels and %d classes, the model %d and %d",
			d.Name, d.Channels, len(d.Classes), config.Channels, config.Classes)
	}
	return nil
}

// guard runs graph-building code, which panics as GoMLX's does, and returns its
// panic as an error.
func guard(doing string, f func() error) error {
	var err error
	if caught := exceptions.TryCatch[error](func() { err = f() }); caught != nil {
		err = caught
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
