package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"patchlab/tracker"
	"patchlab/tracker/exchange"
)

func newRunsExportCommand(reading runsWrapper) *cobra.Command {
	var format, output, filter, address string
	cmd := &cobra.Command{
		Use:   "export [RUN…]",
		Short: "Write runs with all their points as CSV, JSON or Parquet, or to an MLflow server",
		Example: `  patchlab runs export --format json latest
  patchlab runs export --format parquet --output points.parquet
  patchlab runs export --filter "params.model = 'mixer-4'" --to http://127.0.0.1:5000`,
		RunE: reading(func(ctx context.Context, db *tracker.DB, args []string, out io.Writer) error {
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
			if len(runs) == 0 {
				if filter != "" {
					return fmt.Errorf("no run fits the filter %q: nothing was exported", filter)
				}
				return errors.New("the database has no runs to list: nothing was exported")
			}
			if address != "" {
				sent, skipped, err := exchange.ExportMLflow(ctx, db, runs, address, os.Getenv("MLFLOW_TRACKING_TOKEN"))
				fmt.Fprintf(out, "%s: %d runs sent, %d there already\n", address, sent, skipped)
				return err
			}
			if output != "" {
				return writeWhole(output, func(w io.Writer) error { return write(ctx, w, db, runs) })
			}
			return write(ctx, out, db, runs)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "csv", "csv, json or parquet")
	flags.StringVarP(&output, "output", "o", "", "the file to write (default: standard output)")
	flags.StringVar(&filter, "filter", "", "which runs, where none is named")
	flags.StringVar(&address, "to", "", "the address of an MLflow server to copy the runs to")
	return cmd
}

// writeWhole writes a file whole or not at all: into a temporary file beside
// it, which takes its name when everything is on the disk. What is no regular
// file, such as a pipe, is written to directly.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	mode := fs.FileMode(0o644)
	info, err := os.Stat(path) // follows links
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("cannot write to %s: it is a folder; name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	case err == nil:
		mode = info.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if err = write(temp); err != nil {
		return err
	}
	if err = temp.Chmod(mode); err != nil {
		return err
	}
	if err = temp.Sync(); err != nil {
		return err
	}
	if err = temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
