package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
			db, err := tracker.Open(*dbPath)
			if err != nil {
				return err
			}
			defer db.Close()
			var refused []error
			for _, source := range args {
				merged, err := importRuns(cmd.Context(), db, source, from)
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

func importRuns(ctx context.Context, db *tracker.DB, source, from string) (merged tracker.Merged, err error) {
	if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://") {
		return exchange.ImportMLflowServer(ctx, db, source, os.Getenv("MLFLOW_TRACKING_TOKEN"))
	}
	info, err := os.Stat(source)
	if err != nil {
		return merged, err
	}
	if from == "" {
		switch extension := strings.ToLower(filepath.Ext(source)); {
		case info.IsDir():
			from = "tensorboard"
		case extension == ".db" || extension == ".sqlite":
			from = "mlflow"
		case extension == ".json":
			from = "keras"
		case extension == ".csv":
			from = "csv"
		}
	}
	switch from {
	case "tensorboard":
		return exchange.ImportTensorBoard(ctx, db, source)
	case "mlflow":
		return exchange.ImportMLflowDB(ctx, db, source)
	case "keras", "csv":
		file, err := os.Open(source)
		if err != nil {
			return merged, err
		}
		name := strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
		read := exchange.ImportCSV
		if from == "keras" {
			read = exchange.ImportKeras
		}
		merged, err = read(ctx, db, file, name, info.ModTime())
		return merged, errors.Join(err, file.Close())
	}
	return merged, fmt.Errorf("it is not clear what %s is: say --from mlflow, tensorboard, keras or csv", source)
}
