package spec_test

import (
	"fmt"
	"os"

	"patchlab/kernel/spec"
)

func Example() {
	kernels, err := os.MkdirTemp("", "kernels")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(kernels)
	_, changed, err := spec.Install(kernels, spec.Spec{Executable: "/opt/patchlab", Tools: "/opt/tools", Go: "/usr/local/go/bin"})
	fmt.Println(changed, err)
	fmt.Println(spec.Find([]string{kernels})[0].Problems[0])
	// Output:
	// true <nil>
	// the program is gone: /opt/patchlab
}
