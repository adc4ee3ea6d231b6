package experiments

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/backend"
	"patchlab/models"
)

// stepper runs training steps: forward, loss, gradients and update in one
// compiled graph a batch size.
type stepper struct {
	net    *Network
	recipe Recipe
	exec   *model.Exec
	spread *spread // nil on one device
}

func newStepper(net *Network, recipe Recipe) (*stepper, error) {
	s := &stepper{net: net, recipe: recipe}
	err := guard("build the training step", func() (err error) {
		s.exec, err = model.NewExec(net.backend, net.store, s.graph)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.exec.WithName("step").SetMaxCache(-1)
	if recipe.Devices > 1 {
		if s.spread, err = newSpread(s.exec, recipe.Devices); err != nil {
			return nil, fmt.Errorf("build the training step for %d devices: %w", recipe.Devices, err)
		}
	}
	return s, nil
}

// graph is one training step. Images are [B, H, W, C] uint8, labels [B] int32,
// rates [4] float32: the two of [AdamW.Rates], what the averages move by
// ([emaRate]), and the share that images and labels keep of themselves where the
// batch is mixed. Seed is a uint32 scalar that decides the dropout masks. It
// returns [3] float32: the mean loss, and how many of the true classes were
// ranked first and among the first five; of a mixed image the true class is the
// one it had before.
func (s *stepper) graph(scope *model.Scope, images, labels, rates, seed *graph.Node) *graph.Node {
	rates.AssertDims(4)
	rate := func(i int) *graph.Node { return graph.Squeeze(graph.Slice(rates, graph.AxisElem(i))) }
	logits := s.net.Config.Logits(scope, images, models.Pass{
		Training: true, Frozen: s.recipe.frozen(), Seed: seed, BFloat16: s.recipe.Precision == BFloat16,
		Kernels: backend.Kernels(images.Graph()),
	})
	truth := graph.OneHot(labels, logits.Shape().Dim(-1), dtypes.Float32) // [B, K]
	target := truth
	if a := s.recipe.Augment; a != nil && a.Mixing != nil {
		target = mixed(target, rate(3))
	}
	if s.recipe.LabelSmoothing > 0 {
		target = smooth(target, s.recipe.LabelSmoothing)
	}
	scored := score
	if backend.Native(images.Graph()) {
		scored = nativeScore
	}
	figures, loss := scored(logits, truth, target)
	s.recipe.Optimizer.Update(scope.Store(), loss, graph.Slice(rates, graph.AxisRange(0, 2)))
	if s.recipe.EMA > 0 {
		average(scope.Store(), s.net.names, loss.Graph(), rate(2))
	}
	donate(scope.Store(), loss.Graph())
	return figures
}

// donate lets a graph write new values of what no gradient reads (moments, averages, statistics) over the old ones.
func donate(store *model.Store, g *graph.Graph) {
	var changed []string
	for v := range store.IterVariables() {
		if !v.ChangedInGraph(g) {
			continue
		}
		if v.Trainable { // gradients of layers below read it: XLA would copy it
			changed = append(changed, "")
		} else {
			changed = append(changed, v.Path())
		}
	}
	backend.Donate(g.Name(), changed)
}

// mixed gives each row of targets [B, K] a share, a scalar, and the rest to the
// row that its image was mixed with: [augment.Mixing.Batch] pairs the first with
// the last.
func mixed(target, share *graph.Node) *graph.Node {
	return graph.Add(graph.Mul(target, share), graph.Mul(graph.Reverse(target, 0), graph.OneMinus(share)))
}

// smooth spreads the share epsilon of targets [B, K] evenly over the classes.
func smooth(target *graph.Node, epsilon float64) *graph.Node {
	return graph.AddScalar(graph.MulScalar(target, 1-epsilon), epsilon/float64(target.Shape().Dim(-1)))
}

// score returns three figures, [3]: the mean cross-entropy of logits [B, K] against
// targets [B, K], and the number of images whose true class, 1 in truth [B, K],
// has rank 1, and rank 5 or better; and the first of them alone, a scalar. A class whose logit equals another's ranks
// before it; [Network.Evaluate] goes by index instead.
func score(logits, truth, target *graph.Node) (figures, loss *graph.Node) {
	loss = graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(target, graph.LogSoftmax(logits, -1)), -1))) // []
	own := graph.ReduceAndKeep(graph.Mul(truth, logits), graph.ReduceSum, -1)                                   // [B, 1]
	above := graph.ReduceSum(graph.ConvertDType(graph.GreaterThan(logits, own), dtypes.Float32), -1)
	within := func(k int) *graph.Node {
		return graph.ReduceAllSum(graph.ConvertDType(graph.LessThan(above, graph.Scalar(above.Graph(), dtypes.Float32, k)), dtypes.Float32))
	}
	return graph.Stack([]*graph.Node{loss, within(1), within(topK)}, 0), loss
}

// nativeScore is score by a kernel of package backend. Instead of the loss it returns a scalar that has the loss's gradient,
// but another value.
func nativeScore(logits, truth, target *graph.Node) (figures, slope *graph.Node) {
	results := backend.Call("score", []*graph.Node{logits, truth, target}, shapes.Make(dtypes.Float32, 3), logits.Shape())
	return results[0], graph.ReduceAllSum(graph.Mul(results[1], logits))
}

// compile compiles the step for a batch size, so that no step's time holds it.
func (s *stepper) compile(batch, height, width int) error {
	_, err := s.compiled(batch, height, width)
	return err
}

// compiled returns the step's graph for a batch size.
func (s *stepper) compiled(batch, height, width int) (g *graph.Graph, err error) {
	err = guard("compile the training step", func() (err error) {
		inputs := []shapes.Shape{s.net.inputShape(batch, height, width), shapes.Make(dtypes.Int32, batch), shapes.Make(dtypes.Float32, 4), shapes.Make(dtypes.Uint32)}
		if s.spread != nil {
			inputs = s.spread.shapes(inputs)
		}
		g, err = s.exec.Compile(inputs...)
		return err
	})
	return g, err
}

// stepResult is what a step tells: the mean loss and the counts of images.
type stepResult struct{ loss, top1, top5 float64 }

// run does step number step, counted from 1, on a batch.
func (s *stepper) run(step int64, learningRate float64, b *batch, height, width int) (stepResult, error) {
	rates := append(s.recipe.Optimizer.Rates(learningRate, step), emaRate(s.recipe.EMA, step), float32(b.share))
	var images *tensors.Tensor
	var err error
	if shape := s.net.inputShape(len(b.labels), height, width); s.spread != nil {
		images = tensors.FromFlatDataAndDimensions(b.images, shape.Dimensions...) // to be divided
	} else if images, err = tensors.FromRaw(s.net.backend, 0, shape, b.images); err != nil {
		return stepResult{}, fmt.Errorf("training step %d: %w", step, err)
	}
	inputs := []*tensors.Tensor{
		images,
		tensors.FromFlatDataAndDimensions(b.labels, len(b.labels)),
		tensors.FromFlatDataAndDimensions(rates, len(rates)),
		tensors.FromScalar(dropoutSeed(s.recipe.Seed, step)),
	}
	var out []*tensors.Tensor
	err = guard(fmt.Sprintf("training step %d", step), func() (err error) {
		out, err = s.call(inputs)
		return err
	})
	if err != nil {
		return stepResult{}, err
	}
	v, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return stepResult{}, fmt.Errorf("training step %d: %w", step, err)
	}
	if err := finalize(append(inputs, out...)...); err != nil {
		return stepResult{}, err
	}
	r := stepResult{loss: float64(v[0]), top1: float64(v[1]), top5: float64(v[2])}
	if math.IsNaN(r.loss) || math.IsInf(r.loss, 0) {
		return r, &DivergedError{Step: step, Loss: r.loss, LearningRate: learningRate}
	}
	return r, nil
}

// call runs the step's graph, and returns its result once a device.
func (s *stepper) call(inputs []*tensors.Tensor) ([]*tensors.Tensor, error) {
	if s.spread == nil {
		return s.exec.Exec(inputs[0], inputs[1], inputs[2], inputs[3])
	}
	shards, err := s.spread.shard(inputs)
	if err != nil {
		return nil, err
	}
	out, err := s.exec.Exec(shards...)
	return out, errors.Join(err, free(shards))
}

// dropoutSeed mixes the run's seed and the step into the 32 bits that decide
// the step's dropout masks, so that they need no state to resume from
// (SplitMix64's finaliser, Steele et al. 2014).
func dropoutSeed(seed, step int64) uint32 {
	z := uint64(seed)*0x9e3779b97f4a7c15 + uint64(step)*0xd1342543de82ef95
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return uint32((z ^ z>>31) >> 32)
}

// DivergedError says that the loss stopped being a finite number.
type DivergedError struct {
	Step         int64 // counted from 1
	Loss         float64
	LearningRate float64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("the loss is %g at step %d: training diverged; try a learning rate below %g", e.Loss, e.Step, e.LearningRate)
}
