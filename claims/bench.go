package claims

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// Experiment is the tracker's experiment in which all is recorded.
const Experiment = "claims"

// Scale says how much is measured.
type Scale struct {
	Seeds  int `json:"seeds"`  // networks a configuration; rounds of timings are twice as many
	Images int `json:"images"` // to train on, validation included
	Tests  int `json:"tests"`  // images to test on
	Epochs int `json:"epochs"`
	Steps  int `json:"steps"` // of the networks of sequences
}

// Default takes about a quarter of an hour on two cores.
func Default() Scale { return Scale{Seeds: 5, Images: 7680, Tests: 2000, Epochs: 5, Steps: 500} }

// Quick takes a minute or two, and decides little.
func Quick() Scale { return Scale{Seeds: 2, Images: 640, Tests: 200, Epochs: 2, Steps: 40} }

// Validate reports the first value that cannot be measured with.
func (s Scale) Validate() error {
	if s.Seeds < 2 {
		return fmt.Errorf("%d seeds; allowed: 2 or more, or there is no interval", s.Seeds)
	}
	if s.Images < 640 || s.Tests < 50 || s.Epochs < 1 || s.Steps < 1 {
		return fmt.Errorf("%d images, %d tests, %d epochs, %d steps; allowed: 640, 50, 1, 1 or more", s.Images, s.Tests, s.Epochs, s.Steps)
	}
	return nil
}

// Bench measures claims. It is not safe for concurrent use.
type Bench struct {
	Scale   Scale
	Data    string // name of the dataset
	Backend compute.Backend
	Info    backend.Info
	DB      *tracker.DB
	DBPath  string // beside which checkpoints lie
	// Load loads the dataset with so many training and test images.
	Load func(train, test int) (*datasets.Dataset, error)
	// Say is told what is being done, a line at a time.
	Say func(format string, args ...any)
	// Report is told of the training under way.
	Report func(experiments.Event)

	env    map[string]string
	diff   []byte
	images map[int]*datasets.Dataset
}

// Measure decides a claim and records it. Ctrl-C leaves recorded what is finished
// of it: measured again it goes on from there.
func (b *Bench) Measure(ctx context.Context, c Claim) (Finding, error) {
	setting, err := b.setting(ctx, c)
	if err != nil {
		return Finding{}, err
	}
	began, load := time.Now(), loadAverage()
	m, err := c.measure(ctx, b)
	if err != nil {
		return Finding{}, fmt.Errorf("claim %s: %w", c.Name, err)
	}
	f, err := c.decide(m)
	if err != nil {
		return Finding{}, err
	}
	f.When, f.Seconds = began.UTC(), time.Since(began).Seconds()
	if load != "" {
		f.Load = load + " before, " + loadAverage() + " after"
	}
	return f, b.record(ctx, c, setting, f)
}

// loadAverage is how many tasks ran or waited over the last minute, or "" where
// the system does not tell.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// setting digests what a finding depends on: the claim as it is written, the
// scale, the images where it needs any, the machine and the backend.
func (b *Bench) setting(ctx context.Context, c Claim) (string, error) {
	if b.env == nil {
		b.env, b.diff = lab.Environment(ctx, b.Info)
	}
	images := ""
	if c.Images {
		d, err := b.dataset(b.Scale.Images)
		if err != nil {
			return "", err
		}
		images = d.Digest
	}
	text, err := json.Marshal([]any{c.Name, c.Method, c.Criterion(), b.Scale, images, b.env["machine"], b.Info.Name})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:16], nil
}

const findingFile = "finding.json"

// Recorded looks a claim up that was decided before: on this machine and backend,
// with these images, at this scale.
func (b *Bench) Recorded(ctx context.Context, c Claim) (f Finding, found bool, err error) {
	setting, err := b.setting(ctx, c)
	if err != nil {
		return Finding{}, false, err
	}
	runs, err := b.DB.Runs(ctx, tracker.Query{Experiment: Experiment})
	if err != nil {
		return Finding{}, false, err
	}
	for _, r := range runs {
		if r.Params["claim"] != c.Name || r.Params["setting"] != setting || r.Status != tracker.Finished {
			continue
		}
		file, err := b.DB.OpenArtifact(ctx, r.ID, findingFile)
		if err != nil {
			return Finding{}, false, fmt.Errorf("finding of run %s: %w", r.Name, err)
		}
		var f Finding
		err = json.NewDecoder(file).Decode(&f)
		if err := errors.Join(err, file.Close()); err != nil {
			return Finding{}, false, fmt.Errorf("finding of run %s: %w", r.Name, err)
		}
		return f, true, nil
	}
	return Finding{}, false, nil
}

func (b *Bench) record(ctx context.Context, c Claim, setting string, f Finding) (err error) {
	run, err := lab.Start(ctx, b.DB, tracker.Spec{Experiment: Experiment, Name: "claim " + c.Name, Environment: b.env}, b.diff)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, run.Finish(tracker.Failed))
		}
	}()
	params := map[string]string{"claim": c.Name, "setting": setting, "verdict": string(f.Verdict), "data": b.Data}
	if err := run.SetParams(params); err != nil {
		return err
	}
	values := map[string]float64{}
	for i, p := range f.Parts {
		key := fmt.Sprintf("part_%d", i+1)
		values[key], values[key+"_low"], values[key+"_high"] = p.Mean, p.Interval.Low, p.Interval.High
	}
	if err := run.Log(0, values); err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := run.AddArtifact(findingFile, bytes.NewReader(text)); err != nil {
		return err
	}
	return run.Finish(tracker.Finished)
}

// dataset is the images, the first so many of them to train on.
func (b *Bench) dataset(train int) (*datasets.Dataset, error) {
	if d := b.images[train]; d != nil {
		return d, nil
	}
	d, err := b.Load(train, b.Scale.Tests)
	if err != nil {
		return nil, err
	}
	if b.images == nil {
		b.images = map[int]*datasets.Dataset{}
	}
	b.images[train] = d
	return d, nil
}

// each runs f for each seed, from 1 on.
func (b *Bench) each(f func(seed int64) error) error {
	for seed := int64(1); seed <= int64(b.Scale.Seeds); seed++ {
		if err := f(seed); err != nil {
			return err
		}
	}
	return nil
}

// recipe trains a stack on a table of 64 tokens of 64 channels, in batches of 32.
func (b *Bench) recipe(stack string, position bool, images, epochs int, seed int64) (experiments.Recipe, error) {
	data := experiments.Data{Name: b.Data, TrainLimit: images, TestLimit: b.Scale.Tests, Validation: .1}
	recipe, err := experiments.ReferenceRecipe("mixer1-vit1", data, seed)
	if err != nil {
		return recipe, err
	}
	if recipe.Model, err = models.Parse(stack); err != nil {
		return recipe, err
	}
	d, err := b.dataset(images)
	if err != nil {
		return recipe, err
	}
	m := &recipe.Model
	m.ImageSize, m.PatchSize, m.Dim, m.Dropout, m.Position = 32, 4, 64, .1, position
	m.Head.Dropout, m.Channels, m.Classes = .1, d.Channels, len(d.Classes)
	recipe.Batch, recipe.Epochs = 32, epochs
	return recipe, recipe.Validate()
}

// train carries a recipe out, or finds it carried out, or goes on with it.
func (b *Bench) train(ctx context.Context, recipe experiments.Recipe) (tracker.RunInfo, error) {
	d, err := b.dataset(recipe.Data.TrainLimit)
	if err != nil {
		return tracker.RunInfo{}, err
	}
	runs, err := b.DB.Runs(ctx, tracker.Query{Experiment: Experiment})
	if err != nil {
		return tracker.RunInfo{}, err
	}
	job := experiments.Job{Recipe: recipe, Dataset: d, Backend: b.Backend, BackendName: b.Info.Name}
	var run *tracker.Run
	for _, r := range runs {
		same := r.Params["recipe"] == recipe.Digest() && len(r.Inputs) == 1 && r.Inputs[0].Digest == d.Digest && r.Environment["backend"] == b.Info.Name
		if same && r.Status == tracker.Finished {
			return r, nil
		}
		if same && (r.Status == tracker.Killed || r.Status == tracker.Crashed) && run == nil {
			job.CheckpointDir = lab.CheckpointDir(b.DBPath, r.ID)
			if whole, err := job.CheckCheckpoint(); whole && err == nil {
				if run, err = b.DB.Resume(ctx, r.ID); err != nil {
					return tracker.RunInfo{}, err
				}
			}
		}
	}
	if run == nil {
		run, err = lab.Start(ctx, b.DB, tracker.Spec{
			Experiment: Experiment, Name: fmt.Sprintf("%s-%d", recipe.Model.ID, recipe.Seed), Environment: b.env,
			Inputs: []tracker.Input{{Name: d.Name, Digest: d.Digest, Context: "train and test"}},
		}, b.diff)
		if err != nil {
			return tracker.RunInfo{}, err
		}
	}
	job.CheckpointDir = lab.CheckpointDir(b.DBPath, run.ID())
	position := map[bool]string{true: " with position embedding"}[recipe.Model.Position]
	b.Say("training %s%s on %d images, seed %d of %d", recipe.Model.Blocks, position, d.Train.Len(), recipe.Seed, b.Scale.Seeds)
	job.Report = b.watch(run)
	if _, err := lab.Carry(ctx, b.DB, run, job); err != nil {
		return tracker.RunInfo{}, err
	}
	return b.DB.Find(ctx, run.ID())
}

// processorMetric is the processor time in milliseconds that an image takes in
// training, which a busy machine disturbs less than wall time.
const processorMetric = "train_cpu_ms_per_image"

// watch passes events on, and logs the processor time of each epoch's steps
// between its first and its last.
func (b *Bench) watch(run *tracker.Run) func(experiments.Event) {
	var began, ended time.Duration
	var first, last int
	return func(e experiments.Event) {
		switch e.Phase {
		case experiments.Training:
			ended, last = processorTime(), e.Images
			if began == 0 {
				began, first = ended, last
			}
		case experiments.Trained:
			if last > first {
				run.Log(int64(e.Epoch), map[string]float64{processorMetric: (ended - began).Seconds() * 1e3 / float64(last-first)})
			}
			began = 0
		}
		if b.Report != nil {
			b.Report(e)
		}
	}
}

// accuracy is a run's on the test images, in percent.
func accuracy(r tracker.RunInfo) float64 { return 100 * r.Metrics["test_accuracy"].Value }

// trained trains a stack with a seed on the scale's images.
func (b *Bench) trained(ctx context.Context, stack string, position bool, seed int64) (tracker.RunInfo, error) {
	recipe, err := b.recipe(stack, position, b.Scale.Images, b.Scale.Epochs, seed)
	if err != nil {
		return tracker.RunInfo{}, err
	}
	return b.train(ctx, recipe)
}
