package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/claims"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/save"
	"patchlab/tracker"
)

// claimsOptions are the flags of patchlab claims.
type claimsOptions struct {
	data   dataFlags
	name   string
	kind   backend.Kind
	db     string
	only   []string
	quick  bool
	scale  claims.Scale
	report string
}

func newClaimsCommand() *cobra.Command {
	o := &claimsOptions{scale: claims.Default()}
	cmd := &cobra.Command{
		Use:   "claims",
		Short: "Measure what the course claims: a quarter of an hour",
		Long: `Measure what the course claims: about a quarter of an hour on two cores.

Each of the eight claims is a statement with a measurement and the region in
which it must lie: networks are trained, timed or looked into, several seeds
each. The verdict is supported, not supported, or not decidable here, with the
interval that says so. Every training and every finding is recorded; run again,
it measures only what is missing; times are measured anew by a program that was
changed. Ctrl-C loses nothing.`,
		Example: `  patchlab claims
  patchlab claims --only cost,inference
  patchlab claims --data shapes --seeds 8
  patchlab claims --quick                      does everything work?`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "data", "cifar10", "cifar10, fashion-mnist or shapes")
	o.data.add(f)
	backendFlag(f, &o.kind)
	dbFlag(f, &o.db)
	f.StringSliceVar(&o.only, "only", nil, "these `claims`: "+strings.Join(claims.Names(), ", "))
	f.BoolVar(&o.quick, "quick", false, "so little of everything that hardly a claim is decided")
	f.IntVar(&o.scale.Seeds, "seeds", o.scale.Seeds, "networks a configuration, 2 or more")
	f.IntVar(&o.scale.Images, "images", o.scale.Images, "images to train on")
	f.IntVar(&o.scale.Tests, "tests", o.scale.Tests, "images to test on")
	f.IntVarP(&o.scale.Epochs, "epochs", "e", o.scale.Epochs, "epochs to train for")
	f.IntVar(&o.scale.Steps, "steps", o.scale.Steps, "steps of the networks of sequences")
	f.StringVarP(&o.report, "output", "o", "claims.md", "the report's `file`")
	completeWords(cmd, "data", datasets.Names()...)
	completeWords(cmd, "only", claims.Names()...)
	return cmd
}

func (o *claimsOptions) run(cmd *cobra.Command) (err error) {
	if cmd.Flags().Changed("only") && len(o.only) == 0 {
		return fmt.Errorf("--only names no claim; allowed: %s", strings.Join(claims.Names(), ", "))
	}
	wanted, err := claims.Pick(o.only)
	if err != nil {
		return err
	}
	if o.quick {
		for _, name := range []string{"seeds", "images", "tests", "epochs", "steps"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--quick and --%s exclude each other", name)
			}
		}
		o.scale = claims.Quick()
	}
	if !slices.Contains(datasets.Names(), o.name) {
		return fmt.Errorf("data %q; allowed: %s", o.name, strings.Join(datasets.Names(), ", "))
	}
	if err := o.scale.Validate(); err != nil {
		return err
	}
	if err := save.Check(o.report); err != nil { // not after minutes
		return err
	}
	b, info, err := openBackend(cmd, o.kind)
	if err != nil {
		return err
	}
	defer b.Finalize()
	load := func(train, test int) (*datasets.Dataset, error) {
		return o.data.load(cmd, experiments.Data{Name: o.name, TrainLimit: train, TestLimit: test})
	}
	// Without images what was measured on them is not found; nothing is downloaded for that alone.
	needed := slices.ContainsFunc(wanted, func(c claims.Claim) bool { return c.Images })
	o.data.offline = !needed
	d, err := load(o.scale.Images, o.scale.Tests) // before anything is recorded
	if err != nil && (needed || !errors.Is(err, datasets.ErrUnavailable)) {
		return err
	}
	db, err := tracker.Open(o.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	out, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
	p := newProgress(errs, errs)
	bench := &claims.Bench{
		Scale: o.scale, Data: o.name, Backend: b, Info: info, DB: db, DBPath: o.db,
		Load: load,
		Say: func(format string, args ...any) {
			p.clear()
			fmt.Fprintf(errs, "  "+format+"\n", args...)
		},
		Report: func(e experiments.Event) {
			if p.tty && e.Phase == experiments.Training {
				p.advance(e)
			} else if e.Phase == experiments.Trained || e.Phase == experiments.Testing {
				p.clear()
			}
		},
	}
	book := claims.Book{
		Machine: backend.Describe().String(), Backend: info.Name, Command: o.command(),
		Scale: o.scale, Findings: map[string]claims.Finding{},
	}
	if d != nil {
		book.Data = fmt.Sprintf("%s (digest %.8s)", d.Name, d.Digest)
	}
	for _, c := range claims.All() {
		if c.Images && d == nil {
			continue
		}
		finding, found, err := bench.Recorded(cmd.Context(), c)
		if err != nil {
			return err
		}
		if found {
			book.Findings[c.Name] = finding
		}
	}
	for i, c := range wanted {
		fmt.Fprintf(out, "\n[%d/%d] %s\n", i+1, len(wanted), c.Statement)
		finding, found := book.Findings[c.Name]
		if found {
			fmt.Fprintf(out, "  measured before, on %s\n", finding.When.Format("2006-01-02"))
		} else {
			finding, err = bench.Measure(cmd.Context(), c)
			p.clear()
			if errors.Is(err, context.Canceled) {
				fmt.Fprintf(errs, "Stopped; what is finished is in %s; the same command goes on from here.\n", o.db)
			}
			if err != nil {
				return err
			}
		}
		finding.Lines(out)
		book.Findings[c.Name] = finding
		if err := save.File(o.report, book.WriteMarkdown); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nThe report is in %s, every run in %s.\n", o.report, o.db)
	return nil
}

// command is the call that makes the report, but for folders and files.
func (o *claimsOptions) command() string {
	words := []string{"patchlab claims"}
	add := func(on bool, format string, value any) {
		if on {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	d := claims.Default()
	add(o.name != "cifar10", "--data %s", o.name)
	add(len(o.only) > 0 && len(o.only) < len(claims.Names()), "--only %s", strings.Join(o.only, ","))
	if o.quick {
		return strings.Join(append(words, "--quick"), " ")
	}
	add(o.scale.Seeds != d.Seeds, "--seeds %d", o.scale.Seeds)
	add(o.scale.Images != d.Images, "--images %d", o.scale.Images)
	add(o.scale.Tests != d.Tests, "--tests %d", o.scale.Tests)
	add(o.scale.Epochs != d.Epochs, "--epochs %d", o.scale.Epochs)
	add(o.scale.Steps != d.Steps, "--steps %d", o.scale.Steps)
	return strings.Join(words, " ")
}
