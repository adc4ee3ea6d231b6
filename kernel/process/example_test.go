package process_test

import (
	"fmt"
	"os/exec"

	"patchlab/kernel/process"
)

func Example() {
	running, err := process.Start(exec.Command("sleep", "1000"))
	if err != nil {
		fmt.Println(err)
		return
	}
	process.KillTree(running.Pid, "")
	fmt.Println(running.State())
	// Output: signal: killed
}
