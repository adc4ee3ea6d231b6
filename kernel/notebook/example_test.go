package notebook_test

import (
	"fmt"

	"patchlab/kernel/notebook"
)

func Example() {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Markdown, "# A title"))
	n.Insert(1, notebook.NewCell(notebook.Code, "epochs := 3\nfmt.Println(epochs)", "parameters"))
	n.Cells[1].SetOutputs([]*notebook.Output{notebook.NewStream("stdout", "3\n")})

	back, err := notebook.Parse(n.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range back.Cells {
		fmt.Printf("%s %s %v %q\n", c.ID(), c.Kind(), c.Tags(), c.Source())
		for _, o := range c.Outputs() {
			fmt.Printf("  %s %q\n", o.Name(), o.Text())
		}
	}
	// Output:
	// c96bbfd7 markdown [] "# A title"
	// c17d0778 code [parameters] "epochs := 3\nfmt.Println(epochs)"
	//   stdout "3\n"
}
