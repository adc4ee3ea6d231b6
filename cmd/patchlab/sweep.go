package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patchlab/backend"
	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
	"patchlab/lab"
	"patchlab/lab/sweeps"
	"patchlab/tracker"
)

// sweepOptions are the flags of patchlab sweep.
type sweepOptions struct {
	recipeFlags
	data       dataFlags
	name       string
	try        []string
	seeds      []int64
	search     string
	candidates int
	searchSeed uint64
	metric     string
	halving    string

	launcher    string
	backend     backend.Kind
	db          string
	experiment  string
	workers     int
	dryRun      bool
	retryFailed bool
	cluster     sweeps.Cluster
	kubernetes  sweeps.Kubernetes
}

func newSweepCommand() *cobra.Command {
	o := &sweepOptions{}
	cmd := &cobra.Command{
		Use:   "sweep [FILE]",
		Short: "Train many configurations and seeds, here or on a cluster",
		Long: `Train many configurations and seeds, here or on a cluster.

What is tried is in a YAML file, or in flags: any flag of "patchlab train" that
makes a recipe is fixed when given as it is, and tried when given by --try. A
trial, a configuration with a seed, is known by its recipe's digest: begun
again, a sweep trains only what is missing or was interrupted, and takes over
what was trained before. A trial that fails stops no other. Ctrl-C checkpoints
all.

The file:

  name: rates
  train: {model: "mixer:2", data: shapes, epochs: 9}
  parameters:
    learning-rate: {min: 1e-4, max: 1e-2, scale: log}
    dim: [32, 64]
  seeds: [1, 2]
  search: random        # grid (the default), random or cmaes
  candidates: 12        # configurations; a grid needs none
  metric: val_accuracy  # or val_loss
  early-stopping: {min-epochs: 1, reduction: 3}

Results are on the validation images; the test images are used once a finished
trial.`,
		Example: `  patchlab sweep rates.yaml --dry-run
  patchlab sweep rates.yaml --workers 4
  patchlab sweep --name dims --model mixer:2 --try dim=32,64,128 --seeds 1,2,3
  patchlab sweep --name rates --search cmaes --candidates 24 \
      --try learning-rate=1e-4..1e-2:log --try dropout=0..0.5
  patchlab sweep rates.yaml --launcher slurm --partition gpu --gpus 1
  patchlab sweep status rates
  patchlab sweep stop rates
  patchlab sweep resume rates`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("sweep takes one file, not %d; \"%s sweep status NAME\" shows what became of one that was begun", len(args), self())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && cmd.Flags().NFlag() == 0 {
				return cmd.Help()
			}
			return o.begin(cmd, args)
		},
	}
	f := cmd.Flags()
	o.recipeFlags.add(f)
	f.Lookup("seed").Hidden = true
	o.data.add(f)
	f.StringVar(&o.name, "name", "", "the sweep's name (default: the file's)")
	f.StringArrayVar(&o.try, "try", nil, "`flag=values` to try, repeatable: a,b,c or min..max with :log, :step=n or :count=n")
	f.Int64SliceVar(&o.seeds, "seeds", []int64{1}, "train each configuration with these seeds")
	f.StringVar(&o.search, "search", "grid", "grid, random, or cmaes, which learns from the results")
	f.IntVar(&o.candidates, "candidates", 0, "how many configurations a random or cmaes search tries")
	f.Uint64Var(&o.searchSeed, "search-seed", 1, "decides what a random or cmaes search draws")
	f.StringVar(&o.metric, "metric", "val_accuracy", "val_accuracy or val_loss, by which trials are judged")
	f.StringVar(&o.halving, "early-stopping", "", "`min-epochs,reduction` of successive halving, such as 1,3")
	f.StringVar(&o.launcher, "launcher", sweeps.LaunchLocal, "local, slurm or kubernetes")
	f.StringVar(&o.experiment, "experiment", "", "the experiment that the runs belong to (default: the sweep's name)")
	f.BoolVar(&o.dryRun, "dry-run", false, "list the trials with predicted time and memory, and stop")
	backendFlag(f, &o.backend)
	dbFlag(f, &o.db)
	o.addRunning(f)
	addCluster(f, &o.cluster)
	addKubernetes(f, &o.kubernetes)
	cmd.RegisterFlagCompletionFunc("model", completeModels)
	completeWords(cmd, "search", string(sweep.Grid), string(sweep.Random), string(sweep.CMAES))
	completeWords(cmd, "metric", string(sweep.ValAccuracy), string(sweep.ValLoss))
	completeWords(cmd, "launcher", sweeps.LaunchLocal, sweeps.LaunchSlurm, sweeps.LaunchKubernetes)
	cmd.AddCommand(newSweepStatusCommand(), newSweepStopCommand(), newSweepResumeCommand(), newSweepTaskCommand(), newSweepProbeCommand(),
		newSweepNextCommand(),
		newSweepMergeCommand(), newSweepTemplateCommand())
	return cmd
}

// addRunning adds the flags that a sweep may be continued with.
func (o *sweepOptions) addRunning(f *pflag.FlagSet) {
	f.IntVar(&o.workers, "workers", 0, "trials at a time on this machine, which share its cores (default: one for two cores)")
	f.BoolVar(&o.retryFailed, "retry-failed", false, "train anew what diverged before")
}

// checkRunning refuses a number of workers that was given and is none.
func (o *sweepOptions) checkRunning(f *pflag.FlagSet) error {
	if f.Changed("workers") && o.workers < 1 {
		return fmt.Errorf("--workers %d; allowed: 1 or more; without the flag there is one for two cores", o.workers)
	}
	return nil
}

// begin begins a sweep, or continues it where its folder is there.
func (o *sweepOptions) begin(cmd *cobra.Command, args []string) error {
	spec, err := o.spec(cmd, args)
	if err != nil {
		return err
	}
	f := &sweeps.Sweep{Config: sweeps.Config{
		Spec: spec, Launcher: o.launcher, Backend: o.backend, Experiment: o.experiment, Workers: o.workers,
	}}
	if err := useFolder(f, o.data); err != nil {
		return err
	}
	plan, err := planOf(f)
	if err != nil {
		return err
	}
	if err := o.checkRunning(cmd.Flags()); err != nil {
		return err
	}
	if f.Dir, err = filepath.Abs(spec.Name + sweeps.Suffix); err != nil {
		return err
	}
	if f.Experiment == "" {
		f.Experiment = spec.Name
	}
	switch o.launcher {
	case sweeps.LaunchLocal:
		if f.DB, err = absolute(o.db); err != nil {
			return err
		}
		if f.Backend, err = concreteBackend(cmd, o.backend); err != nil {
			return err
		}
	case sweeps.LaunchSlurm, sweeps.LaunchKubernetes: // what the nodes compute with is theirs to find
		if cmd.Flags().Changed("db") {
			return fmt.Errorf("--db is for the local launcher; a cluster's results are merged into %s", f.Path("results.db"))
		}
		f.DB = f.Path("results.db")
		f.Cluster = &o.cluster
		if o.launcher == sweeps.LaunchKubernetes && o.cluster.Program == "" {
			o.cluster.Program = "patchlab" // of the image
		}
		if err := completeCluster(f); err != nil {
			return err
		}
		if o.launcher == sweeps.LaunchKubernetes {
			f.Kubernetes = &o.kubernetes
			if err := completeKubernetes(f); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("launcher %q; allowed: %s, %s, %s", o.launcher, sweeps.LaunchLocal, sweeps.LaunchSlurm, sweeps.LaunchKubernetes)
	}
	if o.dryRun {
		return predict(cmd, f, plan)
	}
	if err := replaces(cmd, f); err != nil {
		return err
	}
	return launchSweep(cmd, f, plan, o.retryFailed)
}

// concreteBackend is the backend that "auto" means on this machine, so that all
// trials get the same.
func concreteBackend(cmd *cobra.Command, kind backend.Kind) (backend.Kind, error) {
	b, info, err := openBackend(cmd, kind)
	if err != nil {
		return kind, err
	}
	b.Finalize()
	return lab.KindOf(info.Name)
}

// readSpec reads a sweep's file; where it gives no name, its own is the sweep's.
func readSpec(path string) (sweep.Spec, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && filepath.Ext(path) == "" {
		return sweep.Spec{}, fmt.Errorf("%q is neither a file that says what to try nor a command; \"%s sweep status NAME\" shows the results of a sweep that was begun", path, self())
	}
	if err != nil {
		return sweep.Spec{}, fmt.Errorf("opening the sweep: %w", err)
	}
	defer file.Close()
	s, err := sweep.Read(file, path, checkRecipeFlag)
	if s.Name == "" {
		base := filepath.Base(path)
		s.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return s, err
}

// spec is what the file and the flags come to. Flags have the last word, which is
// said where the file has another.
func (o *sweepOptions) spec(cmd *cobra.Command, args []string) (sweep.Spec, error) {
	f, s := cmd.Flags(), sweep.Default()
	if len(args) == 1 {
		var err error
		if s, err = readSpec(args[0]); err != nil {
			return s, err
		}
	}
	file := settings(s)
	for name, set := range map[string]func() error{
		"name":        func() error { s.Name = o.name; return nil },
		"seeds":       func() error { s.Seeds = o.seeds; return nil },
		"search":      func() error { s.Search = sweep.Search(o.search); return nil },
		"candidates":  func() error { s.Candidates = o.candidates; return nil },
		"search-seed": func() error { s.SearchSeed = o.searchSeed; return nil },
		"metric":      func() error { s.Metric = sweep.Metric(o.metric); return nil },
		"early-stopping": func() error {
			h := sweep.Halving{}
			if _, err := fmt.Sscanf(o.halving, "%d,%d", &h.MinEpochs, &h.Reduction); err != nil {
				return fmt.Errorf("--early-stopping %q; it is MIN-EPOCHS,REDUCTION, such as 1,3", o.halving)
			}
			s.EarlyStopping = &h
			return nil
		},
		"seed": func() error { return errors.New("--seed is no flag of a sweep; give --seeds, as a list") },
	} {
		if f.Changed(name) {
			if err := set(); err != nil {
				return s, err
			}
		}
	}
	_, known := recipeFlagSet()
	known.VisitAll(func(flag *pflag.Flag) {
		if f.Changed(flag.Name) {
			s.Train[flag.Name] = f.Lookup(flag.Name).Value.String()
			s.Parameters = slices.DeleteFunc(s.Parameters, func(p sweep.Parameter) bool { return p.Name == flag.Name })
		}
	})
	for _, text := range o.try {
		p, err := sweep.ParseParameter(text)
		if err == nil {
			err = p.Check(checkRecipeFlag)
		}
		if err != nil {
			return s, fmt.Errorf("--try: %w", err)
		}
		delete(s.Train, p.Name)
		s.Parameters = append(slices.DeleteFunc(s.Parameters, func(old sweep.Parameter) bool { return old.Name == p.Name }), p)
	}
	if others := overruled(settings(s), file); len(others) > 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), wrapped("", fmt.Sprintf("Flags have the last word over %s: %s", args[0], strings.Join(others, "; "))))
	}
	if path, ok := s.Train["recipe"]; ok {
		var err error
		if s.Train["recipe"], err = filepath.Abs(path); err != nil {
			return s, err
		}
	}
	if s.Name == "" {
		return s, errors.New("the sweep has no name; give --name, under which it can be shown, stopped and resumed")
	}
	return s, nil
}

// replaces compares the sweep with the one that its folder holds. It may have
// other candidates or flags, since trials are known by their recipes; but not
// another place for its results.
func replaces(cmd *cobra.Command, f *sweeps.Sweep) error {
	before, err := sweeps.Open(f.Dir)
	if errors.Is(err, sweeps.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if before.Launcher != f.Launcher || before.DB != f.DB {
		return fmt.Errorf("sweep %s was begun with --launcher %s and its results in %s; give this one another --name, or remove %s",
			f.Spec.Name, before.Launcher, before.DB, f.Dir)
	}
	was, is := settings(before.Spec), settings(f.Spec)
	was["backend"], is["backend"] = string(before.Backend), string(f.Backend)
	if others := changes(is, was); len(others) > 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), wrapped("", fmt.Sprintf("Sweep %s is another than before: %s. A trial is taken over where its recipe, images and backend are the same.",
			f.Spec.Name, strings.Join(others, "; "))))
	}
	return nil
}

// launchSweep saves the sweep and has its trials trained.
func launchSweep(cmd *cobra.Command, f *sweeps.Sweep, plan *sweep.Plan, retryFailed bool) error {
	unlock, err := f.Begin()
	if err != nil {
		return busySweep(f, err)
	}
	defer unlock()
	trials, _ := plan.Next(nil)
	if _, err := f.Know(trials, loader(cmd, f)); err != nil {
		return err
	}
	if f.Launcher == sweeps.LaunchLocal { // whole before "sweep status" can read it
		db, err := tracker.Open(f.DB)
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	if err := f.Save(); err != nil {
		return err
	}
	switch f.Launcher {
	case sweeps.LaunchSlurm:
		return submitSweep(cmd, f, plan, retryFailed)
	case sweeps.LaunchKubernetes:
		return renderSweep(cmd, f, plan, retryFailed)
	}
	return runSweep(cmd, f, plan, trials, retryFailed)
}

// busySweep says of a sweep that another process is at how to see and to stop it.
func busySweep(f *sweeps.Sweep, err error) error {
	if errors.Is(err, sweeps.ErrBusy) {
		err = fmt.Errorf("%w; \"%s sweep status %s\" shows what it does, \"sweep stop\" stops it", err, self(), sweepRef(f))
	}
	return err
}

// openSweep opens a sweep that was begun, and says so where the name is that of a
// file.
func openSweep(ref string) (*sweeps.Sweep, error) {
	f, err := sweeps.Open(ref)
	if errors.Is(err, sweeps.ErrNone) {
		if s, wrong := readSpec(ref); wrong == nil {
			return nil, fmt.Errorf("%s says what a sweep tries; one that was begun goes by its name, %s", ref, s.Name)
		}
	}
	return f, err
}

// sweepRef is the sweep as a suggested command names it.
func sweepRef(f *sweeps.Sweep) string {
	here, err := os.Getwd()
	if err == nil && filepath.Dir(f.Dir) == here {
		return strings.TrimSuffix(filepath.Base(f.Dir), sweeps.Suffix)
	}
	return f.Dir
}

// shares are the cores of each worker of this machine.
func shares(f *sweeps.Sweep) [][]int {
	cores := launch.Cores()
	workers := f.Workers
	if workers == 0 {
		workers = max(1, len(cores)/2)
	}
	return launch.Share(cores, workers)
}
