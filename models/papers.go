package models

import "slices"

// Papers returns architectures at the sizes that their papers report, by the names that timm or the
// paper gives them: for ImageNet's 1,000 classes at 224 x 224, and for CIFAR-10 at 32 x 32. Trainable
// parameters are exactly timm's, or the paper's repository's. They have no dropout, and compute what timm
// computes (package weights reads what it saves).
//
// Deviation from timm: BatchNorm's momentum in training is Keras's .99, as everywhere here; PyTorch's
// comes to .9.
func Papers() []Config {
	return slices.Concat(paperViTs(), paperMixers(), paperConvMixers())
}

// paperViTs are ViT-Ti, S and B with patches of 16 (Touvron et al. 2021, "Training data-efficient image
// transformers", table 1; Dosovitskiy et al. 2021, table 1), and ViT-Lite-7/4 for small images (Hassani
// et al. 2021, "Escaping the Big Data Paradigm with Compact Transformers", table 1).
func paperViTs() []Config {
	vit := func(id string, image, patch, dim, depth, heads, widening, classes int) Config {
		block := ViT{Heads: heads, KeyDim: dim / heads, Hidden: widening * dim, Dropout: -1, Linear: true}
		return Config{
			ID: id, ImageSize: image, PatchSize: patch, Dim: dim, Channels: 3, Classes: classes,
			Normalize: true, Position: true, Blocks: Repeat(block, depth), Head: Head{Norm: true, Pool: ClassPool},
		}
	}
	// ViT-Lite's queries, keys and values have no biases. Its repository (SHI-Labs' Compact-Transformers)
	// takes the skip around the MLP after its norm; here it starts before, as in the papers.
	lite := vit("vit-lite-7-4", 32, 4, 256, 7, 4, 2, 10)
	for i, block := range lite.Blocks {
		v := block.(ViT)
		v.NoBias = true
		lite.Blocks[i] = v
	}
	return []Config{
		vit("vit_tiny_patch16_224", 224, 16, 192, 12, 3, 4, 1000),
		vit("vit_small_patch16_224", 224, 16, 384, 12, 6, 4, 1000),
		vit("vit_base_patch16_224", 224, 16, 768, 12, 12, 4, 1000),
		lite,
	}
}

// paperMixers are S/16 and B/16 (Tolstikhin et al. 2021, table 1), and a Mixer of 1.1 million
// parameters for small images.
func paperMixers() []Config {
	mixer := func(id string, image, patch, dim, depth, tokenHidden, channelHidden, classes int) Config {
		block := Mixer{TokenHidden: tokenHidden, ChannelHidden: channelHidden, SeparateNorms: true}
		return Config{
			ID: id, ImageSize: image, PatchSize: patch, Dim: dim, Channels: 3, Classes: classes,
			Normalize: true, Blocks: Repeat(block, depth), Head: Head{Norm: true},
		}
	}
	return []Config{
		mixer("mixer_s16_224", 224, 16, 512, 8, 256, 2048, 1000),
		mixer("mixer_b16_224", 224, 16, 768, 12, 384, 3072, 1000),
		mixer("mixer-128-8", 32, 4, 128, 8, 64, 512, 10),
	}
}

// paperConvMixers are 768/32 and 1536/20 (Trockman & Kolter 2022, table 1: the first with ReLU), and 256/8
// for small images (the paper's appendix on CIFAR-10). BatchNorm's epsilon is PyTorch's.
func paperConvMixers() []Config {
	conv := func(id string, image, patch, dim, depth, kernel, classes int, relu bool) Config {
		return Config{
			ID: id, ImageSize: image, PatchSize: patch, Dim: dim, Channels: 3, Classes: classes,
			Normalize: true, Stem: ConvStem, Blocks: Repeat(ConvMixer{Kernel: kernel}, depth),
			ReLU: relu, BatchNormEpsilon: 1e-5,
		}
	}
	return []Config{
		conv("convmixer_768_32", 224, 7, 768, 32, 7, 1000, true),
		conv("convmixer_1536_20", 224, 7, 1536, 20, 9, 1000, false),
		conv("convmixer-256-8", 32, 2, 256, 8, 5, 10, false),
		conv("convmixer-256-8-k9-p1", 32, 1, 256, 8, 9, 10, false),
	}
}
