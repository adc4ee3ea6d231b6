// Package weights reads and writes networks' weights in the formats of others:
// safetensors files ([Read], [Write]), the names and layouts of timm, PyTorch
// Image Models ([FromTimm], [ToTimm]), and ONNX ([WriteONNX]).
//
// Inside, weights are GoMLX tensors by the paths that package models lists,
// such as "block_0/attention/query/kernel".
//
// Nothing is ever executed or unpickled. Whatever a file holds, the answer is
// weights of the shapes that the network needs, or an error that names the
// tensor and what was expected.
package weights
