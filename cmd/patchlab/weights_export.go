package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"

	"patchlab/lab"
	"patchlab/save"
	"patchlab/weights"
)

func newWeightsExportCommand() *cobra.Command {
	var out, dbPath string
	var timm bool
	cmd := &cobra.Command{
		Use:   "export RUN",
		Short: "Write a run's weights as ONNX or safetensors",
		Long: `Write a run's weights as ONNX or safetensors.

An .onnx file is the whole network: it takes bytes [batch, height, width,
channels] of any size and gives logits; the pixels' scaling and the resizing of
package models are part of it. A .safetensors file holds the weights with
Patchlab's names and says what network they are of, so that "weights import" and
"train --init" take it as it is; or with --timm it has the names of timm, where
timm has the architecture.`,
		Example: `  patchlab weights export latest -o network.onnx
  patchlab weights export vit-lite-7-4-1 -o model.safetensors --timm`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format := strings.ToLower(filepath.Ext(out))
			if format != ".onnx" && format != ".safetensors" {
				return fmt.Errorf("output %q; allowed: a file that ends in .onnx or .safetensors", out)
			}
			if timm && format == ".onnx" {
				return fmt.Errorf("--timm says how a .safetensors file names its tensors, and %s is none", out)
			}
			if err := save.Check(out); err != nil { // before a network is read
				return err
			}
			db, info, err := readRun(cmd.Context(), dbPath, args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			recipe, named, err := lab.Weights(cmd.Context(), db, info)
			if err != nil {
				return noWeights(err, info, dbPath)
			}
			write := func(w io.Writer) error { return lab.Export(w, recipe, named) }
			switch {
			case format == ".onnx":
				images, err := recipe.Images()
				if err != nil {
					return err
				}
				write = func(w io.Writer) error { return weights.WriteONNX(w, recipe.Model, named, images.Classes) }
			case timm:
				var theirs map[string]*tensors.Tensor
				if theirs, err = weights.ToTimm(recipe.Model, named); err != nil {
					return err
				}
				write = func(w io.Writer) error { return weights.Write(w, theirs) }
			}
			var file bytes.Buffer
			if err := write(&file); err != nil {
				return fmt.Errorf("export run %s: %w", oneLine(info.Name), err)
			}
			if err := save.Bytes(out, file.Bytes()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %d bytes\n", out, recipe.Model.ID, file.Len())
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`file` that ends in .onnx or .safetensors")
	f.BoolVar(&timm, "timm", false, "give the tensors timm's names and layouts")
	dbFlag(f, &dbPath)
	cmd.MarkFlagRequired("output")
	cmd.ValidArgsFunction = completeRuns(&dbPath)
	return cmd
}
