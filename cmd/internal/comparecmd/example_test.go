package comparecmd_test

import (
	"fmt"

	"patchlab/cmd/internal/comparecmd"
)

func ExampleNew() {
	cmd := comparecmd.New("compare")
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"--format", "docx"})
	fmt.Println(cmd.Execute())
	// Output: no format "docx"; there are table, markdown, csv, json, latex, svg, png, html
}
