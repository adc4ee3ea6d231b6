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

// planOf makes a sweep's plan.
func planOf(f *sweeps.Sweep) (*sweep.Plan, error) {
	return sweep.NewPlan(f.Spec, func(flags map[string]string) (experiments.Recipe, error) { return recipeOf(f, flags) })
}

// useFolder takes the path out of a sweep's folder of pictures, where it has one, as
// train does, and keeps its classes, which its name does not tell.
func useFolder(f *sweeps.Sweep, data dataFlags) (err error) {
	name := f.Spec.Train["data"]
	if datasets.IsFolder(name) {
		if f.Spec.Train["data"], err = data.folder(name); err != nil {
			return err
		}
		if f.Classes, err = datasets.FolderClasses(data.dir); err != nil {
			return err
		}
	}
	f.DataDir, err = absolute(data.dir)
	return err
}

// recipeOf makes a recipe of a sweep of flags of "patchlab train".
func recipeOf(f *sweeps.Sweep, flags map[string]string) (experiments.Recipe, error) {
	recipe, err := flagRecipe(flags)
	if err != nil {
		return recipe, err
	}
	if name := recipe.Data.Name; datasets.IsFolder(name) {
		if name != f.Spec.Train["data"] {
			return recipe, fmt.Errorf("data %q; a sweep takes one folder of pictures, and does not try it: name it by --data or under train", name)
		}
		(&tuningFlags{}).fitView(&recipe)
		recipe.Data.Classes, recipe.Model.Channels, recipe.Model.Classes = f.Classes, 3, len(f.Classes)
		return recipe, recipe.Validate()
	}
	d, err := datasets.Describe(recipe.Data.Name)
	if err != nil {
		return recipe, err
	}
	recipe.Model.Channels, recipe.Model.Classes = d.Channels, len(d.Classes)
	return recipe, recipe.Validate()
}

// flagRecipe is the recipe of flags, whatever its images.
func flagRecipe(flags map[string]string) (experiments.Recipe, error) {
	r, f := recipeFlagSet()
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if err := checkRecipeFlag(name, flags[name]); err != nil {
			return experiments.Recipe{}, err
		}
		if err := f.Set(name, flags[name]); err != nil {
			return experiments.Recipe{}, err
		}
	}
	return r.recipe(f)
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
