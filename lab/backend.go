package lab

import (
	"fmt"

	"patchlab/backend"
)

// KindOf is the kind of a backend by its name, as [backend.Info] has it and runs record it: "xla:cpu", "xla:cuda" or
// "go". Another name is an error.
func KindOf(name string) (backend.Kind, error) {
	switch name {
	case "xla:cpu":
		return backend.XLA, nil
	case "xla:cuda":
		return backend.CUDA, nil
	case "go":
		return backend.Go, nil
	}
	return "", fmt.Errorf("backend %q; known: xla:cpu, xla:cuda, go", name)
}
