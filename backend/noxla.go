//go:build noxla || !cgo || !((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import "github.com/gomlx/compute"

const xlaBuilt = false

func openXLA(string, Kind) (compute.Backend, string, error) { return nil, "", ErrNoXLA }

func (o *opener) defaultInstallers() []installer { return nil }
