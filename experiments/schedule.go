package experiments

import "math"

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
