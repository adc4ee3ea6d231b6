package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/save"
	"patchlab/tracker"
	"patchlab/tracker/exchange"
)

func newRunsExportCommand(reading runsWrapper) *cobra.Command {
	var format, output, filter, address string
	cmd := &cobra.Command{
		Use:   "export [RUN…]",
		Short: "Write runs as CSV, JSON or Parquet, or to an MLflow server",
		Long: `Write runs with all their points as CSV, JSON or Parquet, or copy them to an
MLflow server.`,
		Example: `  patchlab runs export --format json latest
  patchlab runs export --format parquet --output points.parquet
  patchlab runs export --filter "params.model = 'mixer-4'" \
      --to http://127.0.0.1:5000`,
		RunE: reading(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
			if err := save.Check(output); err != nil {
				return err
			}
			if filter != "" && len(args) > 0 {
				return errors.New("either runs are named, or --filter chooses them, not both")
			}
			if format == "" {
				format = "csv"
				if extension := strings.TrimPrefix(strings.ToLower(filepath.Ext(output)), "."); extension == "json" || extension == "parquet" {
					format = extension
				}
			}
			write := map[string]func(context.Context, io.Writer, *tracker.DB, []tracker.RunInfo) error{
				"csv": exchange.WriteCSV, "json": exchange.WriteJSON, "parquet": exchange.WriteParquet,
			}[format]
			if write == nil {
				return fmt.Errorf("unknown format %q: csv, json and parquet are known", format)
			}
			runs, err := chosenRuns(ctx, db, args, tracker.Query{Filter: filter})
			if err != nil {
				return err
			}
			runs, damaged := wholeRuns(runs)
			if len(runs) == 0 {
				if damaged != nil {
					return damaged
				}
				if filter != "" {
					return nothingFits(ctx, db, filter)
				}
				return errors.New("the database has no runs to list: nothing was exported")
			}
			if address != "" {
				sent, skipped, err := exchange.ExportMLflow(ctx, db, runs, address, os.Getenv("MLFLOW_TRACKING_TOKEN"))
				fmt.Fprintf(out, "%s: %d runs sent, %d there already\n", address, sent, skipped)
				return errors.Join(err, damaged)
			}
			if output != "" {
				err = save.File(output, func(w io.Writer) error { return write(ctx, w, db, runs) })
			} else {
				err = write(ctx, out, db, runs)
			}
			return errors.Join(err, damaged)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "", "csv, json or parquet (default: by the ending of the output file's name, csv without one)")
	flags.StringVarP(&output, "output", "o", "", "the file to write (default: standard output)")
	flags.StringVar(&filter, "filter", "", "which runs, where none is named")
	flags.StringVar(&address, "to", "", "the address of an MLflow server to copy the runs to")
	return cmd
}

// nothingFits says that no run fits a filter, and what may be mistyped in it.
func nothingFits(ctx context.Context, db *tracker.DB, filter string) error {
	unknown, err := db.Unknown(ctx, tracker.Query{Filter: filter}, nil)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("no run fits the filter %q: nothing was exported", filter)
	for _, u := range unknown {
		text += "; " + u.String()
	}
	return errors.New(text)
}

// wholeRuns leaves out damaged runs, whose copies would pass for whole, and
// says which.
func wholeRuns(runs []tracker.RunInfo) (whole []tracker.RunInfo, damaged error) {
	var problems []error
	for _, r := range runs {
		if r.Status == tracker.Damaged {
			problems = append(problems, fmt.Errorf("run %s is damaged and was left out: %s", r.ID, r.Damage))
			continue
		}
		whole = append(whole, r)
	}
	return whole, errors.Join(problems...)
}
