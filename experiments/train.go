package experiments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"patchlab/datasets"
)

// Recorder takes what a run yields. The tracker's run is one. Log may buffer;
// what was logged before a Flush that returned is durable.
type Recorder interface {
	SetParams(params map[string]string) error
	Log(step int64, values map[string]float64) error
	AddArtifact(name string, content io.Reader) error
	Flush() error
}

// Job is a recipe with all it needs to be carried out.
type Job struct {
	Recipe  Recipe
	Dataset *datasets.Dataset
	Backend compute.Backend
	// BackendName is recorded in checkpoints, so that a run isn't resumed on
	// another backend, where the losses would differ.
	BackendName string
	Recorder    Recorder
	// Weights is the file that the recipe's Init names; nil where it names none.
	Weights io.Reader
	// CheckpointDir is the run's own folder. Where it holds a checkpoint the
	// run continues from it. The caller removes it, once the run is recorded as
	// finished: until then a crash must find it.
	CheckpointDir string
	// CheckpointEvery is the time between two checkpoints within an epoch;
	// 0 means a minute. One is written after each epoch in any case.
	CheckpointEvery time.Duration
	// PauseAfter, if not 0, ends the call with [ErrPaused] once so many epochs
	// are complete and more are to come. The same job with a later pause, or
	// none, continues from there as if it had never paused.
	PauseAfter int
	// Report, if set, is told of progress, from the caller's goroutine.
	Report func(Event)
}

// Phase is what a run is doing.
type Phase int

// The phases of a run, in order; Trained reports a completed epoch.
const (
	Compiling Phase = iota
	Training
	Validating
	Trained
	Testing
)

// Event is a step of progress.
type Event struct {
	Phase         Phase
	Epoch, Epochs int // counted from 1; how many there are at most
	Images, Of    int // of this epoch
	Loss, Top1    float64
	Resumed       bool         // the run continues from a checkpoint
	Result        *EpochResult // of a completed epoch, when Phase is Trained
}

// Result is what a completed run came to.
type Result struct {
	History []EpochResult
	Best    EpochResult
	Test    Evaluation
	Timing  Timing
	// StoppedEarly is how many epochs without a lower validation loss ended the
	// training by [EarlyStopping]; 0 where all epochs were trained.
	StoppedEarly int
	// StepMedian and StepP95 are milliseconds, without warm-up.
	StepMedian, StepP95  float64
	TrainImagesPerSecond float64
}

// ErrPaused says that a run has reached its job's PauseAfter and can continue
// from its checkpoint.
var ErrPaused = errors.New("paused")

// Check reports what makes a job impossible; it takes no time.
func (job Job) Check() error {
	if err := job.Recipe.Validate(); err != nil {
		return err
	}
	if job.Dataset == nil || job.Backend == nil {
		return errors.New("the job lacks its Dataset or its Backend; neither may be nil")
	}
	if err := checkDataset(job.Recipe.Model, job.Dataset); err != nil {
		return err
	}
	train, val := job.Dataset.Holdout(job.Recipe.Data.Validation)
	if train.Len() == 0 || val.Len() == 0 {
		return fmt.Errorf("%d training images leave %d to train on and %d to validate with; both must be 1 or more",
			job.Dataset.Train.Len(), train.Len(), val.Len())
	}
	if err := job.Recipe.Precision.Check(job.BackendName); err != nil {
		return err
	}
	return job.Recipe.checkDevices(job.Backend, train.Len())
}

// Train carries out a job: it trains, validates after each epoch, keeps the
// weights of the best epoch, tests them on every test image once and records
// all of it. When the context ends it writes a checkpoint and returns the
// context's error; the same job then continues where it stopped. Steps between
// the last checkpoint and a crash are then done and logged again, with the same
// values.
func Train(ctx context.Context, job Job) (*Result, error) {
	if err := job.Check(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if job.Recorder == nil {
		return nil, errors.New("train: the job lacks its Recorder")
	}
	t, err := newTrainer(job)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer t.close()
	if err := t.record(); err != nil { // before compiling, so that a crash finds the recipe
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := t.start(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	for !t.state.Done {
		if t.PauseAfter > 0 && t.state.Epochs >= t.PauseAfter {
			return nil, fmt.Errorf("%w after epoch %d", ErrPaused, t.state.Epochs)
		}
		err := t.epoch(ctx)
		if cause := ctx.Err(); cause != nil && errors.Is(err, cause) {
			if err := t.checkpoint(); err != nil {
				return nil, fmt.Errorf("interrupted, and: %w", err)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return t.finish(ctx)
}

// trainer is a job under way.
type trainer struct {
	Job
	net        *Network
	steps      *stepper
	averaged   *Network // holds the averages of the weights when they are evaluated; nil without
	train, val datasets.Split
	state      state
	best       map[string]*tensors.Tensor // the kept epoch's weights, on the host
	bestSaved  int                        // the epoch of the kept weights that are on disk
	resumed    bool
	fresh      int // steps since this process began or resumed
	saved      time.Time
	made       bool // the checkpoint folder exists
}

func newTrainer(job Job) (*trainer, error) {
	t := &trainer{Job: job, saved: time.Now()}
	if t.CheckpointEvery == 0 {
		t.CheckpointEvery = time.Minute
	}
	t.train, t.val = job.Dataset.Holdout(job.Recipe.Data.Validation)
	t.state = state{
		Recipe: job.Recipe.Digest(), Dataset: job.Dataset.Digest, Backend: job.BackendName,
		LearningRate: job.Recipe.Optimizer.LearningRate,
	}
	var err error
	if t.net, err = NewNetwork(job.Backend, job.Recipe.Model, job.Recipe.Seed); err != nil {
		return nil, err
	}
	if job.Recipe.Init != nil {
		err = t.net.begin(job.Weights, *job.Recipe.Init)
	} else {
		// To the images trained on. Keras's adapt, as the course calls it, also sees
		// those held out; on CIFAR-10 that moves the mean by less than .1 grey levels.
		err = t.net.Adapt(t.train)
	}
	if err != nil {
		return nil, err
	}
	if t.steps, err = newStepper(t.net, job.Recipe); err != nil {
		return nil, err
	}
	if job.Recipe.EMA > 0 {
		if t.averaged, err = NewNetwork(job.Backend, job.Recipe.Model, job.Recipe.Seed); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// start compiles, which creates the optimiser's variables, then restores the
// checkpoint, if there is one. The compile time that counts is the first.
func (t *trainer) start() error {
	began := time.Now()
	if err := t.compile(); err != nil {
		return err
	}
	compiled := time.Since(began).Seconds()
	var err error
	if t.resumed, err = t.resume(); err != nil {
		return err
	}
	if !t.resumed {
		t.state.Timing.Compile = compiled
	}
	return nil
}

// compile compiles the step, so that no step's time holds it. The forward pass
// and the step of a last, smaller batch are compiled when they are needed
// first: until then a run would only wait for them.
func (t *trainer) compile() error {
	t.report(Event{Phase: Compiling})
	return t.steps.compile(min(t.Recipe.Batch, t.train.Len()), t.Dataset.Height, t.Dataset.Width)
}

// compileLate does such a compilation, which costs nothing where it was done
// before, and counts its time, which is no step's and no evaluation's. The
// compile time that counts is the first process's.
func (t *trainer) compileLate(compile func() error) error {
	began := time.Now()
	if err := compile(); err != nil {
		return err
	}
	if !t.resumed {
		t.state.Timing.Compile += time.Since(began).Seconds()
	}
	return nil
}

func (t *trainer) close() {
	t.steps.exec.Finalize()
	if t.averaged != nil {
		t.averaged.Close()
	}
	t.net.Close()
}

func (t *trainer) report(e Event) {
	if t.Report == nil {
		return
	}
	e.Epoch, e.Epochs, e.Resumed = t.state.Epochs+1, t.Recipe.Epochs, t.resumed
	e.Images, e.Of = t.state.Images, t.train.Len()
	if n := float64(t.state.Images); n > 0 {
		e.Loss, e.Top1 = t.state.Loss/n, t.state.Top1/n
	}
	t.Report(e)
}

// epoch runs one epoch from where the state stands, then validates.
func (t *trainer) epoch(ctx context.Context) error {
	batches := t.feed()
	defer batches.close()
	for t.state.Images < t.train.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.step(batches); err != nil {
			return err
		}
		if time.Since(t.saved) > t.CheckpointEvery {
			if err := t.checkpoint(); err != nil {
				return err
			}
		}
	}
	t.report(Event{Phase: Validating})
	net, err := t.evaluated()
	if err != nil {
		return err
	}
	err = t.compileLate(func() error { return net.compile(t.Recipe.Batch, t.Dataset.Height, t.Dataset.Width) })
	if err != nil {
		return err
	}
	val, err := net.Evaluate(ctx, t.val, t.Dataset.Height, t.Dataset.Width, t.Recipe.Batch)
	if errors.Is(err, errNotNumbers) {
		return &DivergedError{Step: t.state.Steps, Loss: math.NaN(), LearningRate: t.state.LearningRate}
	}
	if err != nil {
		return err
	}
	result, better := t.state.endEpoch(val, t.Recipe.Keep)
	if better {
		if t.best, err = net.snapshot(net.names); err != nil {
			return fmt.Errorf("keep weights of epoch %d: %w", result.Epoch, err)
		}
	}
	t.state.schedule(t.Recipe, val.Loss)
	if err := t.Recorder.Log(int64(result.Epoch), result.metrics()); err != nil {
		return err
	}
	if err := t.checkpoint(); err != nil {
		return err
	}
	if t.Report != nil {
		t.Report(Event{Phase: Trained, Epoch: result.Epoch, Epochs: t.Recipe.Epochs, Result: &result})
	}
	return nil
}

// step trains on the epoch's next batch.
func (t *trainer) step(batches *feed) error {
	if rest := t.train.Len() - t.state.Images; rest < t.Recipe.Batch {
		err := t.compileLate(func() error { return t.steps.compile(rest, t.Dataset.Height, t.Dataset.Width) })
		if err != nil {
			return err
		}
	}
	if c := t.Recipe.Cosine; c != nil {
		perEpoch := int64((t.train.Len() + t.Recipe.Batch - 1) / t.Recipe.Batch)
		t.state.LearningRate = c.Rate(t.Recipe.Optimizer.LearningRate, t.state.Steps+1, perEpoch*int64(t.Recipe.Epochs), perEpoch)
	}
	began := time.Now()
	b := batches.next()
	n := len(b.labels)
	r, err := t.steps.run(t.state.Steps+1, t.state.LearningRate, b, t.Dataset.Height, t.Dataset.Width)
	batches.give(b)
	if err != nil {
		var diverged *DivergedError
		if errors.As(err, &diverged) { // keep the value that ended the run
			t.Recorder.Log(diverged.Step, map[string]float64{"step_loss": diverged.Loss})
			return errors.Join(err, t.Recorder.Flush())
		}
		return err
	}
	took := time.Since(began).Seconds()
	t.state.add(r, n)
	t.state.Timing.Train += took
	t.state.Timing.EpochTrain += took
	if t.fresh++; t.fresh > warmup {
		t.state.Timing.SteadySeconds += took
		t.state.Timing.SteadyImages += n
		if n == t.Recipe.Batch {
			t.state.Timing.StepMillis = append(t.state.Timing.StepMillis, float32(took*1e3))
		}
	}
	t.report(Event{Phase: Training})
	return t.Recorder.Log(t.state.Steps, map[string]float64{"step_loss": r.loss, "step_ms": took * 1e3})
}
