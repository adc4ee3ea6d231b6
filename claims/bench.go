package claims

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gomlx/compute"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/experiments"
	"patchlab/lab"
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
	for _, n := range [...]struct {
		what       string
		have, from int
	}{{"images", s.Images, 640}, {"tests", s.Tests, 50}, {"epochs", s.Epochs, 1}, {"steps", s.Steps, 1}} {
		if n.have < n.from {
			return fmt.Errorf("%d %s; allowed: %d or more", n.have, n.what, n.from)
		}
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

	// Of the claim that is being measured: whether its trainings must be this
	// build's, and what has been trained for it.
	exact     bool
	trainings Trainings
}

// Measure decides a claim and records it. Ctrl-C leaves recorded what is finished
// of it: measured again it goes on from there.
func (b *Bench) Measure(ctx context.Context, c Claim) (Finding, error) {
	setting, err := b.setting(ctx, c)
	if err != nil {
		return Finding{}, err
	}
	if c.Times && experiments.ProcessorTime() == 0 {
		return Finding{}, fmt.Errorf("claim %s compares processor times, which this system does not tell: leave it out", c.Name)
	}
	b.exact, b.trainings = c.Times, Trainings{}
	began, load := time.Now(), backend.LoadAverage()
	m, err := c.measure(ctx, b)
	if err != nil {
		return Finding{}, fmt.Errorf("claim %s: %w", c.Name, err)
	}
	f, err := c.decide(m)
	if err != nil {
		return Finding{}, err
	}
	f.When, f.Seconds, f.Build, f.Trainings = began.UTC(), time.Since(began).Seconds(), b.env["build"], b.trainings
	if load != "" {
		f.Load = load + " before, " + backend.LoadAverage() + " after"
	}
	return f, b.record(ctx, c, setting, f)
}

// setting digests what a finding depends on: the claim as it is written, the
// scale, the images where it needs any, the machine and the backend; where it
// compares times, the build and the plugin too.
func (b *Bench) setting(ctx context.Context, c Claim) (string, error) {
	if b.env == nil {
		program, err := build()
		if err != nil {
			return "", err
		}
		b.env, b.diff = lab.Environment(ctx, b.Info)
		b.env["build"] = program
	}
	images := ""
	if c.Images {
		d, err := b.dataset(b.Scale.Images)
		if err != nil {
			return "", err
		}
		images = d.Digest
	}
	text, err := json.Marshal([]any{c.Name, c.Method, c.Criterion(), b.Scale, images, place(b.env, c.Times)})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:16], nil
}

const findingFile = "finding.json"

// Recorded looks a claim up that was decided before: on this machine and backend,
// with these images, at this scale; by this build where it compares times.
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
