package main

import "github.com/spf13/cobra"

func newWeightsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "weights",
		Short: "Take weights from elsewhere, and give them to others",
		Example: `  patchlab weights import model.safetensors --as vit_tiny_patch16_224
  patchlab weights export latest -o network.onnx`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWeightsImportCommand(), newWeightsExportCommand())
	return cmd
}
