package comparecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/models"
	"patchlab/save"
	"patchlab/tracker"
)

// envDB stands in for --db.
const envDB = "PATCHLAB_DB"

// flags are the command's own.
type flags struct {
	db, format, output, against string
	figure, command             string
	chosen                      bool // whether a figure was asked for
	by, across                  []string
	equal                       bool
	target                      float64 // percent
	level                       float64 // percent
	width                       int
	o                           compare.Options
}

// New makes the command compare. Program is how it is called, for the
// examples.
func New(program string) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Contrast the speed and the accuracy of recorded runs",
		Long: `Contrast the speed and the accuracy of recorded runs: a row a configuration,
with intervals over its seeds, tests of every difference (corrected for their
number), and the Pareto front of training speed against accuracy.

Runs of different machines, backends, precisions or datasets get a table each;
--across puts them into one and marks the cells. Only finished runs count, the
others are counted apart. A repeat of a recipe with its seed counts once.

` + strings.Join(report.Wrap("Columns to sort by: name, "+columnKeys()+".", 80), "\n") + `
The best comes first; "-" before the column puts the worst first.`,
		Example: examples(program),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.command, f.chosen = commandLine(program, cmd), cmd.Flags().Changed("figure")
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	set := cmd.Flags()
	def := os.Getenv(envDB)
	if def == "" {
		def = "patchlab.db"
	}
	cmd.PersistentFlags().StringVar(&f.db, "db", def, "the tracker's `file` ($"+envDB+")")
	set.StringVar(&f.o.Filter, "filter", "", "compare only the runs that fit this `filter`, such as params.data = 'cifar10'")
	set.StringSliceVar(&f.by, "by", []string{"model"}, "group by these `keys`: parameters, environment.NAME, tags.NAME, experiment, run")
	set.StringVar(&f.o.Sort, "sort", "accuracy", "order rows by this `column`, the best first")
	set.StringVar(&f.format, "format", "", "write as `format`: "+formatNames()+" (default: by the ending of the output file's name, table without one)")
	set.StringVarP(&f.output, "output", "o", "", "write into this `file`, whole or not at all")
	set.StringVar(&f.against, "against", "", "set against these figures: `reference` (the course's)")
	set.StringSliceVar(&f.across, "across", nil, "let one table mix these `aspects`: "+strings.Join(compare.Aspects(), ", ")+" or all")
	set.BoolVar(&f.equal, "equal", false, "add validation accuracies at equal epochs, training time and FLOPs")
	set.Float64Var(&f.target, "target", 0, "add the training time until this validation accuracy in `percent`")
	set.Float64Var(&f.level, "level", 95, "of the intervals, in `percent`; the tests err as often as is left of 100")
	set.BoolVar(&f.o.BCa, "bca", false, "BCa bootstrap intervals over seeds instead of t intervals")
	set.IntVar(&f.width, "width", 0, "of the table in `columns` (default: the terminal's, else 80)")
	set.StringVar(&f.figure, "figure", "pareto", "`figure` of SVG and PNG: "+strings.Join(report.Figures(), ", "))
	complete(cmd, "figure", report.Figures)
	complete(cmd, "format", func() []string { return strings.Split(formatNames(), ", ") })
	complete(cmd, "across", func() []string { return append(compare.Aspects(), "all") })
	complete(cmd, "against", func() []string { return []string{"reference"} })
	complete(cmd, "sort", func() []string { return append(strings.Split(columnKeys(), ", "), "name") })
	cmd.AddCommand(newDiff(program, &f))
	return cmd
}

// commandLine is the command as it was given, for the report to say how it was
// made and for a shell to make it again.
func commandLine(program string, cmd *cobra.Command) string {
	out := []string{program}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		if value == f.NoOptDefVal && value != "" { // a boolean that is set needs no value
			out = append(out, "--"+f.Name)
			return
		}
		out = append(out, "--"+f.Name+"="+quoted(value))
	})
	return strings.Join(out, " ")
}

// quoted writes a word for a POSIX shell, in quotes unless it is plain.
func quoted(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./,:=+@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// complete offers a flag's values to the shell.
func complete(cmd *cobra.Command, flag string, values func() []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is not there: an error of this file
	}
}

func columnKeys() string {
	var keys []string
	for _, c := range compare.Columns() {
		keys = append(keys, c.Key)
	}
	return strings.Join(keys, ", ")
}

func formatNames() string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func examples(program string) string {
	return strings.NewReplacer("COMPARE", program, "BLANKS", strings.Repeat(" ", len(program))).Replace(`  COMPARE                                every finished run, by model
  COMPARE --against reference            beside the course's figures
  COMPARE --filter "params.data = 'cifar10'" --sort train
  COMPARE --by model,dropout --format csv -o runs.csv
  COMPARE --across machine,backend --by model,environment.backend
  BLANKS                                one table, these cells marked
  COMPARE --equal --target 60            at equal budgets; time to 60 %
  COMPARE -o report.html                 everything, on one page
  COMPARE --figure curves -o curves.svg  a figure for a paper
  COMPARE diff RUN RUN                   all in which two runs differ`)
}

func (f *flags) run(ctx context.Context, stdout, stderr io.Writer) error {
	format, err := report.ParseFormat(f.format, f.output)
	if err != nil {
		return err
	}
	if f.chosen && format != report.SVG && format != report.PNG {
		return fmt.Errorf("--figure %s is for pictures alone: write one by --format svg or png, or by -o with such an ending", f.figure)
	}
	if err := errors.Join(checkWidth(f.width), save.Check(f.output)); err != nil {
		return err
	}
	o, err := f.options(format)
	if err != nil {
		return err
	}
	db, err := open(f.db)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := compare.Build(ctx, db, o)
	if err != nil {
		return err
	}
	if r.Counted == 0 && len(r.Excluded) == 0 {
		unknown, err := db.Unknown(ctx, tracker.Query{Filter: o.Filter}, nil)
		if err != nil {
			return err
		}
		for _, u := range unknown {
			fmt.Fprintln(stderr, u)
		}
	}
	show := report.Options{Width: f.width}
	if f.output == "" {
		show = f.terminal(stdout)
	}
	show.Figure, show.Command = f.figure, f.command
	var out bytes.Buffer
	if err := report.Write(&out, format, r, show); err != nil {
		return err
	}
	if format == report.SVG || format == report.PNG { // a picture has no room to say it
		fmt.Fprintln(stderr, report.PictureNotes(r))
	}
	return deliver(stdout, stderr, f.output, out.Bytes())
}

func (f *flags) options(format report.Format) (compare.Options, error) {
	o := f.o
	o.By, o.Across = f.by, f.across
	curves, steps := report.Needs(format, f.figure)
	o.Curves, o.Steps = f.equal || curves, steps
	o.Made = time.Now().UTC().Truncate(time.Second)
	if !(f.level > 0 && f.level < 100) {
		return o, fmt.Errorf("--level is a percentage between 0 and 100, got %v", f.level)
	}
	if f.target < 0 || f.target >= 100 {
		return o, fmt.Errorf("--target is a percentage between 0 and 100, got %v", f.target)
	}
	o.Level, o.Target = f.level/100, f.target/100
	switch f.against {
	case "":
	case "reference":
		o.Name, o.Against = "reference", references()
	default:
		return o, fmt.Errorf("nothing called %q to set the runs against; there is reference", f.against)
	}
	return o, nil
}

// references are the figures of the course's table, measured on CIFAR-10 with
// the last tenth of the training images held out.
func references() []compare.Reference {
	var out []compare.Reference
	for _, e := range models.Named() {
		out = append(out, compare.Reference{
			ID: e.Config.ID, Data: "cifar10", Accuracy: e.Reference.TestAccuracy, Top5: e.Reference.TestTop5,
			Params: e.Reference.Params, StepMS: e.Reference.StepMS, Epochs: e.Reference.Epochs, TrainImages: 45_000,
		})
	}
	return out
}

// checkWidth refuses a --width in which no table has room.
func checkWidth(columns int) error {
	if columns != 0 && columns < 20 {
		return fmt.Errorf("--width %d; allowed: 0 (the terminal's) or 20 or more", columns)
	}
	return nil
}

// terminal fits the text to a terminal's width, with colour unless NO_COLOR is
// set; elsewhere it is 80 columns wide and plain.
func (f *flags) terminal(stdout io.Writer) report.Options {
	show := report.Options{Width: f.width}
	file, ok := stdout.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return show
	}
	show.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if show.Width == 0 {
		width, _, err := term.GetSize(int(file.Fd()))
		if err == nil {
			show.Width = max(width, 40)
		}
	}
	return show
}
