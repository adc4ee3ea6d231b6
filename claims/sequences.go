package claims

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"patchlab/compare/stats"
	"patchlab/experiments"
	"patchlab/lab"
	"patchlab/models"
	"patchlab/tracker"
)

// The task of the first section: sequences to be written the other way round.
const (
	short, long = 4, 10 // symbols
	symbols     = 8
)

// bottleneck: section 1, Introduction.
func bottleneck() Claim {
	return Claim{
		Name: "bottleneck", Section: "1 Introduction",
		Statement: "Attention cures the seq2seq bottleneck.",
		Method: fmt.Sprintf("Encoder-decoders of 48 hidden units learn to reverse sequences of %d and of %d out of %d symbols: "+
			"share of symbols right in 100 fresh sequences, the same seed with and without attention.", short, long, symbols),
		parts: []Part{
			{What: "what attention gains on long sequences (points)", Region: above(10)},
			{What: "what attention loses from short to long (points)", Region: below(10)},
		},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			var gains, losses []float64
			means := map[string]float64{}
			err := b.each(func(seed int64) error {
				right := map[string]float64{}
				for _, length := range []int{short, long} {
					for _, attention := range []bool{true, false} {
						share, err := b.reverse(ctx, attention, length, seed)
						if err != nil {
							return err
						}
						key := fmt.Sprint(attention, length)
						right[key] = share
						means[key] += share / float64(b.Scale.Seeds)
					}
				}
				gains = append(gains, right[fmt.Sprint(true, long)]-right[fmt.Sprint(false, long)])
				losses = append(losses, right[fmt.Sprint(true, short)]-right[fmt.Sprint(true, long)])
				return nil
			})
			return Measured{[][]float64{gains, losses}, []string{fmt.Sprintf(
				"mean share right after %d steps: with attention %s %% of short and %s %% of long, without %s and %s %%", b.Scale.Steps,
				number(means[fmt.Sprint(true, short)]), number(means[fmt.Sprint(true, long)]),
				number(means[fmt.Sprint(false, short)]), number(means[fmt.Sprint(false, long)]))}}, err
		},
	}
}

// reverse trains a network, or finds it trained, and gives the share of symbols
// that it gets right, in percent.
func (b *Bench) reverse(ctx context.Context, attention bool, length int, seed int64) (share float64, err error) {
	params := map[string]string{
		"model": fmt.Sprintf("seq2seq(attention=%v)", attention), "task": "reverse", "length": fmt.Sprint(length),
		"steps": fmt.Sprint(b.Scale.Steps), "seed": fmt.Sprint(seed),
	}
	begun, err := b.runs(ctx, func(r tracker.RunInfo) bool {
		for key, value := range params {
			if r.Params[key] != value {
				return false
			}
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	r, found := b.finished(begun)
	if !found {
		with := map[bool]string{true: "with", false: "without"}[attention]
		b.Say("reversing %d symbols %s attention, seed %d of %d", length, with, seed, b.Scale.Seeds)
		run, err := lab.Start(ctx, b.DB, tracker.Spec{
			Experiment: Experiment, Name: fmt.Sprintf("reverse-%d-%s-attention-%d", length, with, seed), Environment: b.env,
		}, b.diff)
		if err != nil {
			return 0, err
		}
		err = errors.Join(run.SetParams(params), b.learn(ctx, run, attention, length, seed))
		status := tracker.Finished
		if err != nil {
			status = tracker.Failed
		}
		if ctx.Err() != nil {
			status = tracker.Killed
		}
		if err := errors.Join(err, run.Finish(status)); err != nil {
			return 0, err
		}
		if r, err = b.trainedNow(ctx, run); err != nil {
			return 0, err
		}
	}
	return r.Metrics[symbolsRight].Value, nil
}

// symbolsRight is the metric of the share of symbols that a network gets right, in
// percent.
const symbolsRight = "symbols_right"

// learn trains a network to reverse and logs what it gets right.
func (b *Bench) learn(ctx context.Context, run *tracker.Run, attention bool, length int, seed int64) error {
	optimizer := experiments.DefaultAdamW(.005)
	optimizer.WeightDecay = 0
	net, err := experiments.NewTranslator(b.Backend, models.Seq2Seq{Symbols: symbols, Embed: 16, Hidden: 48, Attention: attention}, optimizer, seed)
	if err != nil {
		return err
	}
	defer net.Close()
	began := time.Now()
	random := rand.New(rand.NewPCG(uint64(seed), uint64(length)))
	for step := range b.Scale.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		loss, err := net.Step(reversals(random, 64, length))
		if err != nil {
			return err
		}
		if err := run.Log(int64(step+1), map[string]float64{"step_loss": loss}); err != nil {
			return err
		}
	}
	trained := time.Since(began)
	sources, targets := reversals(random, 100, length)
	written, _, err := net.Translate(sources, length)
	if err != nil {
		return err
	}
	right := 0
	for i, target := range targets {
		for j, symbol := range target {
			if j < len(written[i]) && written[i][j] == symbol {
				right++
			}
		}
	}
	share := float64(right) / float64(length) // of 100 sequences, in percent
	return run.Log(int64(b.Scale.Steps), map[string]float64{symbolsRight: share, trainSeconds: trained.Seconds()})
}

// reversals draws sequences and the same the other way round.
func reversals(random *rand.Rand, count, length int) (sources, targets [][]int32) {
	for range count {
		source := make([]int32, length)
		for i := range source {
			source[i] = 1 + random.Int32N(symbols)
		}
		target := slices.Clone(source)
		slices.Reverse(target)
		sources, targets = append(sources, source), append(targets, target)
	}
	return sources, targets
}

// interval writes a sample's mean with its interval.
func interval(values []float64) (string, error) {
	i, err := stats.MeanT(values, level)
	return fmt.Sprintf("%s (%s to %s)", number(stats.Describe(values).Mean), number(i.Low), number(i.High)), err
}
