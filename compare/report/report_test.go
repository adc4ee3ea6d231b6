package report_test

import (
	"fmt"
	"os"

	"patchlab/compare"
	"patchlab/compare/report"
)

func ExampleWrite() {
	empty := &compare.Report{Version: compare.Version, By: []string{"model"}, Level: .95}
	if err := report.Write(os.Stdout, report.Text, empty, report.Options{}); err != nil {
		fmt.Println(err)
	}
	// Output: The database holds no finished run: nothing to compare yet.
}

func ExampleParseFormat() {
	byName, _ := report.ParseFormat("", "results/table.md")
	_, err := report.ParseFormat("docx", "")
	fmt.Println(byName)
	fmt.Println(err)
	// Output:
	// markdown
	// no format "docx"; there are table, markdown, csv, json, latex, svg, png, html
}
