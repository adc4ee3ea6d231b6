//go:build unix && !linux

package child

// serveInput does nothing: only Linux shows which process waits to read.
func (c *Child) serveInput(*run) {}
