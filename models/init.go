package models

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// ParamSeed is the store's parameter (int64, default 0) from which all initial weights follow.
const ParamSeed = "models_seed"

// filler writes the initial values of a variable of the given dimensions. It draws from the
// generator, or not.
type filler func(random generator, dims []int, values []float32)

func zeros(_ generator, _ []int, values []float32) { clear(values) }

func ones(_ generator, _ []int, values []float32) {
	for i := range values {
		values[i] = 1
	}
}

// uniform draws from [-limit, limit), Keras's initialiser of Embedding with limit .05.
func uniform(limit float64) filler {
	return func(random generator, _ []int, values []float32) { random.fill(limit, values) }
}

// glorot draws from [-l, l) with l = sqrt(6/(fan in + fan out)) (Glorot & Bengio 2010), Keras's
// default for kernels.
func glorot(random generator, dims []int, values []float32) {
	in, out := fans(dims)
	random.fill(math.Sqrt(6/float64(in+out)), values)
}

// fans returns fan-in and fan-out as Keras 2 counts them: the last two axes are inputs and outputs, and
// all before multiply both. It does so for the three-axis kernels of multi-head attention too, whose
// axes mean something else: the limit is then smaller than Glorot's. The reference ran with that quirk;
// Keras 3 has mended it since (3.15 counts those axes by their meaning).
func fans(dims []int) (in, out int) {
	rest := 1
	for _, d := range dims[:len(dims)-2] {
		rest *= d
	}
	return rest * dims[len(dims)-2], rest * dims[len(dims)-1]
}

// generator is SplitMix64 (Steele, Lea & Flood 2014): the i-th number is a mix of key + i times a
// constant, hence the same on every machine, and quick.
type generator struct{ key uint64 }

const golden = 0x9e3779b97f4a7c15

// stream keys a generator by seed and the path of a variable (hashed by FNV-1a), so that a variable's
// weights do not depend on which others exist.
func stream(seed int64, path string) generator {
	hash := uint64(14695981039346656037)
	for i := range len(path) {
		hash = (hash ^ uint64(path[i])) * 1099511628211
	}
	return generator{mix(mix(uint64(seed)+golden) ^ hash)}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fill draws values uniformly from [-limit, limit), on a grid of 2^24 points.
func (random generator) fill(limit float64, values []float32) {
	state, step := random.key, limit/(1<<23)
	for i := range values {
		state += golden
		point := int64(mix(state)>>40) - 1<<23
		values[i] = float32(float64(point) * step)
	}
}

// VariableInfo describes a variable of a network.
type VariableInfo struct {
	Path      string // below the scope given to Logits, such as "block_0/token_mlp/dense_0/kernel"
	Dims      []int  // float32; empty for a scalar
	Trainable bool
}

// Size returns the number of values.
func (v VariableInfo) Size() int64 {
	size := int64(1)
	for _, d := range v.Dims {
		size *= int64(d)
	}
	return size
}

// Counts holds numbers of parameters. Total counts what the reference counts: non-trainable
// statistics too.
type Counts struct {
	Total     int64 `json:"total"`
	Trainable int64 `json:"trainable"`
}

// Variables lists the network's variables in the order in which the graph meets them.
// It builds the graph once, on the pure-Go backend and without values, so the list cannot differ from
// what Logits uses.
func (c Config) Variables() ([]VariableInfo, error) {
	var list []VariableInfo
	err := c.trace(model.NewStore(), true, func(path string, v VariableInfo) {
		if !slices.ContainsFunc(list, func(w VariableInfo) bool { return w.Path == path }) {
			list = append(list, v)
		}
	})
	return list, err
}

// Count returns the network's numbers of parameters.
func (c Config) Count() (Counts, error) {
	variables, err := c.Variables()
	var counts Counts
	for _, v := range variables {
		counts.Total += v.Size()
		if v.Trainable {
			counts.Trainable += v.Size()
		}
	}
	return counts, err
}

// Init creates the network's variables under the store's root with their initial values, where they
// do not exist yet, as the first call of Logits would. It runs nothing on any device.
func (c Config) Init(store *model.Store) error { return c.trace(store, false, nil) }

// trace builds the graph and throws it away.
func (c Config) trace(store *model.Store, dry bool, meet func(string, VariableInfo)) error {
	if err := c.Validate(); err != nil {
		return err
	}
	backend, err := gobackend.New("")
	if err != nil {
		return fmt.Errorf("tracing model %q: %w", c.ID, err)
	}
	defer backend.Finalize()
	err = exceptions.TryCatch[error](func() {
		g := graph.NewGraph(backend, "trace")
		defer g.Finalize()
		images := graph.Parameter(g, "images", shapes.Make(dtypes.Uint8, 1, c.ImageSize, c.ImageSize, c.Channels))
		n := &network{Config: c, scope: store.RootScope(), meet: meet, dry: dry}
		n.logits(images)
	})
	if err != nil {
		return fmt.Errorf("tracing model %q: %w", c.ID, err)
	}
	return nil
}
