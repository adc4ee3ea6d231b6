package child_test

import (
	"context"
	"fmt"

	"patchlab/kernel/child"
)

// Without its programs, GoNB cannot be started.
func Example() {
	_, err := child.Start(context.Background(), child.Config{Tools: "/nowhere", Folder: "/tmp/patchlab-example"})
	fmt.Println(err)
	// Output: starting GoNB: fork/exec /nowhere/gonb: no such file or directory
}
