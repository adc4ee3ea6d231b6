package save_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"patchlab/save"
)

func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "table.csv")
	if err := save.Bytes(path, []byte("a,b\n")); err != nil {
		fmt.Println(err)
	}
	err = save.File(path, func(w io.Writer) error {
		fmt.Fprint(w, "a,b,")
		return errors.New("no more values")
	})
	text, _ := os.ReadFile(path)
	fmt.Printf("%v: %q stays\n", errors.Unwrap(err), text)
	// Output: no more values: "a,b\n" stays
}
