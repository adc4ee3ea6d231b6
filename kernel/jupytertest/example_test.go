package jupytertest_test

import (
	"fmt"
	"path/filepath"

	"patchlab/kernel/jupytertest"
)

func ExampleRoot() {
	root, err := jupytertest.Root()
	if err != nil {
		fmt.Println(err)
		return
	}
	here, err := filepath.Glob(filepath.Join(root, "kernel", "jupytertest", "doc.go"))
	fmt.Println(len(here), err)
	// Output: 1 <nil>
}
