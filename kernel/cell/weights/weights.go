package weights

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"patchlab/kernel/cell/keep"
	"patchlab/kernel/cell/track"
)

// Model is a store as it is kept.
type Model struct {
	Variables []Variable
	Params    map[string]any // by path
}

// Variable is a variable of a store.
type Variable struct {
	Path      string
	Trainable bool
	Value     *tensors.Tensor
}

// Keep keeps a store's variables and parameters under a name, in place of what had the name. It stops the cell where a
// parameter is none that can be kept, such as a function.
func Keep(name string, store *model.Store) {
	m, err := of(store)
	if err != nil {
		panic(fmt.Errorf("weights: %q cannot be kept: %w", name, err))
	}
	keep.Value(name, m)
}

func of(store *model.Store) (Model, error) {
	m := Model{Params: map[string]any{}}
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return m, fmt.Errorf("variable %s: %w", v.Path(), err)
		}
		m.Variables = append(m.Variables, Variable{v.Path(), v.Trainable, value})
	}
	for path, value := range store.IterParams() {
		m.Params[path] = value
	}
	return m, nil
}

// Get returns a new store with what was kept under a name. It stops the cell where there is nothing.
func Get(name string) *model.Store {
	store := model.NewStore()
	Restore(name, store)
	return store
}

// Restore gives a store what was kept under a name: variables that it has get the kept values, the others are made. It
// stops the cell where a variable has another shape.
func Restore(name string, store *model.Store) { restore(name, keep.Get[Model](name), store) }

// FromRun is Get for a model that a run of the tracker has (by track's Keep): the run's name, its ID or "latest".
func FromRun(run, name string) *model.Store {
	store := model.NewStore()
	restore(name, track.Get[Model](run, name), store)
	return store
}

func restore(name string, m Model, store *model.Store) {
	for _, kept := range m.Variables {
		if err := kept.into(store); err != nil {
			panic(fmt.Errorf("weights: %q: variable %s: %w", name, kept.Path, err))
		}
	}
	for path, value := range m.Params {
		store.SetParam(path, value)
	}
}

func (kept Variable) into(store *model.Store) error {
	v := store.GetVariable(kept.Path)
	if v == nil {
		made, err := store.CreateVariable(kept.Path, kept.Value)
		if err != nil {
			return err
		}
		made.SetTrainable(kept.Trainable)
		return nil
	}
	if !v.Shape().Equal(kept.Value.Shape()) {
		return fmt.Errorf("it is %s here and was kept as %s", v.Shape(), kept.Value.Shape())
	}
	v.SetTrainable(kept.Trainable)
	return v.SetValue(kept.Value)
}
