package datasets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// library knows where datasets come from. It is a value, so that a test can have one of its own.
type library struct {
	cifar, fashion origin
	fashionSystem  string // where the operating system's package puts Fashion-MNIST
	patience       patience
}

// official is the library that [Load] uses.
//
// The checksums are those of the files that the authors publish; the MD5 that they state for CIFAR-10
// is c32a1d4ab5d03f1284b67883e8d87530, and for the files of Fashion-MNIST, in the order below,
// 8d4fb7e6c68d591d4c3dfef9ec88bf0d, 25c81989df183df01b3e8a0aad5dffbe,
// bef4ecab320f06d8554ea6380940ec79 and bb300cfdad3c16e7a12a480ee83cd310.
func official() library {
	return library{
		cifar: origin{
			bases: []string{"https://www.cs.toronto.edu/~kriz/"},
			files: []remoteFile{
				{cifarArchive, 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
			},
		},
		fashion: origin{
			bases: []string{
				"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
				"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
			},
			files: []remoteFile{
				{fashionTrainImages + ".gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
				{fashionTrainLabels + ".gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
				{fashionTestImages + ".gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
				{fashionTestLabels + ".gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
			},
		},
		fashionSystem: "/usr/share/datasets/fashion-mnist",
		patience: patience{
			connect:  5 * time.Second,
			answer:   15 * time.Second,
			stall:    30 * time.Second,
			pause:    2 * time.Second,
			attempts: 4,
		},
	}
}

func (l library) load(ctx context.Context, name string, o Options) (*Dataset, error) {
	if o.TrainLimit < 0 || o.TestLimit < 0 {
		return nil, fmt.Errorf("load dataset %s: limits are %d train and %d test images, must be 0 (all) or more",
			name, o.TrainLimit, o.TestLimit)
	}
	var (
		d   *Dataset
		err error
	)
	switch {
	case name == "cifar10":
		d, err = l.loadCIFAR10(ctx, o)
	case name == "fashion-mnist":
		d, err = l.loadFashion(ctx, o)
	case name == "shapes":
		d, err = loadShapes(ctx, o)
	case IsFolder(name):
		d, err = loadFolder(ctx, o)
	default:
		return nil, fmt.Errorf("load dataset: unknown name %q, allowed are %s, and %sDIR", name, strings.Join(Names(), ", "), FolderPrefix)
	}
	if err != nil {
		return nil, fmt.Errorf("load dataset %s: %w", name, err)
	}
	d.Name = name
	d.Train = d.Train.First(o.TrainLimit) // a folder's are limited before they are read
	d.Test = d.Test.First(o.TestLimit)
	d.Digest = d.ComputeDigest()
	return d, nil
}

// cacheDir is the folder of downloads.
func (o Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return o.CacheDir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(dir, "patchlab", "datasets"), nil
}

// allExist says whether a folder holds every one of the files, each possibly with one of the suffixes.
func allExist(dir string, names []string, suffixes ...string) bool {
	for _, name := range names {
		if _, err := findVariant(dir, name, suffixes...); err != nil {
			return false
		}
	}
	return true
}

// findVariant is the path of the first of name+suffix that exists in dir; its error is that of the first.
func findVariant(dir, name string, suffixes ...string) (string, error) {
	var first error
	for _, suffix := range append(suffixes, "") {
		path := filepath.Join(dir, name+suffix)
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}
