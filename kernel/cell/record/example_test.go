package record_test

import (
	"fmt"
	"os"
	"path/filepath"

	"patchlab/kernel/cell/record"
)

func Example() {
	folder, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	session, err := record.Open(record.Options{Folder: filepath.Join(folder, "session"), Database: filepath.Join(folder, "lab.db")})
	if err != nil {
		panic(err)
	}
	session.Begin(1, "x := 6 * 7")
	// Here the front runs the cell, with session.Environ() in its environment.
	session.Message("stream", []byte(`{"name": "stdout", "text": "42\n"}`))
	session.End(true)
	cells, err := session.Cells()
	fmt.Println(len(cells), cells[0].Source, cells[0].Status, err)
	fmt.Println(session.Close())
	// Output:
	// 1 x := 6 * 7 ok <nil>
	// <nil>
}
