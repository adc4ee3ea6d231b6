package rerun

import (
	"context"
	"errors"
	"fmt"
	"math"

	"patchlab/compare"
	"patchlab/tracker"
)

// Outcome says in a word whether a run that was made again came to the same.
type Outcome string

// The outcomes of a rerun.
const (
	Reproduced Outcome = "reproduced" // bit for bit: every loss, accuracy and weight
	Within     Outcome = "within tolerance"
	Differs    Outcome = "not reproduced"
)

// Verdict is what setting a run beside its rerun has shown.
type Verdict struct {
	Outcome  Outcome
	Sentence string // the outcome with its reason, such as "not reproduced: the runs have different steps"
}

// Tags that keep a rerun's verdict.
const (
	TagOf      = "rerun.of"      // on the new run: the old one's ID
	TagBy      = "rerun.by"      // on the old run: the last rerun's ID
	TagOutcome = "rerun.outcome" // on both
	TagVerdict = "rerun.verdict" // on both: the sentence
)

// Judge sets a run beside its rerun. The tolerance is the largest difference of an
// epoch's loss or accuracy (a fraction), and of a result, that still is [Within];
// what measures the machine counts for nothing.
func Judge(ctx context.Context, src compare.Source, old, again tracker.RunInfo, tolerance float64) (Verdict, error) {
	var weights [2]string
	for i, run := range [...]tracker.RunInfo{old, again} {
		artifacts, err := src.Artifacts(ctx, run.ID)
		if err != nil {
			return Verdict{}, err
		}
		for _, a := range artifacts {
			if a.Name == "weights.safetensors" {
				weights[i] = a.SHA256
			}
		}
	}
	diff, err := compare.DiffRuns(ctx, src, old, again, 1)
	if err != nil {
		return Verdict{}, err
	}
	return judge(diff, weights[0] == weights[1], tolerance), nil
}

// Store tags a run and its rerun, by their IDs, with the verdict.
func (v Verdict) Store(ctx context.Context, db *tracker.DB, old, again string) error {
	return errors.Join(
		db.SetTags(ctx, again, map[string]string{TagOutcome: string(v.Outcome), TagVerdict: v.Sentence}),
		db.SetTags(ctx, old, map[string]string{TagOutcome: string(v.Outcome), TagVerdict: v.Sentence, TagBy: again}))
}

// Stored is the verdict that a run carries; an error where it carries none.
func Stored(run tracker.RunInfo) (Verdict, error) {
	v := Verdict{Outcome(run.Tags[TagOutcome]), run.Tags[TagVerdict]}
	switch v.Outcome {
	case Reproduced, Within, Differs:
		return v, nil
	}
	return Verdict{}, fmt.Errorf("run %s carries no verdict: its tag %s is %q; known: %s, %s, %s", run.Name, TagOutcome, v.Outcome, Reproduced, Within, Differs)
}

// judge is the verdict over the histories and results of two runs.
func judge(diff *compare.Diff, sameWeights bool, tolerance float64) Verdict {
	same, sameSteps := sameWeights, true
	var first *compare.CurveChange // the one that departs at the earliest training step
	largest := 0.
	curves := map[string]bool{}
	for i, c := range diff.Curves {
		curves[c.Key] = true
		if compare.Timed(c.Key) {
			continue
		}
		if c.OnlyA > 0 || c.OnlyB > 0 {
			same, sameSteps = false, false
		}
		if c.First == nil {
			continue
		}
		same = false
		if c.Key == "step_loss" {
			first = &diff.Curves[i]
		} else {
			if first == nil || first.Key != "step_loss" && *c.First < *first.First {
				first = &diff.Curves[i]
			}
			largest = max(largest, float64(c.Largest))
		}
	}
	result := "" // the one that differs most, of those that have no curve, such as the test accuracy
	worst := 0.
	for _, r := range diff.Results {
		if r.Same || compare.Timed(r.Key) || curves[r.Key] {
			continue
		}
		same = false
		if r.Key == "best_epoch" && first != nil { // of two epochs that are as good, the last bits choose
			continue
		}
		off := math.Abs(float64(r.Diff))
		if math.IsNaN(off) { // one run lacks it
			off = math.Inf(1)
		}
		if result == "" || off > worst {
			result, worst = r.Key, off
		}
	}
	departs := ""
	if first != nil {
		departs = fmt.Sprintf("%s first departs at step %d, by at most %.3g", first.Key, *first.First, float64(first.Largest))
		if math.IsInf(float64(first.Largest), 1) {
			departs = fmt.Sprintf("%s first departs at step %d, and at step %d is finite in one run alone", first.Key, *first.First, first.At)
		}
	}
	because := func(o Outcome, format string, args ...any) Verdict {
		return Verdict{o, string(o) + ": " + fmt.Sprintf(format, args...)}
	}
	switch {
	case same:
		return Verdict{Reproduced, "reproduced bit for bit"}
	case !sameSteps:
		return because(Differs, "the runs have different steps")
	case math.IsInf(largest, 1):
		return because(Differs, "%s", departs)
	case math.IsInf(worst, 1):
		return because(Differs, "%s has a value in one run alone", result)
	case worst > tolerance && worst >= largest:
		return because(Differs, "%s differs by %.3g", result, worst)
	case largest > tolerance:
		return because(Differs, "an epoch differs by %.3g; %s", largest, departs)
	case departs != "":
		return because(Within, "no epoch differs by more than %.3g; %s", max(largest, worst), departs)
	case result != "":
		return because(Within, "the same losses in training, but %s differs by %.3g", result, worst)
	default:
		return because(Within, "the same losses, other weights")
	}
}
