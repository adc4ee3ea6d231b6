package claims

import (
	"context"
	"fmt"

	"patchlab/compare/stats"
)

// position: section 4, MLP-Mixer.
func position() Claim {
	return Claim{
		Name: "position", Section: "4 MLP-Mixer", Images: true,
		Statement: "Mixer needs no position embedding.",
		Method: "Test accuracy of two Mixer blocks (64 tokens of 64 channels) with a learned position embedding less without, " +
			"the same seed in both. The same of one ViT block stands beside it.",
		parts: []Part{{What: "what a position embedding gains a Mixer (points)", Region: below(2)}},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			gains := map[string][]float64{}
			for _, stack := range []string{"mixer:2", "vit:1"} {
				err := b.each(func(seed int64) error {
					without, err := b.trained(ctx, stack, false, seed)
					if err != nil {
						return err
					}
					with, err := b.trained(ctx, stack, true, seed)
					gains[stack] = append(gains[stack], accuracy(with)-accuracy(without))
					return err
				})
				if err != nil {
					return Measured{}, err
				}
			}
			control, err := stats.MeanT(gains["vit:1"], level)
			return Measured{[][]float64{gains["mixer:2"]}, []string{
				fmt.Sprintf("a ViT block gains %s points (%s to %s)", number(stats.Describe(gains["vit:1"]).Mean), number(control.Low), number(control.High)),
			}}, err
		},
	}
}

// hybrid: section 5, Hybrid Mixer + ViT.
func hybrid() Claim {
	return Claim{
		Name: "hybrid", Section: "5 Hybrid Mixer + ViT", Images: true, Times: true,
		Statement: "A few attention layers in a Mixer trade speed for accuracy.",
		Method: "Two Mixer blocks, and the same with attention in place of the second: test accuracy, the same seed in both, " +
			"and processor time a training image.",
		parts: []Part{
			{What: "what attention gains (points)", Region: above(0)},
			{What: "training time with attention over that without", Region: above(1)},
		},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			var gains, ratios []float64
			err := b.each(func(seed int64) error {
				mixers, err := b.trained(ctx, "mixer:2", false, seed)
				if err != nil {
					return err
				}
				mixed, err := b.trained(ctx, "mixer:1,vit:1", false, seed)
				gains = append(gains, accuracy(mixed)-accuracy(mixers))
				ratios = append(ratios, mixed.Metrics[processorMetric].Value/mixers.Metrics[processorMetric].Value)
				return err
			})
			return Measured{Values: [][]float64{gains, ratios}}, err
		},
	}
}

// dataEfficient: section 6, ConvMixer.
func dataEfficient() Claim {
	const few = 1000
	return Claim{
		Name: "data-efficient", Section: "6 ConvMixer", Images: true,
		Statement: "Convolution is more data-efficient.",
		Method: fmt.Sprintf("Two blocks of each kind on 64 tokens of 64 channels, trained on %d images for as many "+
			"steps as all images get, at a constant rate and to the end (the moving statistics of a ConvMixer take some 700 "+
			"steps to become those of its data; until then it validates at chance; results/claims-history.md has what an earlier method found): "+
			"test accuracy of ConvMixer less the better of Mixer and ViT, the same seed in all.", few),
		parts: []Part{{What: fmt.Sprintf("what convolution gains on %d images (points)", few), Region: above(0)}},
		measure: func(ctx context.Context, b *Bench) (Measured, error) {
			images := min(few, b.Scale.Images)
			epochs := max(1, b.Scale.Epochs*b.Scale.Images/images)
			sums := map[string]float64{}
			var gains []float64
			stacks := []string{"convmixer:2", "mixer:2", "vit:2"}
			err := b.each(func(seed int64) error {
				values := map[string]float64{}
				for _, stack := range stacks {
					recipe, err := b.recipe(stack, false, images, epochs, seed)
					if err != nil {
						return err
					}
					// Validation says nothing of a ConvMixer before its moving statistics are those of the data.
					recipe.Plateau, recipe.EarlyStopping = nil, nil
					run, err := b.train(ctx, recipe)
					if err != nil {
						return err
					}
					values[stack] = accuracy(run)
					sums[stack] += values[stack] / float64(b.Scale.Seeds)
				}
				gains = append(gains, values["convmixer:2"]-max(values["mixer:2"], values["vit:2"]))
				return nil
			})
			return Measured{[][]float64{gains}, []string{fmt.Sprintf("mean test accuracy after %d epochs: ConvMixer %s, Mixer %s, ViT %s %%",
				epochs, number(sums["convmixer:2"]), number(sums["mixer:2"]), number(sums["vit:2"]))}}, err
		},
	}
}
