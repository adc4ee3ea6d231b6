package models

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func values(t testing.TB, store *model.Store, path string) []float32 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("no variable %s", path)
	}
	value, err := v.Value()
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](value)
}

// TestFans compares with limits worked by hand from Keras 2's rule.
func TestFans(t *testing.T) {
	for _, test := range []struct {
		what    string
		dims    []int
		in, out int
	}{
		{"Dense 192 to 256", []int{192, 256}, 192, 256},
		{"convolution 2 x 2, 3 to 16", []int{2, 2, 3, 16}, 12, 64},
		{"attention's query 128 to 4 heads of 64", []int{128, 4, 64}, 512, 8192},
		{"attention's output, 4 heads of 64 to 128", []int{4, 64, 128}, 256, 512},
	} {
		if in, out := fans(test.dims); in != test.in || out != test.out {
			t.Errorf("%s: fans %d and %d, want %d and %d", test.what, in, out, test.in, test.out)
		}
	}
}

// TestInitialWeights checks the distribution of each kind of variable.
func TestInitialWeights(t *testing.T) {
	c := lookup(t, "convmixer-mixer")
	c.Blocks = append(c.Blocks, ViT{})
	c.Position = true
	store := model.NewStore()
	if err := c.Init(store); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path  string
		limit float64 // of a uniform distribution
	}{
		{"/embedding/kernel", math.Sqrt(6. / (2*2*3 + 2*2*16))},
		{"/block_0/depthwise/kernel", math.Sqrt(6. / (5*5*16 + 5*5*1))},
		{"/block_0/pointwise/kernel", math.Sqrt(6. / (16 + 16))},
		{"/block_1/token_mlp/dense_0/kernel", math.Sqrt(6. / (256 + 256))},
		{"/block_2/attention/query/kernel", math.Sqrt(6. / (16*4 + 16*64))},
		{"/block_2/attention/output/kernel", math.Sqrt(6. / (4*64 + 4*16))},
		{"/position/embedding", 0.05},
	} {
		w := values(t, store, test.path)
		var sum, squares, largest float64
		for _, v := range w {
			sum, squares, largest = sum+float64(v), squares+float64(v)*float64(v), max(largest, math.Abs(float64(v)))
		}
		n := float64(len(w))
		deviation := test.limit / math.Sqrt(3)
		if largest > test.limit || largest < 0.95*test.limit {
			t.Errorf("%s: largest value %g, limit %g", test.path, largest, test.limit)
		}
		if z := sum / n / (deviation / math.Sqrt(n)); math.Abs(z) > 4 {
			t.Errorf("%s: mean is %.1f standard errors from 0", test.path, z)
		}
		// The variance of a square of uniform(-l, l) is l^4 (1/5 - 1/9).
		if z := (squares/n - deviation*deviation) / (test.limit * test.limit * math.Sqrt((1./5-1./9)/n)); math.Abs(z) > 4 {
			t.Errorf("%s: variance is %.1f standard errors from l²/3", test.path, z)
		}
	}
	for path, want := range map[string]float32{
		"/embedding/bias": 0, "/block_2/attention/key/bias": 0, "/block_1/norm/gamma": 1, "/block_1/norm/beta": 0,
		"/block_0/depthwise/norm/moving_mean": 0, "/block_0/depthwise/norm/moving_variance": 1,
	} {
		for _, v := range values(t, store, path) {
			if v != want {
				t.Fatalf("%s holds %v, want %v", path, v, want)
			}
		}
	}
}

// TestSeeds: the same seed gives the same weights whatever else the network holds, another seed others.
func TestSeeds(t *testing.T) {
	const path = "/block_0/token_mlp/dense_0/kernel"
	kernel := func(id string, seed int64) []float32 { return values(t, ready(t, lookup(t, id), seed), path) }
	if !slices.Equal(kernel("mixer-2", 3), kernel("mixer2-vit1", 3)) {
		t.Error("the same variable of two networks differs at the same seed")
	}
	if slices.Equal(kernel("mixer-2", 3), kernel("mixer-2", 4)) {
		t.Error("two seeds give the same weights")
	}
	store := ready(t, lookup(t, "mixer-2"), 3)
	if slices.Equal(values(t, store, path), values(t, store, "/block_1/token_mlp/dense_0/kernel")) {
		t.Error("two variables of the same shape have the same weights")
	}
	// Pinned: a recipe and its seed must give the same start in every version.
	want := []float32{-0.11564183, -0.12965491, 0.017521858}
	if got := kernel("mixer-2", 3)[:3]; !slices.Equal(got, want) {
		t.Errorf("first weights of seed 3 are %v, and were %v in every version", got, want)
	}
}

// TestLargeInit: the reference's largest network has 21 million weights, 18.9 of them in one matrix.
func TestLargeInit(t *testing.T) {
	start := time.Now()
	store := ready(t, lookup(t, "vit-vis"), 1)
	elapsed := time.Since(start)
	if elapsed > 5*time.Second { // .1 s on an idle machine; the slack is for a busy one
		t.Errorf("initial weights of vit-vis took %v", elapsed)
	}
	t.Logf("%d weights in %v", store.NumParameters(), elapsed)
}
