package keep

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// A tensor is written as the name of its element type, its dimensions, and its memory.

func (e *encoder) tensor(t *tensors.Tensor) error {
	if err := errors.Join(e.bytes([]byte(t.DType().String())), e.uvarint(uint64(t.Rank()))); err != nil {
		return err
	}
	for _, n := range t.Shape().Dimensions {
		if err := e.uvarint(uint64(n)); err != nil {
			return err
		}
	}
	if t.Size() == 0 {
		return nil
	}
	var writing error
	err := t.ConstBytes(func(data []byte) { writing = e.bytes(data) })
	return errors.Join(err, writing)
}

func (d *decoder) tensor() (t *tensors.Tensor, err error) {
	name, err := d.bytes()
	if err != nil {
		return nil, err
	}
	dtype, ok := dtypes.MapOfNames[string(name)]
	if !ok {
		return nil, fmt.Errorf("a tensor of the type %q, which this GoMLX does not know", name)
	}
	rank, err := d.length(1)
	if err != nil {
		return nil, err
	}
	dims, size := make([]int, rank), int64(1)
	for i := range dims {
		n, err := d.uvarint()
		if err != nil || n > math.MaxInt64>>8 || n > 0 && uint64(size) > uint64(d.left)*8/n {
			return nil, errDamaged
		}
		dims[i] = int(n)
		size *= int64(n)
	}
	t = tensors.FromShape(shapes.Make(dtype, dims...))
	if size == 0 {
		return t, nil
	}
	n, err := d.length(1)
	if err != nil {
		return nil, err
	}
	var reading error
	err = t.MutableBytes(func(data []byte) {
		if reading = errDamaged; len(data) == n {
			reading = d.fill(data)
		}
	})
	return t, errors.Join(err, reading)
}
