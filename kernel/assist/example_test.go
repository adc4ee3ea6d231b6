package assist_test

import (
	"context"
	"fmt"
	"os"

	"patchlab/kernel/assist"
)

// Commands need no language server.
func Example() {
	a := assist.New(assist.Options{Tools: "/nowhere", Folder: os.TempDir()})
	defer a.Close()
	c, err := a.Complete(context.Background(), "%goflag", 7, "")
	fmt.Println(c.Matches, err)
	// Output: [%goflags] <nil>
}
