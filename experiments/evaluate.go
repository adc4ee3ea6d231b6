package experiments

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"patchlab/datasets"
)

// Evaluation is a network's result on labelled images, each used once.
type Evaluation struct {
	Images int
	// Loss is the mean cross-entropy in nats, Top1 and Top5 fractions of 1.
	Loss, Top1, Top5 float64
	// Predictions holds one entry an image, in the order of the images.
	Predictions []Prediction
	// Duration is the wall time of the passes, data loading included and
	// compilation not.
	Duration time.Duration
}

// ImagesPerSecond is the inference throughput.
func (e Evaluation) ImagesPerSecond() float64 { return float64(e.Images) / e.Duration.Seconds() }

// Prediction is the network's answer to one image.
type Prediction struct {
	Label int // the true class
	// Classes are the most probable ones, best first, at most five.
	Classes []int
	// Probabilities are theirs, in the same order.
	Probabilities []float64
	// LabelProbability is the true class's.
	LabelProbability float64
}

// topK is how many classes a prediction ranks.
const topK = 5

// Evaluate runs the network on every image of a split once. Height and width
// are the images'.
func (n *Network) Evaluate(ctx context.Context, s datasets.Split, height, width, batch int) (Evaluation, error) {
	if s.Len() == 0 || batch < 1 {
		return Evaluation{}, fmt.Errorf("evaluate: %d images in batches of %d; both must be 1 or more", s.Len(), batch)
	}
	if err := n.compile(batch, height, width); err != nil {
		return Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	began := time.Now()
	logits, err := n.Logits(ctx, s.Images, height, width, batch)
	if err != nil {
		return Evaluation{}, fmt.Errorf("evaluate: %w", err)
	}
	e := Evaluation{Images: s.Len(), Duration: time.Since(began), Predictions: make([]Prediction, s.Len())}
	classes := n.Config.Classes
	for i := range e.Predictions {
		p := rank(logits[i*classes : (i+1)*classes])
		p.Label = int(s.Labels[i])
		row := logits[i*classes : (i+1)*classes]
		loss := logSumExp(row) - float64(row[p.Label])
		p.LabelProbability = math.Exp(-loss)
		e.Predictions[i] = p
		e.Loss += loss
		if p.Classes[0] == p.Label {
			e.Top1++
		}
		if slices.Contains(p.Classes, p.Label) {
			e.Top5++
		}
	}
	count := float64(e.Images)
	e.Loss, e.Top1, e.Top5 = e.Loss/count, e.Top1/count, e.Top5/count
	return e, nil
}

// rank orders the classes of one image by their logits; equal ones by their index.
func rank(logits []float32) Prediction {
	order := make([]int, len(logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	p := Prediction{Label: -1, Classes: order[:min(topK, len(order))]}
	total := logSumExp(logits)
	for _, c := range p.Classes {
		p.Probabilities = append(p.Probabilities, math.Exp(float64(logits[c])-total))
	}
	return p
}

// logSumExp is log Σ exp(x), computed without overflow.
func logSumExp(x []float32) float64 {
	top := float64(slices.Max(x))
	sum := 0.
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// Rank returns the prediction of each of the images whose logits are given,
// [count][classes] flattened; their Label is -1.
func Rank(logits []float32, classes int) []Prediction {
	var out []Prediction
	for row := range slices.Chunk(logits, classes) {
		out = append(out, rank(row))
	}
	return out
}

// WritePredictions writes one row an image: its index, true label, the classes
// by rank, and the probability that the network gave to the true one.
func WritePredictions(w io.Writer, predictions []Prediction) error {
	out := csv.NewWriter(w)
	out.Write([]string{"index", "label", "top1", "top2", "top3", "top4", "top5", "p_label"})
	for i, p := range predictions {
		row := make([]string, 8)
		row[0], row[1] = strconv.Itoa(i), strconv.Itoa(p.Label)
		for k, c := range p.Classes {
			row[2+k] = strconv.Itoa(c)
		}
		row[7] = strconv.FormatFloat(p.LabelProbability, 'g', 6, 64)
		out.Write(row)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write predictions: %w", err)
	}
	return nil
}
