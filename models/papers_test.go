package models

import "testing"

// TestPapersCounts compares with the counts that timm (1.0) and the papers' repositories report; they
// count what is trained.
func TestPapersCounts(t *testing.T) {
	counted := map[string]int64{
		"vit_tiny_patch16_224":  5_717_416,
		"vit_small_patch16_224": 22_050_664,
		"vit_base_patch16_224":  86_567_656,
		"vit-lite-7-4":          3_716_874,
		"mixer_s16_224":         18_528_264,
		"mixer_b16_224":         59_880_472,
		"mixer-128-8":           1_132_170,
		"convmixer_768_32":      21_110_248,
		"convmixer_1536_20":     51_625_960,
		"convmixer-256-8":       594_186,
		"convmixer-256-8-k9-p1": 706_570,
	}
	for _, c := range Papers() {
		counts, err := c.Count()
		if err != nil {
			t.Fatal(err)
		}
		if want := counted[c.ID]; counts.Trainable != want {
			t.Errorf("%s: counted %d, want %d", c.ID, counts.Trainable, want)
		}
		if parsed, err := Parse(c.ID); err != nil || parsed.ID != c.ID {
			t.Errorf("Parse(%q) is %q (%v)", c.ID, parsed.ID, err)
		}
	}
}
