package experiments

import (
	"fmt"
	"math"
)

// Cosine sets the learning rate anew at each step: it rises linearly over Warmup
// epochs (Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2), then
// falls along half a cosine (Loshchilov and Hutter 2017, "SGDR", equation 5, one
// period). With S steps an epoch, W = Warmup·S and T = Epochs·S, the rate of step
// s, counted from 1, is
//
//	η·s/W                                                  for s ≤ W
//	η·(Final + (1 − Final)·(1 + cos(π(s−1−W)/(T−W)))/2)    after
type Cosine struct {
	Warmup float64 `json:"warmup"`          // epochs, fractions allowed
	Final  float64 `json:"final,omitempty"` // of the peak η, approached at the end
}

// Rate is the learning rate of a step, counted from 1, of so many in all.
func (c Cosine) Rate(peak float64, step, total, stepsPerEpoch int64) float64 {
	warm := c.Warmup * float64(stepsPerEpoch)
	s := float64(step)
	if s <= warm {
		return peak * s / warm
	}
	along := (s - 1 - warm) / (float64(total) - warm)
	return peak * (c.Final + (1-c.Final)*(1+math.Cos(math.Pi*max(along, 0)))/2)
}

func (c Cosine) validate(epochs int) error {
	if !(c.Warmup >= 0 && c.Warmup < float64(epochs)) {
		return fmt.Errorf("warm-up of %g epochs; allowed: 0 or more, fewer than the %d that are trained", c.Warmup, epochs)
	}
	if !(c.Final >= 0 && c.Final <= 1) {
		return fmt.Errorf("cosine: final fraction %g of the learning rate; allowed: 0 to 1", c.Final)
	}
	return nil
}

// Plateau multiplies the learning rate by Factor after Patience epochs in
// which the validation loss did not fall by more than MinDelta: Keras's
// ReduceLROnPlateau with its defaults of cooldown 0 and no lower bound.
type Plateau struct {
	Factor   float64 `json:"factor"`
	Patience int     `json:"patience"`
	MinDelta float64 `json:"min_delta"`
}

// EarlyStopping ends training after Patience epochs without a lower validation
// loss: Keras's EarlyStopping with min_delta 0. Unlike Keras 2's
// restore_best_weights, [Keep] also holds for a run that ends after all its
// epochs.
type EarlyStopping struct {
	Patience int `json:"patience"`
}

// stall counts the epochs since the lowest loss. Its zero value has seen none.
type stall struct {
	Seen bool    `json:"seen"`
	Best float64 `json:"best"`
	Wait int     `json:"wait"`
}

// observe takes an epoch's loss and reports whether patience has run out.
func (s *stall) observe(loss, minDelta float64, patience int) bool {
	if !s.Seen || loss < s.Best-minDelta {
		*s = stall{Seen: true, Best: loss}
		return false
	}
	if math.IsNaN(loss) {
		return false
	}
	s.Wait++
	return s.Wait >= patience
}
