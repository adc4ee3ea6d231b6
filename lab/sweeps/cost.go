package sweeps

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"patchlab/experiments"
	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
)

// maxProbes bounds how many kinds of work are measured; the rest is scaled by its
// FLOPs.
const maxProbes = 12

// Costs are what trials cost, by the work that they do.
type Costs map[string]experiments.Cost

// Of is the cost of a recipe that was predicted.
func (c Costs) Of(r experiments.Recipe) experiments.Cost { return c[work(r)] }

// Steps is the smallest number of steps that a cost was measured by.
func (c Costs) Steps() int {
	steps := 0
	for _, cost := range c {
		if cost.Steps > 0 && (steps == 0 || cost.Steps < steps) {
			steps = cost.Steps
		}
	}
	return steps
}

// work is what decides a recipe's cost, but for the number of epochs.
func work(r experiments.Recipe) string {
	r.Seed, r.Epochs, r.Optimizer, r.Plateau, r.EarlyStopping, r.Keep, r.Model.Dropout, r.Model.ID =
		0, 1, experiments.DefaultAdamW(1), nil, nil, experiments.KeepLast, 0, ""
	return r.Digest()
}

// Predict measures each kind of work that the trials do, one after the other. Where
// there are more than 12 kinds, it measures 12, from the cheapest to the dearest, and
// scales the next cheaper one's time by the FLOPs. The function measures the at-th
// recipe (from 1) out of those that are measured, of all the kinds.
func Predict(trials []sweep.Trial, measure func(r experiments.Recipe, at, measured, kinds int) (experiments.Cost, error)) (Costs, error) {
	recipes := map[string]experiments.Recipe{}
	var order []string
	for _, t := range trials {
		if t.Err == nil {
			if key := work(t.Recipe); recipes[key].Batch == 0 {
				recipes[key] = t.Recipe
				order = append(order, key)
			}
		}
	}
	flops := func(key string) float64 { return float64(recipes[key].Model.FLOPs()) }
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(flops(a), flops(b)) })
	measured := order
	if len(order) > maxProbes {
		measured = nil
		for i := range maxProbes {
			measured = append(measured, order[i*(len(order)-1)/(maxProbes-1)])
		}
	}
	costs := Costs{}
	for i, key := range measured {
		cost, err := measure(recipes[key], i+1, len(measured), len(order))
		if err != nil {
			return nil, err
		}
		costs[key] = cost
	}
	near := ""
	for _, key := range order { // the cheapest is measured
		if _, ok := costs[key]; ok {
			near = key
			continue
		}
		c := costs[near]
		factor := flops(key) / flops(near)
		c.StepSeconds *= factor * float64(recipes[key].Batch) / float64(recipes[near].Batch)
		c.EvalSeconds *= factor
		c.Batch = recipes[key].Batch
		costs[key] = c
	}
	return costs, nil
}

// Measure probes a recipe in a process of its own: the command "sweep probe" of a
// program, patchlab, on some cores.
func (s *Sweep) Measure(ctx context.Context, program string, recipe experiments.Recipe, cores []int) (cost experiments.Cost, err error) {
	dir, err := os.MkdirTemp("", "patchlab-probe-")
	if err != nil {
		return cost, err
	}
	defer os.RemoveAll(dir)
	var text, output bytes.Buffer
	if _, err := recipe.WriteTo(&text); err != nil {
		return cost, err
	}
	from, to := filepath.Join(dir, "recipe.json"), filepath.Join(dir, "cost.json")
	if err := os.WriteFile(from, text.Bytes(), 0o600); err != nil {
		return cost, err
	}
	args := []string{"sweep", "probe", from, to, "--backend", string(s.Backend)}
	if s.DataDir != "" {
		args = append(args, "--data-dir", s.DataDir)
	}
	err = launch.Process{Program: program, Args: args, Cores: cores, Output: &output}.Run(ctx)
	if ended := ctx.Err(); ended != nil {
		return cost, ended
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return cost, fmt.Errorf("measuring %s: %w: %s", recipe.Model.ID, err, lines[len(lines)-1])
	}
	b, err := os.ReadFile(to)
	if err != nil {
		return cost, err
	}
	return cost, json.Unmarshal(b, &cost)
}
