//go:build noxla || !cgo || !((linux && (amd64 || arm64)) || (darwin && arm64))

package backend

import "github.com/gomlx/compute"

const xlaBuilt = false

func openXLA(string, Kind) (compute.Backend, string, error) { return nil, "", ErrNoXLA }

// UseTF32 does nothing: there is no GPU.
func UseTF32(compute.Backend, bool) {}

func (o *opener) defaultInstallers() []installer { return nil }
