package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// tiny is a dataset of n one-channel pictures of two pixels, [i, 100+i], with label i mod 10.
func tiny(n int) *Dataset {
	d := &Dataset{Name: "tiny", Classes: make([]string, 10), Height: 1, Width: 2, Channels: 1}
	d.Train.Channels, d.Test.Channels = 1, 1
	for i := range n {
		d.Train.Images = append(d.Train.Images, uint8(i), uint8(100+i))
		d.Train.Labels = append(d.Train.Labels, uint16(i%10))
	}
	return d
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	if _, err := Load(t.Context(), "imagenet", Options{}); err == nil || !strings.Contains(err.Error(), `"imagenet"`) || !strings.Contains(err.Error(), "cifar10, fashion-mnist, shapes") {
		t.Errorf("error is %v, want the name and what is allowed", err)
	}
	for _, o := range []Options{{TrainLimit: -1}, {TestLimit: -1}, {TrainLimit: shapesMost + 1}} {
		if _, err := Load(t.Context(), "shapes", o); err == nil || !strings.Contains(err.Error(), "limits are") {
			t.Errorf("limits %d and %d: error is %v", o.TrainLimit, o.TestLimit, err)
		}
	}
}

func TestLoadStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, dir := range map[string]string{"shapes": "", "cifar10": writeCIFAR(t, nil), "fashion-mnist": writeFiles(t, fashionContent())} {
		if _, err := Load(ctx, name, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v, want context.Canceled", name, err)
		}
	}
}

func TestDescribeAgreesWithLoad(t *testing.T) {
	dirs := map[string]string{"cifar10": writeCIFAR(t, nil), "fashion-mnist": writeFiles(t, fashionContent())}
	for _, name := range Names() {
		described, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(t.Context(), name, Options{Dir: dirs[name], TrainLimit: 2, TestLimit: 2})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(described.Classes, loaded.Classes) || described.Name != loaded.Name || described.Height != loaded.Height ||
			described.Width != loaded.Width || described.Channels != loaded.Channels {
			t.Errorf("%s is described as %+v, loaded with %d×%d×%d and classes %v", name, described,
				loaded.Height, loaded.Width, loaded.Channels, loaded.Classes)
		}
	}
	if _, err := Describe("imagenet"); err == nil || !strings.Contains(err.Error(), `"imagenet"`) {
		t.Errorf("error is %v, want one that names imagenet", err)
	}
}

func TestHoldoutIsTheLastFraction(t *testing.T) {
	for _, c := range []struct {
		n, train int
		fraction float64
	}{
		{10, 9, .1}, {10, 10, 0}, {10, 8, .2}, {15, 13, .1}, {1, 0, .5}, {0, 0, .1}, {10, 0, .99}, {250, 225, .1},
	} {
		d := tiny(c.n)
		train, val := d.Holdout(c.fraction)
		if train.Len() != c.train || val.Len() != c.n-c.train {
			t.Errorf("%g of %d held out: %d train and %d val, want %d and %d", c.fraction, c.n, train.Len(), val.Len(), c.train, c.n-c.train)
		}
		if joined := slices.Concat(train.Images, val.Images); !bytes.Equal(joined, d.Train.Images) {
			t.Errorf("%g of %d held out: the parts joined aren't the whole", c.fraction, c.n)
		}
	}
	// The reference's split.
	d := &Dataset{Train: Split{Images: make([]uint8, 50_000), Labels: make([]uint16, 50_000)}}
	if train, val := d.Holdout(.1); train.Len() != 45_000 || val.Len() != 5_000 {
		t.Errorf("%d train and %d val, want 45,000 and 5,000", train.Len(), val.Len())
	}
}

func TestHoldoutPanicsOnABadFraction(t *testing.T) {
	for _, fraction := range []float64{-.1, 1, 2, math.NaN()} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("fraction %g is accepted", fraction)
				}
			}()
			tiny(10).Holdout(fraction)
		}()
	}
}

func TestOrderIsAPermutation(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1000} {
		order := slices.Clone(Order(n, 7, 3))
		slices.Sort(order)
		for i, v := range order {
			if int(v) != i {
				t.Fatalf("order of %d isn't a permutation", n)
			}
		}
	}
}

func TestOrderIsPinned(t *testing.T) {
	for _, c := range []struct {
		seed  int64
		epoch int
		want  []int32
	}{
		{0, 0, []int32{8, 9, 7, 3, 0, 4, 6, 5, 2, 1}},
		{0, 1, []int32{8, 1, 6, 2, 4, 0, 9, 5, 3, 7}},
		{1, 0, []int32{6, 2, 4, 0, 9, 7, 3, 1, 5, 8}},
		{-1, 0, []int32{7, 3, 1, 2, 9, 0, 6, 8, 5, 4}},
	} {
		if got := Order(10, c.seed, c.epoch); !slices.Equal(got, c.want) {
			t.Errorf("Order(10, %d, %d) = %v, want %v", c.seed, c.epoch, got, c.want)
		}
	}
	h := sha256.New()
	for _, v := range Order(50_000, 42, 5) {
		fmt.Fprintln(h, v)
	}
	if got, want := hex.EncodeToString(h.Sum(nil)), "59d52d52b1ef28db00b20c91136ee0ec5d3b5f579c0fb92175b869c8c8df9f28"; got != want {
		t.Errorf("Order(50000, 42, 5) has digest %s, want %s", got, want)
	}
}

// TestOrderIsFair counts over many epochs where each picture comes. Under a fair shuffle the
// chi-squared statistic of the 8×8 table has 49 degrees of freedom: mean 49, deviation 9.9.
func TestOrderIsFair(t *testing.T) {
	const n, epochs = 8, 8000
	var counts [n][n]int
	for epoch := range epochs {
		for at, which := range Order(n, 1, epoch) {
			counts[at][which]++
		}
	}
	chi := 0.0
	for _, row := range counts {
		for _, c := range row {
			d := float64(c) - epochs/n
			chi += d * d / (epochs / n)
		}
	}
	if chi < 20 || chi > 90 {
		t.Errorf("chi-squared is %.1f, should be near 49", chi)
	}
}

func TestBatchGathers(t *testing.T) {
	d := tiny(10)
	order := []int32{9, 0, 5, 5, 2, 7, 1}
	images, labels := make([]uint8, 3*2), make([]int32, 3)
	var gotImages []uint8
	var gotLabels, sizes []int32
	for start := 0; ; start += 3 {
		n := d.Train.Batch(order, start, 3, images, labels)
		if n == 0 {
			break
		}
		gotImages, gotLabels, sizes = append(gotImages, images[:n*2]...), append(gotLabels, labels[:n]...), append(sizes, int32(n))
	}
	if want := []uint8{9, 109, 0, 100, 5, 105, 5, 105, 2, 102, 7, 107, 1, 101}; !slices.Equal(gotImages, want) {
		t.Errorf("images %v, want %v", gotImages, want)
	}
	if !slices.Equal(gotLabels, order) { // label i is on image i here
		t.Errorf("labels %v, want %v", gotLabels, order)
	}
	if want := []int32{3, 3, 1}; !slices.Equal(sizes, want) {
		t.Errorf("batch sizes %v, want %v: the last partial batch is used", sizes, want)
	}
}

func TestBatchInFileOrder(t *testing.T) {
	d := tiny(10)
	images, labels := make([]uint8, 4*2), make([]int32, 4)
	if n := d.Train.Batch(nil, 8, 4, images, labels); n != 2 || !slices.Equal(images[:4], []uint8{8, 108, 9, 109}) || !slices.Equal(labels[:2], []int32{8, 9}) {
		t.Errorf("got %d images %v with labels %v", n, images[:4], labels[:2])
	}
	if n := d.Train.Batch(nil, 12, 4, images, labels); n != 0 {
		t.Errorf("got %d images past the end", n)
	}
	if n := (Split{}).Batch(nil, 0, 4, images, labels); n != 0 {
		t.Errorf("got %d images of none", n)
	}
}

func TestBatchPanicsOnSmallBuffers(t *testing.T) {
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "needs 8 bytes and 4 labels, the buffers hold 7 and 4") {
			t.Errorf("panic says %q", text)
		}
	}()
	tiny(10).Train.Batch(nil, 0, 4, make([]uint8, 7), make([]int32, 4))
}

func TestChannelMoments(t *testing.T) {
	s := Split{Images: []uint8{0, 10, 255, 4, 20, 255}, Labels: []uint16{0, 0}, Channels: 3}
	mean, variance := s.ChannelMoments()
	if !slices.Equal(mean, []float32{2, 15, 255}) || !slices.Equal(variance, []float32{4, 25, 0}) {
		t.Errorf("mean %v, variance %v, want [2 15 255], [4 25 0]", mean, variance)
	}
	mean, variance = Split{Channels: 2}.ChannelMoments()
	if !slices.Equal(mean, []float32{0, 0}) || !slices.Equal(variance, []float32{0, 0}) {
		t.Errorf("of no pictures: mean %v, variance %v, want zeros", mean, variance)
	}
}

// TestChannelMomentsAreExact compares with two passes in float64 over enough pixels that a sum in
// float32, or of squares in 32 bits, would be far off.
func TestChannelMomentsAreExact(t *testing.T) {
	s := Split{Images: make([]uint8, 300*32*32*3), Labels: make([]uint16, 300), Channels: 3}
	keyed("patchlab: tests ", 1, 2).Read(s.Images)
	mean, variance := s.ChannelMoments()
	for c := range 3 {
		sum, square, n := 0.0, 0.0, 0.0
		for i := c; i < len(s.Images); i += 3 {
			sum, n = sum+float64(s.Images[i]), n+1
		}
		for i := c; i < len(s.Images); i += 3 {
			d := float64(s.Images[i]) - sum/n
			square += d * d
		}
		if mean[c] != float32(sum/n) || math.Abs(float64(variance[c])-square/n) > 1e-6*square/n {
			t.Errorf("channel %d: mean %v, variance %v, want %v, %v", c, mean[c], variance[c], sum/n, square/n)
		}
	}
}

func TestDigestFollowsItsDescription(t *testing.T) {
	d := tiny(3)
	d.Test = d.Train.Slice(0, 1)
	want := sha256.Sum256([]byte("patchlab-dataset 1\ntiny\n1 2 1 10\n3\n\x00\x01\x02\x00\x64\x01\x65\x02\x661\n\x00\x00\x64"))
	if got := d.ComputeDigest(); got != hex.EncodeToString(want[:]) {
		t.Errorf("digest %s, want %x", got, want)
	}
}

func TestDigestTellsEveryDifference(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]func(*Dataset){
		"nothing":     func(*Dataset) {},
		"name":        func(d *Dataset) { d.Name = "other" },
		"shape":       func(d *Dataset) { d.Height, d.Width = 2, 1 },
		"a label":     func(d *Dataset) { d.Train.Labels[1] = 7 },
		"a pixel":     func(d *Dataset) { d.Train.Images[5]++ },
		"the split":   func(d *Dataset) { d.Test, d.Train = d.Train.Slice(2, 3), d.Train.Slice(0, 2) },
		"fewer":       func(d *Dataset) { d.Train = d.Train.First(2) },
		"all in test": func(d *Dataset) { d.Test, d.Train = d.Train, d.Test },
	} {
		d := tiny(3)
		change(d)
		digest := d.ComputeDigest()
		if other, ok := seen[digest]; ok {
			t.Errorf("changing %s and changing %s give one digest", name, other)
		}
		seen[digest] = name
	}
}

func TestSliceIsBounded(t *testing.T) {
	d := tiny(4)
	part := d.Train.Slice(1, 2)
	_ = append(part.Images, 99)
	_ = append(part.Labels, 99)
	_ = append(d.Train.Image(0), 99)
	if d.Train.Images[4] != 2 || d.Train.Labels[2] != 2 || d.Train.Images[2] != 1 {
		t.Error("appending to a part overwrote the whole")
	}
}

func BenchmarkBatch128(b *testing.B) {
	const n = 20_000
	s := Split{Images: make([]uint8, n*32*32*3), Labels: make([]uint16, n), Channels: 3}
	images, labels := make([]uint8, 128*32*32*3), make([]int32, 128)
	order := Order(n, 1, 0)
	b.SetBytes(int64(len(images)))
	start := 0
	for b.Loop() {
		s.Batch(order, start, 128, images, labels)
		if start += 128; start+128 > n {
			start = 0
		}
	}
}

func BenchmarkOrder50000(b *testing.B) {
	for b.Loop() {
		Order(50_000, 1, 0)
	}
}

func BenchmarkChannelMoments(b *testing.B) {
	const n = 20_000
	s := Split{Images: make([]uint8, n*32*32*3), Labels: make([]uint16, n), Channels: 3}
	b.SetBytes(int64(len(s.Images)))
	for b.Loop() {
		s.ChannelMoments()
	}
}
