package augment

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// RandAugment's operations give Pillow's bytes (testdata/pillow.py).
func TestOperationsAsPillow(t *testing.T) {
	file, err := os.ReadFile("testdata/pillow.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Height, Width int
		Image, Narrow []byte
		Cases         []struct {
			Name      string
			Operation int
			Magnitude float64
			Negative  bool
			From      string
			Pixels    []byte
		}
	}
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, c := range want.Cases {
		from := map[string][]byte{"image": want.Image, "narrow": want.Narrow}[c.From]
		p := picture{
			pixels: slices.Clone(from), spare: make([]uint8, len(from)),
			height: want.Height, width: want.Width, channels: 3,
		}
		p.operate(operation(c.Operation), c.Magnitude, c.Negative)
		differ, most := 0, 0
		for i, v := range p.pixels {
			if v != c.Pixels[i] {
				differ++
				most = max(most, abs(int(v)-int(c.Pixels[i])))
			}
		}
		if differ > 0 {
			t.Errorf("%s at %g (negative %v) of %s: %d of %d bytes differ from Pillow's, by up to %d",
				c.Name, c.Magnitude, c.Negative, c.From, differ, len(from), most)
		}
		if c.Operation != int(identity) && c.From == "image" && slices.Equal(p.pixels, from) {
			t.Errorf("%s at %g changes nothing", c.Name, c.Magnitude)
		}
		seen[c.Operation] = true
	}
	if len(seen) != int(operations) {
		t.Errorf("%d operations were tried, there are %d", len(seen), operations)
	}
}
