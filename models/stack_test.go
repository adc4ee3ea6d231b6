package models

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{ // how the stack is written back
		"mixer:2,vit:1":                "mixer:2,vit:1",
		"mixer,mixer,vit":              "mixer:2,vit:1",
		" mixer:1 , vit:2 ":            "mixer:1,vit:2",
		"convmixer:3":                  "convmixer:3",
		"vit:1,mixer:1,vit:1":          "vit:1,mixer:1,vit:1",
		"convmixer:1,mixer,vit":        "convmixer:1,mixer:1,vit:1",
		"vit(heads=1):2,vit":           "vit(heads=1):2,vit:1",
		"vit( hidden = 128, heads=1 )": "vit(heads=1,hidden=128):1",
		"vit(dropout=-1)":              "vit(dropout=-1):1",
		"convmixer( kernel=7 ) : 2,mixer(separate_norms=true)": "convmixer(kernel=7):2,mixer(separate_norms=true):1",
	} {
		c, err := Parse(spec)
		if err != nil {
			t.Errorf("Parse(%q): %v", spec, err)
			continue
		}
		if c.ID != want || c.Blocks.String() != want {
			t.Errorf("Parse(%q) has id %q and stack %q, want %q", spec, c.ID, c.Blocks, want)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("Parse(%q): %v", spec, err)
		}
		again, err := Parse(c.Blocks.String())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("Parse(%q) read back is %+v (%v), want %+v", c.Blocks, again, err, c)
		}
	}
	for _, entry := range Named() {
		c, err := Parse(entry.Config.ID)
		if err != nil || !reflect.DeepEqual(c, entry.Config) {
			t.Errorf("Parse(%q) is %+v (%v)", entry.Config.ID, c, err)
		}
	}
	hybrid := lookup(t, "mixer2-vit1")
	hybrid.ID = "mixer:2,vit:1"
	if c, err := Parse("mixer:2,vit:1"); err != nil || !reflect.DeepEqual(c, hybrid) {
		t.Errorf("mixer:2,vit:1 is %+v (%v), want mixer2-vit1's settings", c, err)
	}
	for spec, want := range map[string]string{
		"":                         `there is no block "", allowed are mixer, vit, convmixer`,
		"resnet-18":                `there is no block "resnet-18", allowed are mixer, vit, convmixer`,
		"mixer:0":                  `"0" is no number of blocks, allowed are 1 to 256`,
		"mixer:-1,vit":             `"-1" is no number of blocks`,
		"mixer:two":                `"two" is no number of blocks`,
		"mixer:200,vit:9999999999": `more than 256 blocks`,
		"mixer:2,,vit":             `there is no block ""`,
		"vit(heads=1:2":            `"vit(heads=1" does not close its parenthesis`,
		"vit(heads)":               `"heads" is no field with a number`,
		"vit(dropout=0.0)":         `"dropout=0.0": leave a field out`,
		"vit(dropout=0)":           `"dropout=0": leave a field out for the reference's own value; a ViT without dropout is "vit(dropout=-1)"`,
		"vit(heads=one)":           `"heads=one" is no field with a number`,
		"vit(head=1)":              `fields of vit (heads, key_dim, hidden, dropout, linear, no_bias): json: unknown field "head"`,
		"vit(heads=1.5)":           `cannot unmarshal number 1.5`,
		"vit)":                     `there is no block "vit)"`,
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) ||
			strings.HasPrefix(want, "there is no block") && !strings.Contains(err.Error(), "mixer2-vit1") {
			t.Errorf("Parse(%q): %v, want an error with %q, and the configurations where no block is meant", spec, err, want)
		}
	}
}

func TestJSON(t *testing.T) {
	configs := []Config{{
		ID: "own", ImageSize: 30, PatchSize: 3, Dim: 12, Channels: 1, Classes: 7, Stem: ConvStem, Position: true,
		Blocks:  Stack{Mixer{TokenHidden: 5, ChannelHidden: 6, SeparateNorms: true}, ViT{Heads: 2, KeyDim: 3, Hidden: 4, Dropout: -1}, ConvMixer{Kernel: 7}},
		Head:    Head{Norm: true, Pool: FlattenPool, Dropout: 0.75, Hidden: []int{8, 9}},
		Dropout: 0.25,
	}}
	for _, entry := range Named() {
		configs = append(configs, entry.Config)
	}
	for _, c := range configs {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(back, c) {
			t.Errorf("%s reads back as %+v, was %+v", text, back, c)
		}
	}
	text, err := json.Marshal(lookup(t, "mixer1-vit1"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"mixer1-vit1","image_size":64,"patch_size":8,"dim":128,"channels":3,"classes":10,"normalize":true,"blocks":[{"kind":"mixer"},{"kind":"vit"}],"head":{"dropout":0.4},"dropout":0.4}`
	if string(text) != want {
		t.Errorf("JSON is\n%s, want\n%s", text, want)
	}
	for text, want := range map[string]string{
		`[{"kind":"resnet"}]`:                 `reading block 0: there is no block "resnet", allowed are mixer, vit, convmixer`,
		`[{"kind":"mixer"},{"heads":4}]`:      `reading block 1: its "kind" is missing`,
		`[{"kind":"vit","head":4}]`:           `fields of vit (heads, key_dim, hidden, dropout, linear, no_bias): json: unknown field "head"`,
		`[{"kind":"convmixer","kernel":"5"}]`: `cannot unmarshal`,
		`{"kind":"mixer"}`:                    `reading a stack`,
	} {
		var stack Stack
		if err := json.Unmarshal([]byte(text), &stack); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reading %s: %v, want an error with %q", text, err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"image size is 0, but must be 1 to 16384":                                        func(c *Config) { c.ImageSize = 0 },
		"image size is 9000000000000000000, but must be 1 to 16384":                      func(c *Config) { c.ImageSize = 9e18 },
		"patch size is -8, but must be 1 to 16384":                                       func(c *Config) { c.PatchSize = -8 },
		"patch size 7 does not divide image size 64, allowed are 1, 2, 4, 8, 16, 32, 64": func(c *Config) { c.PatchSize = 7 },
		"dim is 0, but must be 1 to 16384":                                               func(c *Config) { c.Dim = 0 },
		"number of image channels is 0, but must be 1 to 16384":                          func(c *Config) { c.Channels = 0 },
		"number of classes is 1, but must be at least 2":                                 func(c *Config) { c.Classes = 1 },
		`stem is "patchify", allowed are "dense" and "conv"`:                             func(c *Config) { c.Stem = "patchify" },
		`pool of the head is "max", allowed are "average", "flatten" and "class"`:        func(c *Config) { c.Head.Pool = "max" },
		"hidden width 1 of the head is 0, but must be 1 to 16384":                        func(c *Config) { c.Head.Hidden = []int{5, 0} },
		"dropout is 1, but must be at least 0 and below 1":                               func(c *Config) { c.Dropout = 1 },
		"dropout of the head is -0.1, but must be at least 0 and below 1":                func(c *Config) { c.Head.Dropout = -0.1 },
		"the stack has no blocks, at least one is needed":                                func(c *Config) { c.Blocks = nil },
		"the stack has 257 blocks, at most 256 are allowed":                              func(c *Config) { c.Blocks = Repeat(Mixer{}, 257) },
		"block 1 is nil, allowed are mixer, vit, convmixer":                              func(c *Config) { c.Blocks = Stack{ViT{}, nil} },
		"block 0 (mixer): token_hidden is -1, but must be 1 to 16384, or 0":              func(c *Config) { c.Blocks = Stack{Mixer{TokenHidden: -1}} },
		"block 0 (mixer): channel_hidden is -1, but must be 1 to 16384, or 0":            func(c *Config) { c.Blocks = Stack{Mixer{ChannelHidden: -1}} },
		"block 0 (vit): heads is -1, but must be 1 to 16384, or 0":                       func(c *Config) { c.Blocks = Stack{ViT{Heads: -1}} },
		"block 0 (vit): key_dim is -2, but must be 1 to 16384, or 0":                     func(c *Config) { c.Blocks = Stack{ViT{KeyDim: -2}} },
		"block 0 (vit): dropout is 1, but must be above 0 and below 1":                   func(c *Config) { c.Blocks = Stack{ViT{Dropout: 1}} },
		"block 0 (convmixer): kernel is -5, but must be 1 to 16384, or 0":                func(c *Config) { c.Blocks = Stack{ConvMixer{Kernel: -5}} },
	} {
		c := lookup(t, "mixer1-vit1")
		change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), `model "mixer1-vit1" cannot be built: `+want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, countErr := c.Count(); countErr == nil {
			t.Errorf("%s: Count gives no error", want)
		}
	}
	// All faults are told at once.
	c := Config{}
	if err := c.Validate(); err == nil || strings.Count(err.Error(), "\n") < 5 {
		t.Errorf("an empty Config gives %v, want one sentence for each fault", err)
	}
	for _, entry := range Named() {
		if err := entry.Config.Validate(); err != nil {
			t.Errorf("%s: %v", entry.Config.ID, err)
		}
	}
}

func TestNamedTable(t *testing.T) {
	seen := map[string]bool{}
	for _, entry := range Named() {
		id := entry.Config.ID
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		r, training := entry.Reference, entry.Training
		if entry.Summary == "" || r.TestAccuracy <= 0 || r.TestAccuracy >= 1 || r.StepMS <= 0 || training.Batch < 1 || training.LearningRate <= 0 {
			t.Errorf("%s has gaps: %+v", id, entry)
		}
		for i, point := range r.ValAccuracy {
			if point.Accuracy <= 0 || point.Accuracy >= 1 || i > 0 && point.Epoch <= r.ValAccuracy[i-1].Epoch {
				t.Errorf("%s: bad curve %v", id, r.ValAccuracy)
			}
		}
		if last := r.ValAccuracy[len(r.ValAccuracy)-1]; last.Epoch != r.Epochs {
			t.Errorf("%s: the curve ends at epoch %d of %d", id, last.Epoch, r.Epochs)
		}
	}
	// Where the reference drops out: at one rate in Mixer blocks and head, but not in the conv rows' heads.
	for id, want := range map[string][2]float64{"mixer-4": {.2, .2}, "vit-1": {.3, .3}, "convmixer": {0, 0}, "convmixer-mixer": {.9, 0}} {
		if c := lookup(t, id); c.Dropout != want[0] || c.Head.Dropout != want[1] {
			t.Errorf("%s drops %v out in blocks and %v in the head, want %v", id, c.Dropout, c.Head.Dropout, want)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d configurations, the reference has 10", len(seen))
	}
	if _, err := Lookup("vit-3"); err == nil || !strings.Contains(err.Error(), `there is no configuration "vit-3", allowed are vit-vis, mixer-4`) {
		t.Errorf("Lookup of an unknown id: %v", err)
	}
}
