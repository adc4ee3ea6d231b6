package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long stopping takes before it is said that it goes on.
const patience = time.Second

// interruptible gives a context that ends at the first Ctrl-C or SIGTERM, at
// which commands save what they have. What cannot be left at once, such as a
// network that is being compiled, delays that: then it is said, and a second
// Ctrl-C ends the program there. Nothing recorded is lost by it. A second SIGTERM
// does not: Slurm and timeout(1) send one to the program and one by its script,
// and mean one stop. args are the program's.
func interruptible(stderr io.Writer, args []string) (context.Context, context.CancelFunc) {
	goesOn := "a training goes on with --resume latest and the same --db"
	if len(args) > 0 && args[0] == "sweep" {
		goesOn = "a sweep goes on with patchlab sweep resume and its name"
	}
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		slow := time.AfterFunc(patience, func() {
			fmt.Fprintln(stderr, "\npatchlab: stopping when the step under way is done; Ctrl-C again ends at once")
		})
		for s := range signals {
			if s == os.Interrupt {
				break
			}
		}
		slow.Stop()
		fmt.Fprintln(stderr, "\npatchlab: ended at once; all that was recorded is kept;", goesOn)
		os.Exit(130)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
