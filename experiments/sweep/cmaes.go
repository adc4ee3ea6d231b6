package sweep

import (
	"fmt"

	"github.com/c-bata/goptuna/cmaes"
	"gonum.org/v1/gonum/mat"
)

// stepSize is the first standard deviation in the unit cube, around its middle
// (Loshchilov & Hutter 2016, section 3).
const stepSize = .2

// evolution is CMA-ES on the unit cube, a generation at a time. The points of a
// generation depend on the seed and on the ranks of those before alone, so that
// the same results lead to the same points, in whatever order they come.
type evolution struct {
	optimizer *cmaes.Optimizer
	asked     []*cmaes.Solution // the generation under way
}

func newEvolution(dim int, seed uint64) (*evolution, error) {
	middle, bounds := make([]float64, dim), mat.NewDense(dim, 2, nil)
	for i := range middle {
		middle[i] = .5
		bounds.Set(i, 1, 1)
	}
	optimizer, err := cmaes.NewOptimizer(middle, stepSize, cmaes.OptimizerOptionSeed(int64(seed)), cmaes.OptimizerOptionBounds(bounds))
	if err != nil {
		return nil, fmt.Errorf("beginning CMA-ES: %w", err)
	}
	e := &evolution{optimizer: optimizer}
	return e, e.ask()
}

// ask draws a generation.
func (e *evolution) ask() error {
	e.asked = nil
	for range e.optimizer.PopulationSize() {
		x, err := e.optimizer.Ask()
		if err != nil {
			return fmt.Errorf("drawing from CMA-ES: %w", err)
		}
		e.asked = append(e.asked, &cmaes.Solution{Params: x})
	}
	return nil
}

// tell takes the rank of each point, 0 for the best, and draws the next
// generation. CMA-ES goes by ranks alone.
func (e *evolution) tell(ranks []int) error {
	for i, s := range e.asked {
		s.Value = float64(ranks[i])
	}
	if err := e.optimizer.Tell(e.asked); err != nil {
		return fmt.Errorf("telling CMA-ES: %w", err)
	}
	return e.ask()
}
