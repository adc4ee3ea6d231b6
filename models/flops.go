package models

// FLOPs returns the floating-point operations of the forward pass for one image, from the patches
// on. A multiply-add counts as 2. Counted are the products: Dense layers, convolutions, attention's
// QKᵀ and score-times-value. Not counted, as is customary: biases, normalisations, activations,
// softmax, skips, pooling, and the scaling and resizing of the image.
func (c Config) FLOPs() int64 {
	tokens := c.Tokens()
	total := products(c.Grid()*c.Grid(), c.PatchSize*c.PatchSize*c.Channels, c.Dim)
	for _, block := range c.Blocks {
		total += block.flops(tokens, c.Dim)
	}
	width := c.Dim
	if c.Head.Pool == FlattenPool {
		width *= tokens
	}
	for _, hidden := range c.Head.Hidden {
		total += products(1, width, hidden)
		width = hidden
	}
	return total + products(1, width, c.Classes)
}

// products is the cost of a matrix product [rows, inner] x [inner, columns].
func products(rows, inner, columns int) int64 {
	return 2 * int64(rows) * int64(inner) * int64(columns)
}
