package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/experiments/sweep"
)

// recipeFlagSet is a set of the flags of "patchlab train" that make a recipe.
func recipeFlagSet() (*recipeFlags, *pflag.FlagSet) {
	r, f := &recipeFlags{}, pflag.NewFlagSet("train", pflag.ContinueOnError)
	r.add(f)
	return r, f
}

// checkRecipeFlag reports a flag that makes no recipe, or a value that it does
// not take; "" checks the flag alone.
func checkRecipeFlag(name, value string) error {
	_, f := recipeFlagSet()
	if f.Lookup(name) == nil {
		var known []string
		f.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		return fmt.Errorf("%q is no flag of \"patchlab train\" that makes a recipe; allowed: %s", name, strings.Join(known, ", "))
	}
	if value == "" {
		return nil
	}
	if err := f.Set(name, value); err != nil {
		if kind, ok := flagKinds[f.Lookup(name).Value.Type()]; ok {
			return fmt.Errorf("%s is %q; allowed is %s", name, value, kind)
		}
		return err
	}
	return nil
}

// recipeOf makes a recipe of flags of "patchlab train".
func recipeOf(flags map[string]string) (experiments.Recipe, error) {
	r, f := recipeFlagSet()
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if err := checkRecipeFlag(name, flags[name]); err != nil {
			return experiments.Recipe{}, err
		}
		if err := f.Set(name, flags[name]); err != nil {
			return experiments.Recipe{}, err
		}
	}
	recipe, err := r.recipe(f)
	if err != nil {
		return recipe, err
	}
	d, err := datasets.Describe(recipe.Data.Name)
	if err != nil {
		return recipe, err
	}
	recipe.Model.Channels, recipe.Model.Classes = d.Channels, len(d.Classes)
	return recipe, recipe.Validate()
}

// know loads the trials' datasets that the sweep does not know yet and keeps
// their digests: what is missing is better known before a hundred trials fail.
// It reports whether there were any.
func (f *sweepFolder) know(cmd *cobra.Command, trials []sweep.Trial) (more bool, err error) {
	files := dataFlags{dir: f.DataDir}
	for _, t := range trials {
		if t.Err != nil {
			continue
		}
		data := t.Recipe.Data
		key := fmt.Sprintf("%s %d %d", data.Name, data.TrainLimit, data.TestLimit)
		if _, ok := f.Images[key]; ok {
			continue
		}
		d, err := files.load(cmd, data)
		if err != nil {
			return more, err
		}
		f.Images[key], more = d.Digest, true
	}
	return more, nil
}

// absolute makes a path that may be "" independent of the current folder.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
