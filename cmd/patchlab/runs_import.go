package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/tracker"
	"patchlab/tracker/exchange"
)

// newRunsImportCommand needs no database to be there yet.
func newRunsImportCommand(dbPath *string) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "import SOURCE…",
		Short: "Import runs from MLflow, TensorBoard, Keras histories or CSV",
		Long: `Imports runs. What was imported before is not imported again; what has changed
since at an MLflow server, in its database or in event files comes along, while
tags, notes and artifacts that were added here stay. A SOURCE is

  an address such as http://127.0.0.1:5000   all runs of an MLflow server
                                             (token: MLFLOW_TRACKING_TOKEN)
  a file ending in .db or .sqlite            all runs of an MLflow database
  a folder                                   TensorBoard's event files below it
  a file ending in .json                     a Keras History: an object of lists
  a file ending in .csv                      a table, a row a step; with --from
                                             keras, what CSVLogger writes`,
		Example: "  patchlab runs import mlflow.db\n  patchlab runs import logs/\n  patchlab runs import --from keras training.csv",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds := make([]string, len(args))
			for i, source := range args { // before a database is made that holds nothing
				var err error
				if kinds[i], err = sourceKind(source, from); err != nil {
					return err
				}
			}
			db, err := tracker.Open(*dbPath)
			if err != nil {
				return err
			}
			defer db.Close()
			var refused []error
			for i, source := range args {
				merged, err := importRuns(cmd.Context(), db, source, kinds[i])
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d runs added, %d updated, %d unchanged\n",
					source, merged.Added, merged.Updated, merged.Unchanged)
				refused = append(refused, merged.Refused)
			}
			return errors.Join(refused...)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "what SOURCE is: mlflow, tensorboard, keras or csv (default: by its look)")
	return cmd
}

// sourceKind tells what a source is, if nobody said it by its look: mlflow,
// tensorboard, keras, csv, or server for an MLflow server's address.
func sourceKind(source, said string) (string, error) {
	if said != "" && !slices.Contains([]string{"mlflow", "tensorboard", "keras", "csv"}, said) {
		return "", fmt.Errorf("--from %q: mlflow, tensorboard, keras and csv are known", said)
	}
	if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://") {
		return "server", nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return "", fmt.Errorf("importing: %w", err)
	}
	extension := strings.ToLower(filepath.Ext(source))
	switch {
	case said != "":
	case info.IsDir():
		said = "tensorboard"
	case extension == ".db" || extension == ".sqlite":
		said = "mlflow"
	case extension == ".json":
		said = "keras"
	case extension == ".csv":
		said = "csv"
	default:
		return "", fmt.Errorf("it is not clear what %s is: say --from mlflow, tensorboard, keras or csv", source)
	}
	if said == "mlflow" && !info.IsDir() {
		if db, err := tracker.Open(source, tracker.ReadOnly()); err == nil {
			return "", errors.Join(fmt.Errorf("%s is a database of Patchlab, not of MLflow: `patchlab runs merge %s` takes its runs over", source, source), db.Close())
		}
	}
	return said, nil
}

func importRuns(ctx context.Context, db *tracker.DB, source, kind string) (merged tracker.Merged, err error) {
	switch kind {
	case "server":
		return exchange.ImportMLflowServer(ctx, db, source, os.Getenv("MLFLOW_TRACKING_TOKEN"))
	case "tensorboard":
		return exchange.ImportTensorBoard(ctx, db, source)
	case "mlflow":
		return exchange.ImportMLflowDB(ctx, db, source)
	}
	file, err := os.Open(source)
	if err != nil {
		return merged, err
	}
	info, err := file.Stat()
	if err != nil {
		return merged, errors.Join(err, file.Close())
	}
	name := strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
	read := exchange.ImportCSV
	if kind == "keras" {
		read = exchange.ImportKeras
	}
	merged, err = read(ctx, db, file, name, info.ModTime())
	return merged, errors.Join(err, file.Close())
}
