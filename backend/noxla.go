//go:build noxla || !((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import (
	"context"
	"errors"

	"github.com/gomlx/compute"
)

const xlaBuilt = false

var errNoXLA = errors.New("this program was built without XLA")

func openXLA(string, Kind) (compute.Backend, string, error) { return nil, "", errNoXLA }

func (o *opener) install(context.Context) (candidate, error) { return candidate{}, errNoXLA }
