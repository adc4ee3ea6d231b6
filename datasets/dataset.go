package datasets

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// ErrUnavailable is wrapped by every error of [Load] that says that a dataset is neither on this
// machine nor to be had over the network now. Damaged or misplaced files are other errors.
var ErrUnavailable = errors.New("not available")

// Dataset is a set of labelled pictures of one size, all in memory.
type Dataset struct {
	Name                    string   // "cifar10", "fashion-mnist", "shapes" or "folder:" and a name
	Classes                 []string // the name of each label
	Height, Width, Channels int      // of one picture, in pixels
	Train, Test             Split
	// Validation, where it is not empty, is what [Dataset.Holdout] holds out.
	Validation Split
	Digest     string // SHA-256 in hex over what is in use, see [Dataset.ComputeDigest]
	Source     string // where it came from, in words for a person
}

// Split is a list of labelled pictures. Images holds Len() pictures one after the other, each in
// the order row, column, channel; Labels holds one class index a picture.
type Split struct {
	Images   []uint8
	Labels   []uint16
	Channels int // values a pixel
}

// Options says where [Load] looks and how much it keeps. The zero value is ready to use.
type Options struct {
	// Dir is a folder that holds the dataset in its official layout: for cifar10 the folder
	// cifar-10-batches-bin or its parent, for fashion-mnist the four IDX files, gzipped or not, for
	// a folder the one that holds train.
	// When set, nothing else is tried. The shapes ignore it.
	Dir string
	// View is the size of a folder's pictures, which may be of any size in the files; the other
	// datasets ignore it.
	View View
	// CacheDir is where downloads are kept; empty means patchlab/datasets in the user's cache folder.
	CacheDir string
	// Seed draws another set of shapes; the real datasets ignore it.
	Seed int64
	// TrainLimit and TestLimit keep the first so many pictures of a split, in file order; 0 keeps all.
	TrainLimit, TestLimit int
	// Mirror is a base URL to download from in place of the official one, for instance a classroom's
	// own server; what comes is held against the same checksums.
	Mirror string
	// Progress, when set, is told of a download's bytes so far and in all, or of a folder's pictures,
	// from one goroutine at a time.
	Progress func(done, total int64)
	// Offline forbids the network.
	Offline bool
}

// Names lists what [Load] knows, besides [FolderPrefix] and a name.
func Names() []string { return []string{"cifar10", "fashion-mnist", "shapes"} }

// Load brings one of [Names], or a folder of pictures, into memory.
//
// Errors: an unknown name or a negative limit; [ErrUnavailable] where the dataset is not at hand and
// can't be downloaded; the context's error; and for a damaged file a [*FormatError] that names the
// file and the byte at which it went wrong.
func Load(ctx context.Context, name string, o Options) (*Dataset, error) {
	return official().load(ctx, name, o)
}

// Holdout divides the train split in file order: val is its last fraction, train what comes before.
// The boundary is floor(n·(1−fraction)), as in Keras's validation_split, which the reference uses:
// .1 of 50,000 holds out images 45,000 to 49,999. A dataset with a Validation split holds that out,
// whatever the fraction. A fraction outside [0, 1) panics.
func (d *Dataset) Holdout(fraction float64) (train, val Split) {
	if !(fraction >= 0 && fraction < 1) {
		panic(fmt.Sprintf("datasets: held-out fraction is %g, must be at least 0 and below 1", fraction))
	}
	if d.Validation.Len() > 0 {
		return d.Train, d.Validation
	}
	n := d.Train.Len()
	at := int(math.Floor(float64(n) * (1 - fraction)))
	return d.Train.Slice(0, at), d.Train.Slice(at, n)
}

// Len is the number of pictures.
func (s Split) Len() int { return len(s.Labels) }

// ImageSize is the number of bytes of one picture: height × width × channels.
func (s Split) ImageSize() int {
	if len(s.Labels) == 0 {
		return 0
	}
	return len(s.Images) / len(s.Labels)
}

// Image is picture i, not a copy.
func (s Split) Image(i int) []uint8 {
	size := s.ImageSize()
	return s.Images[i*size : (i+1)*size : (i+1)*size]
}

// Slice is the pictures from lo up to, not including, hi, sharing memory with s.
func (s Split) Slice(lo, hi int) Split {
	size := s.ImageSize()
	return Split{
		Images:   s.Images[lo*size : hi*size : hi*size],
		Labels:   s.Labels[lo:hi:hi],
		Channels: s.Channels,
	}
}

// First is the first n pictures in order, or all where n is 0 or more than there are.
func (s Split) First(n int) Split {
	if n == 0 || n >= s.Len() {
		return s
	}
	return s.Slice(0, n)
}

// ClassCounts is how many pictures carry each of the labels 0 to classes-1.
func (s Split) ClassCounts(classes int) []int {
	counts := make([]int, classes)
	for _, l := range s.Labels {
		counts[l]++
	}
	return counts
}
