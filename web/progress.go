package web

import (
	"math"
	"strconv"
	"time"

	"patchlab/tracker"
)

// progress is how far a run is. Training writes the parameter epochs, after each
// epoch the metric train_seconds, whose step is the epoch, and after each step
// step_loss; runs of other programs lack them and have no progress.
type progress struct {
	Epoch, Epochs int64
	Fraction      float64       // of all epochs, between 0 and 1
	Left          time.Duration // 0: unknown, or nothing is left
}

func progressOf(r *tracker.RunInfo, now time.Time) (p progress, ok bool) {
	p.Epochs, _ = strconv.ParseInt(r.Params["epochs"], 10, 64)
	if p.Epochs <= 0 {
		return p, false
	}
	took, trained := r.Metrics["train_seconds"]
	if trained {
		p.Epoch = min(max(took.Step, 0), p.Epochs)
	}
	p.Fraction = float64(p.Epoch) / float64(p.Epochs)
	if steps := stepsPerEpoch(r.Params); steps > 0 && p.Epoch < p.Epochs {
		done := float64(r.Metrics["step_loss"].Step) / (steps * float64(p.Epochs))
		within := float64(p.Epoch+1) / float64(p.Epochs)
		p.Fraction = math.Max(p.Fraction, math.Min(done, within))
	}
	if r.Status != tracker.Running {
		return p, true
	}
	left := math.NaN()
	if epoch := took.Value + r.Metrics["eval_seconds"].Value; trained && epoch > 0 {
		left = (1 - p.Fraction) * float64(p.Epochs) * epoch
	} else if p.Fraction > 0 {
		left = now.Sub(r.Start).Seconds() / p.Fraction * (1 - p.Fraction)
	}
	if left >= 0 && left < math.MaxInt32 {
		p.Left = time.Duration(left * float64(time.Second))
	}
	return p, true
}

// stepsPerEpoch is how many batches the training images make, 0 if unknown.
func stepsPerEpoch(params map[string]string) float64 {
	images, _ := strconv.ParseFloat(params["train_images"], 64)
	batch, _ := strconv.ParseFloat(params["batch"], 64)
	if !(images > 0 && batch > 0) {
		return 0
	}
	return math.Ceil(images / batch)
}

// elapsed is how long a run took, or has taken so far. A crashed run took until
// its last point.
func elapsed(r *tracker.RunInfo, now time.Time) time.Duration {
	switch {
	case !r.End.IsZero():
		return r.End.Sub(r.Start)
	case r.Status == tracker.Running:
		return now.Sub(r.Start)
	}
	last := r.Start
	for _, m := range r.Metrics {
		if m.Time.After(last) {
			last = m.Time
		}
	}
	return last.Sub(r.Start)
}
