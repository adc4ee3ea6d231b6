package tracker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The test binary is its own child process: with this variable set it does
// one of the children's jobs instead of running tests.
const childVariable = "PATCHLAB_TRACKER_CHILD"

func TestMain(m *testing.M) {
	job := os.Getenv(childVariable)
	if job == "" {
		os.Exit(m.Run())
	}
	name, rest, _ := strings.Cut(job, " ")
	jobs := map[string]func(path string) error{"write": childWrite, "cold": childCold, "idle": childIdle, "merge": childMerge, "artifact": childArtifact}
	if err := jobs[name](rest); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child starts a job in a process of its own and returns its output, line by line.
func child(t testing.TB, job, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+job+" "+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// valueOf is what a child logs as its i-th value, so that the parent can tell.
func valueOf(run string, key string, i int64) float64 {
	seed, _ := strconv.ParseUint(run[len(run)-8:], 32, 64)
	return rand.New(rand.NewPCG(seed, uint64(i)+uint64(len(key)))).NormFloat64()
}

var childKeys = []string{"loss", "accuracy", "layer/0 norm"}

// childWrite logs without end and says after each Flush how far it came.
func childWrite(path string) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	run, err := db.Start(context.Background(), Spec{Name: "child"})
	if err != nil {
		return err
	}
	fmt.Println("run", run.ID())
	for i := int64(0); ; {
		if rand.IntN(20) == 0 { // end this run and begin another
			if err := run.Finish(Finished); err != nil {
				return err
			}
			fmt.Println("finished", i)
			if run, err = db.Start(context.Background(), Spec{Name: "child"}); err != nil {
				return err
			}
			fmt.Println("run", run.ID())
			i = 0
		}
		for range rand.IntN(300) + 1 {
			values := map[string]float64{}
			for _, key := range childKeys {
				values[key] = valueOf(run.ID(), key, i)
			}
			if err := run.Log(i, values); err != nil {
				return err
			}
			i++
		}
		if err := run.Flush(); err != nil {
			return err
		}
		fmt.Println("flushed", i)
	}
}

const coldSteps = 1000

// childCold is one of many processes that start on one new file.
func childCold(path string) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	run, err := db.Start(context.Background(), Spec{Name: "cold"})
	if err != nil {
		return err
	}
	for i := range int64(coldSteps) {
		if err := run.Log(i, map[string]float64{"loss": valueOf(run.ID(), "loss", i)}); err != nil {
			return err
		}
		if i%100 == 0 {
			if err := run.Flush(); err != nil {
				return err
			}
		}
	}
	if err := run.Finish(Finished); err != nil {
		return err
	}
	return db.Close()
}

// childIdle starts a run and then does nothing until it is killed.
func childIdle(path string) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	run, err := db.Start(context.Background(), Spec{Name: "idle"})
	if err != nil {
		return err
	}
	fmt.Println("run", run.ID())
	select {}
}

// childMerge merges from.db into into.db of a folder.
func childMerge(folder string) error {
	from, err := Open(filepath.Join(folder, "from.db"), ReadOnly())
	if err != nil {
		return err
	}
	into, err := Open(filepath.Join(folder, "into.db"))
	if err != nil {
		return err
	}
	fmt.Println("merging")
	merged, err := into.Merge(context.Background(), from)
	return errors.Join(err, merged.Refused, into.Close(), from.Close())
}

// childArtifact adds one artifact.
func childArtifact(path string) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	run, err := db.Start(context.Background(), Spec{Name: "r"})
	if err != nil {
		return err
	}
	return errors.Join(run.AddArtifact("a", strings.NewReader("content")), run.Finish(Finished), db.Close())
}
