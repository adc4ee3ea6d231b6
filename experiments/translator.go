package experiments

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/models"
)

// Translator is a network of sequences with its weights on a backend. It is
// not safe for concurrent use.
type Translator struct {
	Config    models.Seq2Seq
	Optimizer AdamW
	store     *model.Store
	step      *model.Exec
	forward   *model.Exec
	steps     int64
}

// NewTranslator returns a network with initial weights drawn from the seed,
// to be trained with the optimiser.
func NewTranslator(backend compute.Backend, config models.Seq2Seq, optimizer AdamW, seed int64) (*Translator, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("build translator: %w", err)
	}
	if err := optimizer.validate(); err != nil {
		return nil, fmt.Errorf("build translator: %w", err)
	}
	t := &Translator{Config: config, Optimizer: optimizer, store: model.NewStore()}
	t.store.SetParam("/"+models.ParamSeed, seed)
	err := guard("build translator", func() (err error) {
		if t.step, err = model.NewExec(backend, t.store, t.stepGraph); err != nil {
			return err
		}
		t.forward, err = model.NewExec(backend, t.store, t.forwardGraph)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.step.WithName("step").SetMaxCache(-1)
	t.forward.WithName("forward").SetMaxCache(-1)
	return t, nil
}

// Close frees the compiled graphs and the weights.
func (t *Translator) Close() {
	t.step.Finalize()
	t.forward.Finalize()
	t.store.Finalize()
}

// stepGraph is one training step: the mean cross-entropy [] of every symbol of
// the targets and of the padding that ends each.
func (t *Translator) stepGraph(scope *model.Scope, source, target, rates *graph.Node) *graph.Node {
	logits, _ := t.Config.Logits(scope, source, target)                                      // [B, T, Symbols+1]
	truth := graph.OneHot(target, t.Config.Symbols+1, dtypes.Float32)                        // [B, T, Symbols+1]
	losses := graph.Neg(graph.ReduceSum(graph.Mul(truth, graph.LogSoftmax(logits, -1)), -1)) // [B, T]
	batch, steps := target.Shape().Dim(0), target.Shape().Dim(1)
	before := graph.Concatenate([]*graph.Node{graph.Ones(target.Graph(), shapes.Make(dtypes.Int32, batch, 1)),
		graph.Slice(target, graph.AxisRange(), graph.AxisRange(0, steps-1))}, 1)
	counts := graph.ConvertDType(graph.NotEqual(before, graph.ZerosLike(before)), dtypes.Float32)
	loss := graph.Div(graph.ReduceAllSum(graph.Mul(losses, counts)), graph.ReduceAllSum(counts))
	t.Optimizer.Update(scope.Store(), loss, rates)
	return loss
}

func (t *Translator) forwardGraph(scope *model.Scope, source, written *graph.Node) []*graph.Node {
	logits, alignment := t.Config.Logits(scope, source, written)
	best := graph.ArgMax(logits, -1, dtypes.Int32) // [B, T]
	if alignment == nil {
		return []*graph.Node{best}
	}
	return []*graph.Node{best, alignment}
}

// Step trains on one batch of sequences and returns the loss before the
// update. Sequences of symbols 1 to Symbols may be of different lengths; each
// new pair of longest lengths is compiled anew.
func (t *Translator) Step(sources, targets [][]int32) (loss float64, err error) {
	source, err := t.pad("source", sources, longest(sources))
	if err != nil {
		return 0, err
	}
	target, err := t.pad("target", targets, longest(targets)+1)
	if err != nil {
		return 0, err
	}
	if len(sources) != len(targets) {
		return 0, fmt.Errorf("train translator: %d sources but %d targets", len(sources), len(targets))
	}
	t.steps++
	rates := tensors.FromFlatDataAndDimensions(t.Optimizer.Rates(t.Optimizer.LearningRate, t.steps), 2)
	var out []*tensors.Tensor
	err = guard(fmt.Sprintf("training step %d", t.steps), func() (err error) {
		out, err = t.step.Exec(source, target, rates)
		return err
	})
	if err != nil {
		return 0, err
	}
	loss = float64(tensors.ToScalar[float32](out[0]))
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, &DivergedError{Step: t.steps, Loss: loss, LearningRate: t.Optimizer.LearningRate}
	}
	return loss, finalize(source, target, rates, out[0])
}

// Translate writes a target of at most length symbols for each source, always
// the likeliest next symbol. Alignment [source][symbol written][symbol read]
// holds the weights of the attention; nil without.
func (t *Translator) Translate(sources [][]int32, length int) (targets [][]int32, alignment [][][]float32, err error) {
	source, err := t.pad("source", sources, longest(sources))
	if err != nil {
		return nil, nil, err
	}
	if length < 1 {
		return nil, nil, fmt.Errorf("translate: length %d; allowed: 1 or more", length)
	}
	written := make([]int32, len(sources)*length)
	var weights [][][]float32
	for i := range length {
		input := tensors.FromFlatDataAndDimensions(written, len(sources), length)
		var out []*tensors.Tensor
		err := guard("translate", func() (err error) {
			out, err = t.forward.Exec(source, input)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		best := out[0].Value().([][]int32)
		for b := range sources {
			if i == 0 || written[b*length+i-1] != models.Padding { // what has ended stays so
				written[b*length+i] = best[b][i]
			}
		}
		if len(out) > 1 && i == length-1 {
			weights = out[1].Value().([][][]float32)
		}
		if err := finalize(append(out, input)...); err != nil {
			return nil, nil, err
		}
	}
	for b := range sources {
		target := written[b*length : (b+1)*length]
		for i, symbol := range target {
			if symbol == models.Padding {
				target = target[:i]
				break
			}
		}
		targets = append(targets, target)
		if weights != nil {
			rows := weights[b][:len(target)]
			for i := range rows {
				rows[i] = rows[i][:len(sources[b])]
			}
			alignment = append(alignment, rows)
		}
	}
	return targets, alignment, finalize(source)
}

func longest(sequences [][]int32) int {
	n := 0
	for _, s := range sequences {
		n = max(n, len(s))
	}
	return n
}

// pad lays sequences out as [B, width] int32.
func (t *Translator) pad(what string, sequences [][]int32, width int) (*tensors.Tensor, error) {
	flat := make([]int32, len(sequences)*width)
	for b, s := range sequences {
		if len(s) == 0 {
			return nil, fmt.Errorf("translator: %s %d is empty", what, b)
		}
		for i, symbol := range s {
			if symbol < 1 || int(symbol) > t.Config.Symbols {
				return nil, fmt.Errorf("translator: %s %d holds symbol %d; allowed: 1 to %d", what, b, symbol, t.Config.Symbols)
			}
			flat[b*width+i] = symbol
		}
	}
	if len(flat) == 0 {
		return nil, fmt.Errorf("translator: no %s is given", what)
	}
	return tensors.FromFlatDataAndDimensions(flat, len(sequences), width), nil
}
