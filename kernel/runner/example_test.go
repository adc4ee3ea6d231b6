package runner_test

import (
	"context"
	"errors"
	"fmt"

	"patchlab/kernel/notebook"
	"patchlab/kernel/runner"
)

func ExampleRun() {
	n := notebook.New("python3", "Python 3", "python")
	n.Insert(0, notebook.NewCell(notebook.Code, "print(6 * 7)"))

	spec, err := runner.Find("no-such-kernel")
	if err != nil {
		fmt.Println("not installed")
		return
	}
	err = runner.Run(context.Background(), n, runner.Options{Kernel: spec, Output: "out.ipynb"})
	var failure *runner.CellError
	if errors.As(err, &failure) {
		fmt.Println(failure.Trace(false))
	}
	// Output: not installed
}
