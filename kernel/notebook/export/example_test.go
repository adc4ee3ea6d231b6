package export_test

import (
	"fmt"
	"os"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/export"
)

func ExampleGo() {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Markdown, "Greetings"))
	n.Insert(1, notebook.NewCell(notebook.Code, "func greet(who string) string { return \"Hello, \" + who }"))
	n.Insert(2, notebook.NewCell(notebook.Code, "%%\nfmt.Println(greet(\"Go\"))"))
	if err := export.Go(os.Stdout, n); err != nil {
		fmt.Println(err)
	}
	// Output:
	// // Made from a notebook by patchlab notebook export.
	//
	// package main
	//
	// import "fmt"
	//
	// // Greetings
	//
	// func greet(who string) string { return "Hello, " + who }
	//
	// func cell2() {
	// 	fmt.Println(greet("Go"))
	// }
	//
	// func main() {
	// 	cell2()
	// }
}
