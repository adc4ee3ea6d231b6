package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"patchlab/models"
)

// modelRow is what patchlab models tells of a model; its JSON is documented in
// the command's help.
type modelRow struct {
	ID        string            `json:"id"`
	Summary   string            `json:"summary"`
	Params    int64             `json:"params"`
	Trainable int64             `json:"trainable"`
	FLOPs     int64             `json:"flops"`
	ImageSize int               `json:"image_size"`
	PatchSize int               `json:"patch_size"`
	Tokens    int               `json:"tokens"`
	Dim       int               `json:"dim"`
	Blocks    string            `json:"blocks"`
	Reference *models.Reference `json:"reference,omitempty"`
}

func newModelsCommand() *cobra.Command {
	var format string
	var papers bool
	cmd := &cobra.Command{
		Use:   "models [MODEL…]",
		Short: "List the named models, or describe stacks of your own",
		Long: `List the named models, or describe stacks of your own.

Parameters count what the reference counts, statistics included; FLOPs are those
of one image's forward pass, a multiply-add being two. JSON is an array of
objects with id, summary, params, trainable, flops, image_size, patch_size,
tokens, dim, blocks and, for the named ones, reference: the figures of the
course (test_accuracy, test_top5, ms_per_step, params, epochs, val_accuracy).`,
		Example: `  patchlab models
  patchlab models "mixer:2,vit(heads=8):1"
  patchlab models --papers
  patchlab models --format json`,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case papers && len(args) > 0:
				return fmt.Errorf("--papers lists models, and %q names one; give one of them", args[0])
			case papers:
				for _, c := range models.Papers() {
					args = append(args, c.ID)
				}
			}
			rows, err := modelRows(args)
			if err != nil {
				return err
			}
			switch format {
			case "table":
				return writeModels(cmd.OutOrStdout(), rows)
			case "json":
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(rows)
			}
			return fmt.Errorf("format %q; allowed: table, json", format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table or json")
	cmd.Flags().BoolVar(&papers, "papers", false, "list architectures at their papers' sizes instead of the course's")
	return cmd
}

// modelRows describes the models asked for, or all named ones.
func modelRows(specs []string) ([]modelRow, error) {
	if len(specs) == 0 {
		for _, e := range models.Named() {
			specs = append(specs, e.Config.ID)
		}
	}
	var rows []modelRow
	for _, spec := range specs {
		c, err := models.Parse(spec)
		if err != nil {
			return nil, err
		}
		counts, err := c.Count()
		if err != nil {
			return nil, err
		}
		row := modelRow{
			ID: c.ID, Params: counts.Total, Trainable: counts.Trainable, FLOPs: c.FLOPs(),
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Tokens: c.Tokens(), Dim: c.Dim, Blocks: c.Blocks.String(),
		}
		if e, err := models.Lookup(c.ID); err == nil {
			row.Summary, row.Reference = e.Summary, &e.Reference
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// writeModels prints a table, with the course's figures where a model has them.
func writeModels(w io.Writer, rows []modelRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	course := slices.ContainsFunc(rows, func(r modelRow) bool { return r.Reference != nil })
	fmt.Fprint(t, "model\tparams\tMFLOPs\timage/patch\ttokens\tdim\t")
	if course {
		fmt.Fprint(t, "course top-1\t")
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%d/%d\t%d\t%d\t", r.ID, r.Params, float64(r.FLOPs)/1e6, r.ImageSize, r.PatchSize, r.Tokens, r.Dim)
		switch {
		case r.Reference != nil:
			fmt.Fprintf(t, "%.2f %%\t", 100*r.Reference.TestAccuracy)
		case course:
			fmt.Fprint(t, "–\t")
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
