// Package models builds patch-based image classifiers as GoMLX graphs: Vision Transformer (vit.go),
// MLP-Mixer (mixer.go), ConvMixer (convmixer.go), and any stack of their blocks.
//
// A Config describes one network wholly. Every network has the same frame, each stage of which lives in
// one file:
//
//	images [B, H, W, 3] uint8
//	  -> scaled                                [B, H, W, 3]  embed.go
//	  -> resized, cut into patches, projected  [B, T, C]     embed.go
//	  -> blocks                                [B, T, C]     mixer.go, vit.go, convmixer.go
//	  -> pooled, classified                    [B, classes]  config.go
//
// T is the number of patches (tokens), C the number of channels (Config.Dim). The ten configurations of
// the course that this project implements are in reference.go with the figures that it measured.
//
// # Variables
//
// Weights live in a model.Store under plain paths, which saved files use as names, so they stay as they
// are. Below the scope given to Logits (N counts the blocks from 0):
//
//	normalization/mean|variance|count         [3] [3] []        not trained
//	embedding/kernel|bias                     [p*p*3, C] [C]    conv stem: kernel [p, p, 3, C]
//	embedding/norm/…                          [C]               conv stem only: BatchNorm
//	position/embedding                        [T, C]
//	class_token                               [1, C]            class pool only
//	block_N/norm/gamma|beta                   [C]               Mixer; separate: token_norm, channel_norm
//	block_N/token_mlp/dense_0|1/kernel|bias   [T, hidden], [hidden, T]
//	block_N/channel_mlp/dense_0|1/kernel|bias [C, hidden], [hidden, C]
//	block_N/norm_0|norm_1/gamma|beta          [C]               ViT
//	block_N/attention/query|key|value/kernel|bias  [C, heads, k] [heads, k]
//	block_N/attention/output/kernel|bias      [heads, k, C] [C]
//	block_N/mlp/dense_0|1/kernel|bias         [C, hidden], [hidden, C]
//	block_N/depthwise/kernel|bias|norm/…      [k, k, 1, C] [C]  ConvMixer
//	block_N/pointwise/kernel|bias|norm/…      [C, C] [C]
//	head/norm/gamma|beta, head/dense_N/kernel|bias
//	classifier/kernel|bias                    [C, classes] [classes]
//
// BatchNorm's norm/… is gamma, beta (trained), moving_mean, moving_variance (not trained). All are
// float32. Initial values follow from the store's parameter ParamSeed and the path alone, and are
// computed in Go: the same on every backend.
//
// # Faults
//
// Config.Validate and the functions that read text return errors. Logits builds a graph and, as GoMLX's
// own functions, panics on what Validate would have told.
package models
