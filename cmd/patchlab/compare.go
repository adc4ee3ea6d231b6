package main

import (
	"github.com/spf13/cobra"

	"patchlab/cmd/internal/comparecmd"
)

// newCompareCommand is the command compare under the name that users of
// patchlab know.
func newCompareCommand() *cobra.Command { return comparecmd.New("patchlab compare") }
