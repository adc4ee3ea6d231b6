package launch

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
)

// Share divides cores among workers as evenly as can be; the first workers get
// one more where it does not come out even. Workers beyond the number of cores
// share them.
func Share(cores []int, workers int) [][]int {
	shares := make([][]int, workers)
	if workers > len(cores) {
		for i := range shares {
			shares[i] = []int{cores[i%len(cores)]}
		}
		return shares
	}
	for i, at := 0, 0; i < workers; i++ {
		n := len(cores) / workers
		if i < len(cores)%workers {
			n++
		}
		shares[i] = cores[at : at+n]
		at += n
	}
	return shares
}

// numbered are the cores where the system does not say which may be used.
func numbered() []int {
	cores := make([]int, runtime.NumCPU())
	for i := range cores {
		cores[i] = i
	}
	return cores
}

// limit tells a program by its environment how many cores it has, for systems
// and runtimes that do not go by the affinity.
func limit(cmd *exec.Cmd, cores []int) {
	n := strconv.Itoa(len(cores))
	for _, name := range []string{"GOMAXPROCS", "OMP_NUM_THREADS", "NPROC"} {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s", name, n))
	}
}
