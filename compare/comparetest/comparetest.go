package comparetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"patchlab/tracker"
)

// Run is a made-up run. Zero fields take the value in brackets.
type Run struct {
	Model       string
	Seed        int
	Accuracy    float64
	TrainPerS   float64
	InferPerS   float64        // [4 × TrainPerS]
	Params      int64          // [100,000]
	FLOPs       int64          // [10,000,000]
	Epochs      int            // [5]
	Steps       int            // step times to record [0]
	Machine     string         // ["Example CPU × 2 cores"]
	Backend     string         // ["xla:cpu"]
	Precision   string         // [not recorded]
	Data        string         // ["cifar10"]
	TestImages  int            // [10,000]
	Status      tracker.Status // [Finished]
	Batch       int            // [128]
	Predictions bool           // store predictions.csv
	Commit      string         // ["0123abc"]
	Dirty       bool
}

// clock is a clock that goes on by a second at each look; several goroutines
// may look at it.
func clock() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Second)
		return at
	}
}

// Create makes a database with these runs at path and returns their IDs.
func Create(ctx context.Context, path string, runs []Run) (ids []string, err error) {
	db, err := tracker.Open(path, tracker.WithClock(clock()))
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	for i, r := range runs {
		id, err := r.write(ctx, db)
		if err != nil {
			return nil, fmt.Errorf("run %d, %s: %w", i, r.Model, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (r Run) withDefaults() Run {
	if r.InferPerS == 0 {
		r.InferPerS = 4 * r.TrainPerS
	}
	if r.Params == 0 {
		r.Params = 100_000
	}
	if r.FLOPs == 0 {
		r.FLOPs = 10_000_000
	}
	if r.Epochs == 0 {
		r.Epochs = 5
	}
	if r.Machine == "" {
		r.Machine = "Example CPU × 2 cores"
	}
	if r.Backend == "" {
		r.Backend = "xla:cpu"
	}
	if r.Data == "" {
		r.Data = "cifar10"
	}
	if r.TestImages == 0 {
		r.TestImages = 10_000
	}
	if r.Status == 0 {
		r.Status = tracker.Finished
	}
	if r.Batch == 0 {
		r.Batch = 128
	}
	if r.Commit == "" {
		r.Commit = "0123abc"
	}
	return r
}

func (r Run) write(ctx context.Context, db *tracker.DB) (string, error) {
	r = r.withDefaults()
	run, err := db.Start(ctx, tracker.Spec{
		Experiment: "compare", Name: fmt.Sprintf("%s-seed%d", r.Model, r.Seed),
		Params: r.params(), Environment: r.environment(),
		Inputs: []tracker.Input{{Name: r.Data, Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(r.Data)))}},
	})
	if err != nil {
		return "", err
	}
	if err := run.AddArtifact("recipe.json", strings.NewReader(r.recipe())); err != nil {
		return "", err
	}
	if r.Dirty {
		if err := run.AddArtifact("git.diff", strings.NewReader(r.patch())); err != nil {
			return "", err
		}
	}
	for epoch := 1; epoch <= r.Epochs; epoch++ {
		if err := run.Log(int64(epoch), r.epoch(epoch)); err != nil {
			return "", err
		}
	}
	for step := 1; step <= r.Steps; step++ {
		if err := run.Log(int64(step), map[string]float64{"step_ms": r.stepTime(step)}); err != nil {
			return "", err
		}
	}
	if r.Status == tracker.Running {
		return run.ID(), run.Flush()
	}
	if r.Status == tracker.Finished {
		if err := run.Log(int64(r.Epochs), r.final()); err != nil {
			return "", err
		}
		if r.Predictions {
			if err := run.AddArtifact("predictions.csv", strings.NewReader(r.predictions())); err != nil {
				return "", err
			}
		}
	}
	return run.ID(), run.Finish(r.Status)
}

func (r Run) params() map[string]string {
	params := map[string]string{}
	if r.Precision != "" {
		params["precision"] = r.Precision
	}
	recipe := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d %s", r.Model, r.Seed, r.Epochs, r.Batch, r.Data))
	maps.Copy(params, map[string]string{
		"model": r.Model, "seed": strconv.Itoa(r.Seed), "data": r.Data, "epochs": strconv.Itoa(r.Epochs),
		"batch": strconv.Itoa(r.Batch), "params": strconv.FormatInt(r.Params, 10), "flops": strconv.FormatInt(r.FLOPs, 10),
		"train_images": "45000", "test_images": strconv.Itoa(r.TestImages), "recipe": fmt.Sprintf("%x", recipe),
	})
	return params
}

func (r Run) recipe() string {
	return fmt.Sprintf(`{"model": {"ID": %q, "Blocks": [{"kind": "mixer"}]}, "data": {"name": %q}, "batch": %d, "epochs": %d, "seed": %d}`+"\n",
		r.Model, r.Data, r.Batch, r.Epochs, r.Seed)
}

// patch is a change that was not committed; it differs between models.
func (r Run) patch() string {
	return fmt.Sprintf("--- a/models/mixer.go\n+++ b/models/mixer.go\n@@ -10,3 +10,3 @@\n func mixer() {\n-\twidth := 128\n+\twidth := %d\n }\n", 100+len(r.Model))
}

func (r Run) environment() map[string]string {
	plugin := "0.115"
	if r.Backend == "go" {
		plugin = ""
	}
	return map[string]string{
		"machine": r.Machine, "backend": r.Backend, "os": "linux", "go": "go1.26", "plugin_version": plugin,
		"git_commit": r.Commit, "git_dirty": map[bool]string{true: "yes", false: "no"}[r.Dirty],
	}
}

func (r Run) epochSeconds() float64 { return 45_000 / r.TrainPerS }

func (r Run) epoch(epoch int) map[string]float64 {
	reached := 1 - math.Exp(-3*float64(epoch)/float64(r.Epochs))
	accuracy := .1 + (r.Accuracy-.1)*reached + .004*(r.noise("val", epoch)-.5)
	return map[string]float64{
		"val_accuracy": accuracy, "val_loss": 2.3 * (1.05 - accuracy), "train_loss": 2.3 * (1 - accuracy),
		"train_accuracy": accuracy + .02, "train_seconds": r.epochSeconds() * (1 + .05*r.noise("time", epoch)),
		"eval_seconds": 5000 / r.InferPerS,
	}
}

func (r Run) stepTime(step int) float64 {
	base := 1000 * float64(r.Batch) / r.TrainPerS
	if step == 1 {
		return 100 * base // the compilation
	}
	return base * (.95 - .1*math.Log(1-.999*r.noise("step", step)))
}

func (r Run) final() map[string]float64 {
	step := 1000 * float64(r.Batch) / r.TrainPerS
	return map[string]float64{
		"test_accuracy": r.Accuracy, "test_top5": 1 - (1-r.Accuracy)/8, "test_loss": 2.3 * (1 - r.Accuracy),
		"train_images_per_s": r.TrainPerS, "infer_images_per_s": r.InferPerS,
		"step_ms_median": step, "step_ms_p95": 1.3 * step, "compile_seconds": 3 + r.noise("compile", 0),
		"seconds_to_best":     float64(r.Epochs) * (r.epochSeconds() + 5000/r.InferPerS),
		"train_seconds_total": float64(r.Epochs) * r.epochSeconds(), "eval_seconds_total": float64(r.Epochs) * 5000 / r.InferPerS,
		"peak_memory_bytes": 4e8 + 1e3*float64(r.Params), "best_epoch": float64(r.Epochs), "best_val_accuracy": r.Accuracy,
	}
}

// predictions are right for the easiest images, with some noise, as many as
// the accuracy says.
func (r Run) predictions() string {
	var out strings.Builder
	out.WriteString("index,label,top1,top2,top3,top4,top5,p_label\n")
	right := int(math.Round(r.Accuracy * float64(r.TestImages)))
	wrongHere := map[int]bool{} // easy images that this run gets wrong, and as many hard ones that it gets right
	for i := 0; i < r.TestImages/20; i++ {
		wrongHere[int(r.noise("swap", i)*float64(right))] = true
	}
	extra := len(wrongHere)
	for i := range r.TestImages {
		label := i % 10
		answer := label
		if i >= right+extra || wrongHere[i] {
			answer = (label + 1) % 10
		}
		fmt.Fprintf(&out, "%d,%d,%d,%d,%d,%d,%d,%.3f\n", i, label, answer,
			(answer+1)%10, (answer+2)%10, (answer+3)%10, (answer+4)%10, .5)
	}
	return out.String()
}

// noise is a number in [0, 1) that depends on the run and its arguments alone.
func (r Run) noise(what string, i int) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d %s %d", r.Model, r.Seed, what, i)
	v := h.Sum64()
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	return float64(v>>11) / (1 << 53)
}
