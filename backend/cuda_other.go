//go:build darwin && arm64 && cgo && !noxla

package backend

// preloadNVIDIA does nothing: JAX has no CUDA plugin for this platform.
func preloadNVIDIA(string) int { return 0 }
