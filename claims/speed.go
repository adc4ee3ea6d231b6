package claims

import (
	"context"
	"fmt"
	"math"

	"patchlab/experiments"
	"patchlab/models"
)

// cost: section 2, ViT, and section 4, MLP-Mixer.
func cost() Claim {
	const few, many = 576, 2304 // tokens: 24 × 24 and 48 × 48 patches of 2 × 2 pixels
	network := func(block models.Block, tokens int) models.Config {
		return models.Config{
			ID: fmt.Sprintf("%s of %d tokens", block.Kind(), tokens), ImageSize: 2 * int(math.Sqrt(float64(tokens))), PatchSize: 2,
			Dim: 32, Channels: 3, Classes: 10, Blocks: models.Repeat(block, 2),
		}
	}
	vit := models.ViT{Heads: 2, KeyDim: 16, Hidden: 32}
	mixer := models.Mixer{TokenHidden: 64, ChannelHidden: 64}
	return Claim{
		Name: "cost", Section: "4 MLP-Mixer", Times: true,
		Statement: "ViT's cost is quadratic in patches and Mixer's linear.",
		Method: fmt.Sprintf("Processor time of a forward pass of two blocks of 32 channels on %d and %d tokens, by turns: the exponent by which "+
			"it grows with the tokens. Mixer with hidden widths of 64, whatever the tokens, as in its paper.", few, many),
		parts: []Part{
			{What: "ViT's exponent", Region: between(1.6, 2.4)},
			{What: "Mixer's exponent", Region: between(.6, 1.4)},
		},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			configs := []models.Config{network(vit, few), network(vit, many), network(mixer, few), network(mixer, many), network(models.Mixer{}, few), network(models.Mixer{}, many)}
			times, err := b.times(ctx, configs, 2)
			if err != nil {
				return Measured{}, err
			}
			exponents := func(i int) (byTime []float64, byFLOPs float64) {
				for round := range times[i] {
					byTime = append(byTime, math.Log(times[i+1][round]/times[i][round])/math.Log(float64(many)/few))
				}
				return byTime, math.Log(float64(configs[i+1].FLOPs())/float64(configs[i].FLOPs())) / math.Log(float64(many)/few)
			}
			ofViT, vitFLOPs := exponents(0)
			ofMixer, mixerFLOPs := exponents(2)
			ofCourse, courseFLOPs := exponents(4)
			course, err := interval(ofCourse)
			return Measured{[][]float64{ofViT, ofMixer}, []string{
				fmt.Sprintf("by the arithmetic alone the exponents are %s and %s", number(vitFLOPs), number(mixerFLOPs)),
				fmt.Sprintf("the course's own Mixer, whose hidden widths are the number of tokens, has %s by time and %s by arithmetic: as quadratic as ViT", course, number(courseFLOPs)),
			}}, err
		},
	}
}

// slowInference: section 6, ConvMixer.
func slowInference() Claim {
	return Claim{
		Name: "inference", Section: "6 ConvMixer", Times: true,
		Statement: "ConvMixers are slower at inference.",
		Method: "Processor time of a forward pass an image, by turns, of three networks for 32 × 32 images that reach about the same accuracy from " +
			"scratch (90.8 to 92.6 % in their sources): ConvMixer-256/8, Mixer of 8 layers of 128 channels, ViT-Lite-7/4.",
		parts: []Part{
			{What: "ConvMixer's time over Mixer's", Region: above(1)},
			{What: "ConvMixer's time over ViT's", Region: above(1)},
		},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			var configs []models.Config
			for _, id := range []string{"convmixer-256-8", "mixer-128-8", "vit-lite-7-4"} {
				c, err := models.Parse(id)
				if err != nil {
					return Measured{}, err
				}
				configs = append(configs, c)
			}
			times, err := b.times(ctx, configs, 16)
			if err != nil {
				return Measured{}, err
			}
			ratios := make([][]float64, 2)
			for i := range ratios {
				for round, t := range times[0] {
					ratios[i] = append(ratios[i], t/times[i+1][round])
				}
			}
			return Measured{ratios, []string{fmt.Sprintf("a forward pass is %s, %s and %s MFLOP an image",
				number(float64(configs[0].FLOPs())/1e6), number(float64(configs[1].FLOPs())/1e6), number(float64(configs[2].FLOPs())/1e6))}}, nil
		},
	}
}

// times gives the processor time of a forward pass of each network in each of two
// rounds a seed, in which they take turns; what compiles is not counted.
func (b *Bench) times(ctx context.Context, configs []models.Config, batch int) ([][]float64, error) {
	networks := make([]*experiments.Network, len(configs))
	images := make([][]uint8, len(configs))
	for i, c := range configs {
		var err error
		if networks[i], err = experiments.NewNetwork(b.Backend, c, 1); err != nil {
			return nil, err
		}
		defer networks[i].Close()
		images[i] = make([]uint8, batch*c.ImageSize*c.ImageSize*c.Channels)
		for k := range images[i] {
			images[i][k] = uint8(k * 7)
		}
	}
	times := make([][]float64, len(configs))
	const passes = 3
	for round := range 2*b.Scale.Seeds + 1 {
		if round == 1 {
			b.Say("timing %d networks by turns, %d rounds", len(configs), 2*b.Scale.Seeds)
		}
		for i, c := range configs {
			began := experiments.ProcessorTime()
			for range passes {
				if _, err := networks[i].Logits(ctx, images[i], c.ImageSize, c.ImageSize, batch); err != nil {
					return nil, err
				}
			}
			if round > 0 { // the first compiles
				times[i] = append(times[i], (experiments.ProcessorTime()-began).Seconds()/passes)
			}
		}
	}
	return times, nil
}
