package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/experiments"
)

// benchTask is what one process measures: a workload, or the peak.
type benchTask struct {
	Backend   backend.Kind          `json:"backend"`
	Precision experiments.Precision `json:"precision"`
	Workload  *experiments.Workload `json:"workload,omitempty"` // nil: the peak
}

// newBenchProcessCommand is the process that patchlab bench starts for each of
// its measurements: a task comes in as JSON, its result goes out as JSON.
func newBenchProcessCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "bench-process",
		Short:   "One measurement of patchlab bench",
		Example: `  echo '{"backend": "go"}' | patchlab bench-process      the backend's peak`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var task benchTask
			if err := json.NewDecoder(cmd.InOrStdin()).Decode(&task); err != nil {
				return fmt.Errorf("read the task: %w", err)
			}
			b, _, err := backend.Open(cmd.Context(), task.Backend, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer b.Finalize()
			backend.UseTF32(b, task.Precision == experiments.TF32)
			var result any
			if task.Workload == nil {
				result, err = experiments.MeasurePeak(cmd.Context(), b, task.Precision)
			} else {
				result, err = experiments.Measure(cmd.Context(), b, *task.Workload)
			}
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
		},
	}
}

// measureApart carries a task out in a process of its own, so that neither
// compiled programs nor memory of another are in its figures.
func measureApart[T any](ctx context.Context, task benchTask) (T, error) {
	var result T
	in, err := json.Marshal(task)
	if err != nil {
		return result, err
	}
	path, err := os.Executable()
	if err != nil {
		return result, err
	}
	c := exec.CommandContext(ctx, path, "bench-process")
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &out, &errs
	// What was missing is installed by now, and nothing compiled earlier is to shorten the first step.
	c.Env = append(os.Environ(), backend.OfflineEnv+"=1", backend.ProgramsEnv+"=off")
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil {
		said := errs.String() // the program's own error comes last
		if i := strings.LastIndex(said, "patchlab: "); i >= 0 && ctx.Err() == nil {
			said = strings.TrimSpace(said[i+len("patchlab: "):])
			if said == "interrupted" { // a terminal's Ctrl-C, which it heard first
				return result, context.Canceled
			}
			return result, errors.New(said)
		}
		if c.ProcessState != nil && c.ProcessState.ExitCode() < 0 && ctx.Err() == nil {
			return result, fmt.Errorf("the process ended by %w; perhaps the memory was too small", err)
		}
		return result, cmp.Or(ctx.Err(), err)
	}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return result, fmt.Errorf("read the measurement: %w", err)
	}
	return result, nil
}

// benchProgress shows what is being measured: a bar on a terminal, else a line
// each.
type benchProgress struct {
	w           io.Writer
	bar         *progressbar.ProgressBar // nil without a terminal
	done, total int
}

func newBenchProgress(w io.Writer, total int) *benchProgress {
	p := &benchProgress{w: w, total: total}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(18),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	}
	return p
}

// next says what is measured now.
func (p *benchProgress) next(what string) {
	p.done++
	if p.bar == nil {
		fmt.Fprintf(p.w, "%d of %d: %s\n", p.done, p.total, what)
		return
	}
	p.bar.Describe(what)
	p.bar.Set(p.done - 1)
}

func (p *benchProgress) clear() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
