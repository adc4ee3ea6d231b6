package datasets

import (
	"fmt"
	"math/big"
	"runtime"
	"sync"
)

// ChannelMoments is the mean and the population variance of each channel over all pixels of all
// pictures, in grey levels 0 to 255: what Keras's Normalization layer adapts to. The sums are exact
// integers, so the order of the pictures and the number of cores don't matter; each result is
// rounded once, to float32.
// An empty split has mean 0 and variance 0. It panics where Channels isn't set.
func (s Split) ChannelMoments() (mean, variance []float32) {
	if s.Channels <= 0 {
		panic(fmt.Sprintf("datasets: split has %d channels, must be at least 1", s.Channels))
	}
	mean, variance = make([]float32, s.Channels), make([]float32, s.Channels)
	if len(s.Images) == 0 {
		return mean, variance
	}
	sums, squares := s.channelSums()
	n := int64(len(s.Images) / s.Channels)
	for c := range s.Channels {
		// variance = (n·Σx² − (Σx)²) / n²
		sum, square := new(big.Int).SetUint64(sums[c]), new(big.Int).SetUint64(squares[c])
		count := big.NewInt(n)
		mean[c], _ = new(big.Rat).SetFrac(sum, count).Float32()
		top := new(big.Int).Mul(count, square)
		top.Sub(top, new(big.Int).Mul(sum, sum))
		variance[c], _ = new(big.Rat).SetFrac(top, new(big.Int).Mul(count, count)).Float32()
	}
	return mean, variance
}

// channelSums are each channel's sums of values and of their squares.
func (s Split) channelSums() (sums, squares []uint64) {
	workers := runtime.GOMAXPROCS(0)
	pixels := len(s.Images) / s.Channels
	sums, squares = make([]uint64, s.Channels), make([]uint64, s.Channels)
	var (
		wait sync.WaitGroup
		lock sync.Mutex
	)
	for w := range workers {
		wait.Go(func() {
			part := s.Images[pixels*w/workers*s.Channels : pixels*(w+1)/workers*s.Channels]
			for c := range s.Channels {
				var sum, square uint64
				for i := c; i < len(part); i += s.Channels {
					v := uint64(part[i])
					sum += v
					square += v * v
				}
				lock.Lock()
				sums[c] += sum
				squares[c] += square
				lock.Unlock()
			}
		})
	}
	wait.Wait()
	return sums, squares
}
