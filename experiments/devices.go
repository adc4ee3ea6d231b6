package experiments

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// spread lays a step over several devices of a backend: each takes its share of
// the batch, and all hold all weights. XLA's partitioner (Shardy) adds what they
// must tell each other, so the graph is the one of a single device, its batch
// statistics included, and so are the losses, to rounding.
type spread struct {
	batch, whole *distributed.ShardingSpec
}

// newSpread lays an executor over so many devices.
func newSpread(exec *model.Exec, devices int) (*spread, error) {
	mesh, err := distributed.NewDeviceMesh([]int{devices}, []string{"devices"})
	if err != nil {
		return nil, err
	}
	s := &spread{whole: distributed.NewReplicatedShardingSpec(mesh)}
	if s.batch, err = distributed.BuildSpec(mesh).S("devices").Done(); err != nil {
		return nil, err
	}
	exec.AutoSharding(mesh).WithInputShardingSpecs(s.inputs()...).WithOutputShardingSpecs(s.whole)
	return s, exec.SetDefaultShardingSpec(s.whole)
}

// inputs are how a step's are divided: images, labels, rates, seed.
func (s *spread) inputs() []*distributed.ShardingSpec {
	return []*distributed.ShardingSpec{s.batch, s.batch, s.whole, s.whole}
}

// shapes are those of a step's inputs on each device, device by device.
func (s *spread) shapes(inputs []shapes.Shape) []shapes.Shape {
	devices := s.batch.Mesh.NumDevices()
	var out []shapes.Shape
	for i, spec := range s.inputs() {
		shape := inputs[i].Clone()
		if spec == s.batch {
			shape.Dimensions[0] /= devices
		}
		out = append(out, shape)
	}
	return slices.Repeat(out, devices)
}

// shard divides a step's inputs.
func (s *spread) shard(inputs []*tensors.Tensor) ([]any, error) {
	out := make([]any, len(inputs))
	for i, spec := range s.inputs() {
		var err error
		if out[i], err = dtensor.ShardTensor(spec, inputs[i]); err != nil {
			return nil, fmt.Errorf("divide a batch between devices: %w", err)
		}
	}
	return out, nil
}

// free frees what shard made.
func free(shards []any) error {
	for _, s := range shards {
		if d, ok := s.(*dtensor.Tensor); ok {
			if err := d.FinalizeAll(); err != nil {
				return fmt.Errorf("free a batch's shares: %w", err)
			}
		}
	}
	return nil
}

// checkDevices reports a recipe that the backend has too few devices for, or
// whose batches, of so many training images, the devices can't share evenly.
func (r Recipe) checkDevices(backend compute.Backend, images int) error {
	if r.Devices < 2 {
		return nil
	}
	if have := backend.NumDevices(); r.Devices > have {
		return fmt.Errorf("%d devices; allowed: 1 to %d, which %s has here", r.Devices, have, backend.Name())
	}
	for _, size := range []int{min(r.Batch, images), images % r.Batch} {
		if size%r.Devices != 0 {
			return fmt.Errorf("%d devices cannot share a batch of %d evenly (batch size %d, %d training images); allowed: divisors of the batch size and of the last batch",
				r.Devices, size, r.Batch, images)
		}
	}
	return nil
}
