package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"patchlab/tracker"
	"patchlab/tracker/exchange"
)

func newRunsListCommand(reading runsWrapper) *cobra.Command {
	var query tracker.Query
	var columns []string
	var format string
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "list",
		Short: "List runs, the latest first",
		Long: `List runs, the latest first.

On a terminal a line is as wide as it: texts are cut, and columns that do not
fit are left out. Elsewhere, as in a pipe or a file, all is written in full, but
for samples of the machine (system/…), which --columns and the other formats
show.`,
		Example: `  patchlab runs list
  patchlab runs list \
      --filter "metrics.val_accuracy > 0.6 and params.model = 'mixer-4'"
  patchlab runs list --order-by "metrics.val_accuracy DESC" \
      --columns params.model,metrics.val_accuracy`,
		Args: cobra.NoArgs,
		RunE: reading(func(ctx context.Context, db *tracker.DB, _ []string, out io.Writer) error {
			if query.Limit < 0 {
				return fmt.Errorf("--limit %d is negative: give how many runs to list, or 0 for all", query.Limit)
			}
			runs, err := db.Runs(ctx, query)
			if err != nil {
				return err
			}
			unknown, err := db.Unknown(ctx, query, runs)
			if err != nil {
				return err
			}
			for _, u := range unknown {
				fmt.Fprintln(cmd.ErrOrStderr(), u)
			}
			if columns, err = knownColumns(ctx, db, runs, columns); err != nil {
				return err
			}
			switch format {
			case "json":
				return listJSON(out, runs)
			case "csv":
				return exchange.WriteRunsCSV(out, runs)
			case "table":
				return listTable(out, runs, columns, lineWidth(out))
			}
			return fmt.Errorf("unknown format %q: table, json and csv are known", format)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&query.Filter, "filter", "", "which runs, in MLflow's search grammar")
	flags.StringVar(&query.OrderBy, "order-by", "", "such as \"metrics.val_loss ASC\"")
	flags.StringVar(&query.Experiment, "experiment", "", "only runs of this experiment")
	flags.IntVar(&query.Limit, "limit", 50, "how many at most (0: all)")
	flags.BoolVar(&query.IncludeDeleted, "deleted", false, "deleted runs too")
	flags.BoolVar(&query.IncludeArchived, "archived", false, "archived runs too")
	flags.StringSliceVar(&columns, "columns", nil, "what to show beside the name: params.X, tags.X, metrics.X, or X alone")
	flags.StringVar(&format, "format", "table", "table, csv or json")
	return cmd
}

// listJSON writes the runs with their latest values, without their points.
func listJSON(out io.Writer, runs []tracker.RunInfo) error {
	type row struct {
		ID         string            `json:"id"`
		Experiment string            `json:"experiment"`
		Name       string            `json:"name"`
		Status     string            `json:"status"`
		Damage     string            `json:"damage,omitempty"`
		Start      string            `json:"start"`
		Params     map[string]string `json:"params"`
		Tags       map[string]string `json:"tags"`
		Metrics    map[string]any    `json:"metrics"`
	}
	rows := []row{}
	for _, r := range runs {
		metrics := map[string]any{}
		for key, m := range r.Metrics {
			metrics[key] = m.Value
			if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
				metrics[key] = fmt.Sprint(m.Value)
			}
		}
		rows = append(rows, row{r.ID, r.Experiment, r.Name, r.Status.String(), r.Damage, r.Start.Format("2006-01-02T15:04:05.000000Z"),
			r.Params, r.Tags, metrics})
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(rows)
}

// lineWidth is how many characters a line may have: a terminal's width, and
// any number elsewhere, where programs read it.
func lineWidth(out io.Writer) int {
	if !isTerminal(out) {
		return math.MaxInt
	}
	width, _, err := term.GetSize(int(out.(*os.File).Fd()))
	if err != nil {
		return 80
	}
	return max(width, 40)
}

// listTable writes one line a run, at most most wide: what does not fit is left
// out, and the columns that were asked for go first.
func listTable(out io.Writer, runs []tracker.RunInfo, columns []string, most int) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(out, "no runs")
		return err
	}
	if len(columns) == 0 {
		columns = commonMetrics(runs)
	}
	fit := func(text string, width int) string {
		if most == math.MaxInt {
			return oneLine(text)
		}
		return cut(oneLine(text), width)
	}
	table := [][]string{{"ID", "NAME", "STATUS", "STARTED", "TOOK"}}
	for _, r := range runs {
		status := r.Status.String()
		if r.Deleted {
			status = "deleted"
		}
		table = append(table, []string{r.ID, fit(r.Name, 24), status, r.Start.Local().Format("01-02 15:04"), took(r)})
	}
	if most < math.MaxInt {
		shortenIDs(table[1:])
	}
	width := 0
	for _, w := range columnWidths(table) {
		width += w + 2
	}
	for _, column := range columns {
		_, short, _ := strings.Cut(column, ".")
		cells := []string{fit(strings.ToUpper(short), 14)}
		for _, r := range runs {
			cells = append(cells, fit(runField(r, column), 14))
		}
		w := 0
		for _, c := range cells {
			w = max(w, utf8.RuneCountInString(c))
		}
		if width+w > most {
			break
		}
		width += w + 2
		for i := range table {
			table[i] = append(table[i], cells[i])
		}
	}
	widths := columnWidths(table)
	for _, row := range table {
		var line strings.Builder
		for i, text := range row {
			line.WriteString(text)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		if _, err := fmt.Fprintln(out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	for _, r := range runs {
		if r.Damage != "" {
			if _, err := fmt.Fprintf(out, "%s is damaged: %s\n", r.ID, oneLine(r.Damage)); err != nil {
				return err
			}
		}
	}
	return nil
}

func columnWidths(table [][]string) []int {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

// shortenIDs cuts the IDs in the first column to the shortest length, 10 at
// least, that tells them apart.
func shortenIDs(rows [][]string) {
	for length := 10; length < 26; length++ {
		seen := map[string]bool{}
		for _, row := range rows {
			seen[row[0][:min(length, len(row[0]))]] = true
		}
		if len(seen) == len(rows) {
			for _, row := range rows {
				row[0] = row[0][:min(length, len(row[0]))]
			}
			return
		}
	}
}

// runField is what a run shows in a column such as params.model.
func runField(r tracker.RunInfo, column string) string {
	kind, key, _ := strings.Cut(column, ".")
	switch kind {
	case "params":
		return r.Params[key]
	case "tags":
		return r.Tags[key]
	case "metrics":
		if m, ok := r.Metrics[key]; ok {
			return strconv.FormatFloat(m.Value, 'g', 5, 64)
		}
	}
	return ""
}

// commonMetrics are the metrics worth a column: what people look for first,
// then those that most runs have, without samples of the machine.
func commonMetrics(runs []tracker.RunInfo) []string {
	count := map[string]int{}
	for _, r := range runs {
		for key := range r.Metrics {
			if !strings.HasPrefix(key, "system/") {
				count["metrics."+key]++
			}
		}
	}
	var columns []string
	for column := range count {
		columns = append(columns, column)
	}
	first := []string{"metrics.test_accuracy", "metrics.val_accuracy", "metrics.val_loss", "metrics.train_loss"}
	rank := func(column string) int {
		if i := slices.Index(first, column); i >= 0 {
			return i - len(first) - len(runs)
		}
		return -count[column]
	}
	slices.SortFunc(columns, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return columns
}
