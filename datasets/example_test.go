package datasets_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"patchlab/datasets"
)

// An epoch over the built-in pictures: shuffle, then batch by batch, the smaller last one included.
func Example() {
	d, err := datasets.Load(context.Background(), "shapes", datasets.Options{Seed: 1, TrainLimit: 1000, TestLimit: 200})
	if err != nil {
		log.Fatal(err)
	}
	train, val := d.Holdout(.1)
	fmt.Println(train.Len(), "train,", val.Len(), "validation,", d.Test.Len(), "test")

	const size = 256
	images := make([]uint8, size*train.ImageSize())
	labels := make([]int32, size)
	order := datasets.Order(train.Len(), 42, 0)
	for start := 0; start < len(order); start += size {
		n := train.Batch(order, start, size, images, labels)
		fmt.Println("a batch of", n)
	}
	// Output:
	// 900 train, 100 validation, 200 test
	// a batch of 256
	// a batch of 256
	// a batch of 256
	// a batch of 132
}

// A program that goes on without the real pictures says so and takes the built-in ones.
func ExampleLoad_fallback() {
	ctx := context.Background()
	options := datasets.Options{CacheDir: "testdata/no-such-folder", Offline: true, TrainLimit: 500, TestLimit: 100}
	d, err := datasets.Load(ctx, "cifar10", options)
	if errors.Is(err, datasets.ErrUnavailable) {
		fmt.Println(err)
		d, err = datasets.Load(ctx, "shapes", options)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Name, d.Train.Len(), d.Classes)
	// Output:
	// load dataset cifar10: not available (it is not in the cache, and the network is switched off): unpack cifar-10-binary.tar.gz and name its folder with --data-dir, or take the built-in pictures with --data shapes
	// shapes 500 [disc triangle star stripes checks dots row corners twins rivals]
}

func ExampleOrder() {
	fmt.Println(datasets.Order(8, 42, 0))
	fmt.Println(datasets.Order(8, 42, 1))
	fmt.Println(datasets.Order(8, 42, 0))
	// Output:
	// [1 7 6 3 5 0 4 2]
	// [6 2 1 4 3 5 7 0]
	// [1 7 6 3 5 0 4 2]
}

func ExampleSplit_ChannelMoments() {
	s := datasets.Split{Images: []uint8{0, 10, 4, 20}, Labels: []uint16{0, 1}, Channels: 2}
	mean, variance := s.ChannelMoments()
	fmt.Println(mean, variance)
	// Output: [2 15] [4 25]
}
