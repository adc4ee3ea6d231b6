package datasets

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// The four files of Fashion-MNIST (Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset
// for Benchmarking Machine Learning Algorithms", 2017): 28×28 grey pictures of clothes.
const (
	fashionTrainImages = "train-images-idx3-ubyte"
	fashionTrainLabels = "train-labels-idx1-ubyte"
	fashionTestImages  = "t10k-images-idx3-ubyte"
	fashionTestLabels  = "t10k-labels-idx1-ubyte"
	fashionSide        = 28
)

func fashionFiles() []string {
	return []string{fashionTrainImages, fashionTrainLabels, fashionTestImages, fashionTestLabels}
}

func fashionClasses() []string {
	return []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}
}

func (l library) loadFashion(ctx context.Context, o Options) (*Dataset, error) {
	dir, source, err := l.findFashion(ctx, o)
	if err != nil {
		return nil, err
	}
	d := &Dataset{
		Classes: fashionClasses(),
		Height:  fashionSide, Width: fashionSide, Channels: 1,
		Source: source,
	}
	// The two splits side by side: unpacking gzip is most of the time and uses one core each.
	train := make(chan error, 1)
	go func() {
		var err error
		d.Train, err = readFashionSplit(dir, fashionTrainImages, fashionTrainLabels, o.TrainLimit)
		train <- err
	}()
	d.Test, err = readFashionSplit(dir, fashionTestImages, fashionTestLabels, o.TestLimit)
	if err := errors.Join(<-train, err); err != nil {
		return nil, err
	}
	return d, ctx.Err()
}

// findFashion is the folder that holds the four files, after a download where need be.
func (l library) findFashion(ctx context.Context, o Options) (dir, source string, err error) {
	if o.Dir != "" {
		return o.Dir, o.Dir, nil // a missing file is named when it is opened
	}
	cache, err := o.cacheDir()
	if err == nil {
		dir = filepath.Join(cache, "fashion-mnist")
		if allExist(dir, fashionFiles(), ".gz") {
			return dir, dir, nil
		}
	}
	if allExist(l.fashionSystem, fashionFiles(), ".gz") {
		return l.fashionSystem, l.fashionSystem, nil
	}
	if err == nil && o.Offline {
		err = errOffline
	}
	if err == nil {
		err = l.fetchFashion(ctx, dir, o)
	}
	if err != nil {
		return "", "", unavailable(ctx, err,
			"install Debian's package dataset-fashion-mnist, or name a folder that holds the four IDX files with --data-dir")
	}
	return dir, dir, nil
}

func (l library) fetchFashion(ctx context.Context, dir string, o Options) error {
	unlock, err := lockFolder(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	return fetch(ctx, l.fashion.mirrored(o.Mirror), dir, l.patience, o.Progress)
}

// readFashionSplit reads the pictures and labels of one split, with or without .gz, and keeps the
// first limit of them, or all where limit is 0.
func readFashionSplit(dir, images, labels string, limit int) (Split, error) {
	imagesPath, err := findVariant(dir, images, "", ".gz")
	if err != nil {
		return Split{}, err
	}
	labelsPath, err := findVariant(dir, labels, "", ".gz")
	if err != nil {
		return Split{}, err
	}
	shape, pixels, err := readIDX(imagesPath, 3)
	if err != nil {
		return Split{}, err
	}
	for i, size := range shape[1:] {
		if size != fashionSide {
			return Split{}, &FormatError{File: imagesPath, Offset: int64(8 + 4*i),
				Reason: fmt.Sprintf("pictures are %d×%d pixels, must be %d×%[3]d", shape[1], shape[2], fashionSide)}
		}
	}
	count, classes, err := readIDX(labelsPath, 1)
	if err != nil {
		return Split{}, err
	}
	if count[0] != shape[0] {
		return Split{}, &FormatError{File: labelsPath, Offset: 4,
			Reason: fmt.Sprintf("there are %d labels, must be %d as there are pictures", count[0], shape[0])}
	}
	for i, label := range classes {
		if label > 9 {
			return Split{}, &FormatError{File: labelsPath, Offset: int64(8 + i),
				Reason: fmt.Sprintf("label is %d, must be 0 to 9", label)}
		}
	}
	split := Split{Images: pixels, Labels: make([]uint16, len(classes)), Channels: 1}
	for i, class := range classes {
		split.Labels[i] = uint16(class)
	}
	if limit > 0 && limit < split.Len() {
		split = split.First(limit)
		split.Images = slices.Clone(split.Images) // lets go of the rest
	}
	return split, nil
}
