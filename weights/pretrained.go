package weights

import (
	"encoding/json"
	"fmt"
	"io"

	"patchlab/models"
)

// Pretrained is what timm keeps of a network beside its weights: what pictures
// it is used to.
type Pretrained struct {
	Architecture string // timm's name, such as "vit_tiny_patch16_224"; "" where it is not known
	Pixels
	Crop    float64  // the part of a picture's shorter side that is shown
	Classes []string // names; nil where they are not known
}

// TimmDefaults are those of timm's architectures where nothing else is said
// (timm 1.0, the default_cfgs of vision_transformer.py, mlp_mixer.py and
// convmixer.py).
func TimmDefaults(config models.Config) Pretrained {
	half := []float64{.5, .5, .5}
	p := Pretrained{Pixels: Pixels{half, half}, Crop: .9}
	switch config.Blocks[0].(type) {
	case models.Mixer:
		p.Crop = .875
	case models.ConvMixer:
		p.Pixels, p.Crop = Pixels{[]float64{.485, .456, .406}, []float64{.229, .224, .225}}, .96 // ImageNet's
	}
	return p
}

// maxConfig bounds a config.json, in bytes.
const maxConfig = 16 << 20

// ReadConfig reads the config.json that timm writes beside a model's weights
// (timm.models.save_for_hf). What it does not say is left zero. Pictures that
// are scaled in another way than bicubically, or not cut out in the middle, are
// an error.
func ReadConfig(r io.Reader) (Pretrained, error) {
	var c struct {
		Architecture string          `json:"architecture"`
		Labels       json.RawMessage `json:"label_names"`
		Pictures     struct {
			Mean          []float64       `json:"mean"`
			Std           []float64       `json:"std"`
			Crop          float64         `json:"crop_pct"`
			CropMode      string          `json:"crop_mode"`
			Interpolation string          `json:"interpolation"`
			Labels        json.RawMessage `json:"label_names"`
		} `json:"pretrained_cfg"`
	}
	if err := json.NewDecoder(io.LimitReader(r, maxConfig)).Decode(&c); err != nil {
		return Pretrained{}, fmt.Errorf("read config.json: %w", err)
	}
	p := Pretrained{Architecture: c.Architecture, Pixels: Pixels{c.Pictures.Mean, c.Pictures.Std}, Crop: c.Pictures.Crop}
	if mode := c.Pictures.CropMode; mode != "" && mode != "center" {
		return p, fmt.Errorf("read config.json: crop_mode is %q; allowed: center", mode)
	}
	if way := c.Pictures.Interpolation; way != "" && way != "bicubic" {
		return p, fmt.Errorf("read config.json: interpolation is %q; allowed: bicubic", way)
	}
	for _, labels := range []json.RawMessage{c.Labels, c.Pictures.Labels} {
		if len(labels) == 0 || string(labels) == "null" {
			continue
		}
		if err := json.Unmarshal(labels, &p.Classes); err != nil {
			return p, fmt.Errorf("read config.json: label_names is no list of names: %w", err)
		}
		break
	}
	return p, nil
}
