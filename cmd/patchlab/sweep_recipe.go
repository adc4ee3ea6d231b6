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
	"patchlab/lab/sweeps"
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

// loader loads the datasets of a sweep's trials.
func loader(cmd *cobra.Command, f *sweeps.Sweep) sweeps.Loader {
	files := dataFlags{dir: f.DataDir}
	return func(data experiments.Data) (string, error) {
		d, err := files.load(cmd, data)
		if err != nil {
			return "", err
		}
		return d.Digest, nil
	}
}

// absolute makes a path that may be "" independent of the current folder.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
