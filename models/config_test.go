package models

import "testing"

// TestCountsEqualTheReference compares with the course's printed totals and, for the trainable ones,
// with sums worked by hand from the layers.
func TestCountsEqualTheReference(t *testing.T) {
	statistics := map[string]int64{"convmixer": 2 * 3 * 16, "convmixer-mixer": 2 * 3 * 16} // BatchNorm's moving ones
	for _, entry := range Named() {
		counts, err := entry.Config.Count()
		if err != nil {
			t.Fatal(err)
		}
		fixed, isConv := statistics[entry.Config.ID]
		if !isConv {
			fixed = 7 // Normalization's mean, variance, count
		}
		want := Counts{Total: entry.Reference.Params, Trainable: entry.Reference.Params - fixed}
		if counts != want {
			t.Errorf("%s: counted %+v, want %+v", entry.Config.ID, counts, want)
		}
	}
}

// TestBackendsAgree runs every configuration on both backends from the same seed.
func TestBackendsAgree(t *testing.T) {
	fast, pure := xlaBackend(t), goBackend(t)
	images := pictures(3, 32, 3)
	for _, entry := range Named() {
		c := entry.Config
		a := infer(t, fast, ready(t, c, 1), c, images)
		b := infer(t, pure, ready(t, c, 1), c, images)
		if d := furthest(t, a, b); !(d <= 1e-4) {
			t.Errorf("%s: logits differ by %g between XLA and pure Go, allowed 1e-4", c.ID, d)
		}
		var size float64
		for _, v := range a {
			size = max(size, float64(v), -float64(v))
		}
		if size == 0 {
			t.Errorf("%s: all logits are 0", c.ID)
		}
	}
}

// TestFLOPs compares with sums worked by hand: 2 x rows x inner x columns for each product.
func TestFLOPs(t *testing.T) {
	for id, want := range map[string]int64{
		// T=256, C=16: patches 256*12*16, depthwise 256*25*16, pointwise 256*16*16, classifier 16*10
		"convmixer": 2 * (49_152 + 102_400 + 65_536 + 160),
		// T=16, C=256: patches 16*192*256; 4 times tokens 2*(256*16*16) and channels 2*(16*256*16); 256*10
		"mixer-4": 2 * (786_432 + 4*(131_072+131_072) + 2_560),
		// T=64, C=256: patches 64*192*256; QKV 3*64*256*256; two products of 64 x 64 a head 2*4*64*64*64;
		// output 64*256*256; MLP 2*64*256*64; classifier 256*10
		"vit-1": 2 * (3_145_728 + 12_582_912 + 2_097_152 + 4_194_304 + 2_097_152 + 2_560),
		// T=144, C=64: patches 144*108*64; QKV 3*144*64*256; 2*4*144*144*64; output 144*256*64;
		// MLP 2*144*64*128; head 9216*2048, 2048*1024, 1024*10
		"vit-vis": 2 * (995_328 + 7_077_888 + 10_616_832 + 2_359_296 + 2_359_296 + 18_874_368 + 2_097_152 + 10_240),
	} {
		if got := lookup(t, id).FLOPs(); got != want {
			t.Errorf("%s: %d FLOPs, by hand %d", id, got, want)
		}
	}
}
