package experiments

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// averageScope holds the averages of the weights, beside and never among the
// model's variables.
const averageScope = "average"

func averagePath(path string) string { return model.JoinPath("/", averageScope, path) }

// average adds to a step's graph the moving average w̄ of each of the variables
// that the step changes, weights and BatchNorm's statistics alike:
//
//	w̄ ← w̄ + rate·(w − w̄)    rate = 1 − min(d, (1+t)/(10+t)) at step t
//
// with decay d (Polyak and Juditsky 1992 for the averaging; the smaller decay of
// the first steps, in which w̄ would only hold initial weights, is that of
// TensorFlow's ExponentialMovingAverage). Rate is a scalar from [emaRate].
func average(store *model.Store, paths []string, g *graph.Graph, rate *graph.Node) {
	for _, path := range paths {
		v := store.GetVariable(path)
		if !v.ChangedInGraph(g) {
			continue
		}
		mean := store.GetVariable(averagePath(path))
		if mean == nil {
			mean = store.VariableWithValue(averagePath(path), mustClone(v)).SetTrainable(false)
		}
		old := mean.NodeValue(g)
		mean.SetNodeValue(graph.Add(old, graph.Mul(graph.Sub(v.NodeValue(g), old), rate)))
	}
}

// mustClone copies a variable's value while a graph is built.
func mustClone(v *model.Variable) *tensors.Tensor {
	value, err := v.Value()
	if err == nil {
		value, err = value.LocalClone()
	}
	if err != nil {
		panic(fmt.Errorf("average of %s: %w", v.Path(), err))
	}
	return value
}

// emaRate is what averages of decay d move by at a step, counted from 1.
func emaRate(decay float64, step int64) float32 {
	t := float64(step)
	return float32(1 - min(decay, (1+t)/(10+t)))
}

// evaluated is the network to evaluate at the end of an epoch: the averages, where
// the recipe has them.
func (t *trainer) evaluated() (*Network, error) {
	if t.averaged == nil {
		return t.net, nil
	}
	paths := make([]string, len(t.net.names))
	for i, path := range t.net.names {
		paths[i] = path
		if mean := averagePath(path); t.net.store.GetVariable(mean) != nil {
			paths[i] = mean
		}
	}
	values, err := t.net.snapshot(paths)
	if err != nil {
		return nil, fmt.Errorf("average weights: %w", err)
	}
	named := make(map[string]*tensors.Tensor, len(values))
	for i, path := range t.net.names {
		named[path[1:]] = values[paths[i][1:]]
	}
	if err := t.averaged.restore(named); err != nil {
		return nil, fmt.Errorf("average weights: %w", err)
	}
	return t.averaged, nil
}
