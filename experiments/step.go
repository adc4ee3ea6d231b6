package experiments

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/models"
)

// stepper runs training steps: forward, loss, gradients and update in one
// compiled graph a batch size.
type stepper struct {
	net    *Network
	recipe Recipe
	exec   *model.Exec
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
	return s, nil
}

// graph is one training step. Images are [B, H, W, C] uint8, labels [B] int32,
// rates [2] float32 from [AdamW.Rates], seed a uint32 scalar that decides the
// dropout masks. It returns [3] float32: the mean loss, and how many of the
// true classes were ranked first and among the first five.
func (s *stepper) graph(scope *model.Scope, images, labels, rates, seed *graph.Node) *graph.Node {
	logits := s.net.Config.Logits(scope, images, models.Pass{Training: true, Seed: seed})
	loss, top1, top5 := score(logits, labels)
	s.recipe.Optimizer.Update(scope.Store(), loss, rates)
	return graph.Stack([]*graph.Node{loss, top1, top5}, 0)
}

// score returns three scalars: the mean cross-entropy of logits [B, K] against
// labels [B], and the number of labels of rank 1 and of rank 5 or better. A
// label whose logit equals another's ranks before it; [Network.Evaluate] goes by
// index instead.
func score(logits, labels *graph.Node) (loss, top1, top5 *graph.Node) {
	classes := logits.Shape().Dim(-1)
	truth := graph.OneHot(labels, classes, dtypes.Float32)                                                     // [B, K]
	loss = graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(truth, graph.LogSoftmax(logits, -1)), -1))) // []
	own := graph.ReduceAndKeep(graph.Mul(truth, logits), graph.ReduceSum, -1)                                  // [B, 1]
	above := graph.ReduceSum(graph.ConvertDType(graph.GreaterThan(logits, own), dtypes.Float32), -1)
	within := func(k int) *graph.Node {
		return graph.ReduceAllSum(graph.ConvertDType(graph.LessThan(above, graph.Scalar(above.Graph(), dtypes.Float32, k)), dtypes.Float32))
	}
	return loss, within(1), within(topK)
}

// compile compiles the step for a batch size, so that no step's time holds it.
func (s *stepper) compile(batch, height, width int) error {
	_, err := s.compiled(batch, height, width)
	return err
}

// compiled returns the step's graph for a batch size.
func (s *stepper) compiled(batch, height, width int) (g *graph.Graph, err error) {
	err = guard("compile the training step", func() (err error) {
		g, err = s.exec.Compile(s.net.inputShape(batch, height, width), shapes.Make(dtypes.Int32, batch),
			shapes.Make(dtypes.Float32, 2), shapes.Make(dtypes.Uint32))
		return err
	})
	return g, err
}

// stepResult is what a step tells: the mean loss and the counts of images.
type stepResult struct{ loss, top1, top5 float64 }

// run does step number step, counted from 1, on the images given.
func (s *stepper) run(step int64, learningRate float64, images []uint8, height, width int, labels []int32) (stepResult, error) {
	inputs := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(images, len(labels), height, width, s.net.Config.Channels),
		tensors.FromFlatDataAndDimensions(labels, len(labels)),
		tensors.FromFlatDataAndDimensions(s.recipe.Optimizer.Rates(learningRate, step), 2),
		tensors.FromScalar(dropoutSeed(s.recipe.Seed, step)),
	}
	var out []*tensors.Tensor
	err := guard(fmt.Sprintf("training step %d", step), func() (err error) {
		out, err = s.exec.Exec(inputs[0], inputs[1], inputs[2], inputs[3])
		return err
	})
	if err != nil {
		return stepResult{}, err
	}
	v, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return stepResult{}, fmt.Errorf("training step %d: %w", step, err)
	}
	if err := finalize(append(inputs, out[0])...); err != nil {
		return stepResult{}, err
	}
	r := stepResult{loss: float64(v[0]), top1: float64(v[1]), top5: float64(v[2])}
	if math.IsNaN(r.loss) || math.IsInf(r.loss, 0) {
		return r, &DivergedError{Step: step, Loss: r.loss, LearningRate: learningRate}
	}
	return r, nil
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
