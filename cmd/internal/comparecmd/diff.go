package comparecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/compare"
	"patchlab/compare/report"
	"patchlab/save"
	"patchlab/tracker"
)

// newDiff makes the command compare diff, which shares --db with compare.
func newDiff(program string, f *flags) *cobra.Command {
	var format, output string
	var width int
	cmd := &cobra.Command{
		Use:   "diff RUN RUN",
		Short: "Show everything in which two runs differ",
		Long: `Show everything in which two runs differ: parameters, recipe, code (commit and
uncommitted changes), environment, data, results, and where their curves part.
A run is named by its ID, the beginning of it, its name, or "latest".`,
		Example: strings.ReplaceAll(`  COMPARE diff latest mixer-4-seed1
  COMPARE diff 01JX3 01JX7 --format json`, "COMPARE", program),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			parsed, err := report.ParseFormat(format, output, report.Text, report.Markdown, report.JSON)
			if err != nil {
				return err
			}
			if err := errors.Join(checkWidth(width), save.Check(output)); err != nil {
				return err
			}
			show := report.Options{Width: width}
			if output == "" {
				show = (&flags{width: width}).terminal(cmd.OutOrStdout())
			}
			d, err := diff(cmd.Context(), f.db, args[0], args[1])
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := report.WriteDiff(&out, parsed, d, show); err != nil {
				return err
			}
			return deliver(cmd.OutOrStdout(), cmd.ErrOrStderr(), output, out.Bytes())
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "write as `format`: table, markdown, json (default: by the ending of the output file's name, table without one)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write into this `file`, whole or not at all")
	cmd.Flags().IntVar(&width, "width", 0, "of the table in `columns` (default: the terminal's, else 80)")
	return cmd
}

func diff(ctx context.Context, path, a, b string) (*compare.Diff, error) {
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	first, err := db.Find(ctx, a)
	if err != nil {
		return nil, err
	}
	second, err := db.Find(ctx, b)
	if err != nil {
		return nil, err
	}
	return compare.DiffRuns(ctx, db, first, second, 1)
}

// open opens a database that exists.
func open(path string) (*tracker.DB, error) {
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		return nil, fmt.Errorf("%w; --db names the database", err)
	}
	return db, nil
}

// deliver puts what was written where it belongs.
func deliver(stdout, stderr io.Writer, output string, content []byte) error {
	if output == "" {
		_, err := stdout.Write(content)
		return err
	}
	err := save.File(output, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "wrote %s\n", output)
	return nil
}
