package lab

import (
	"fmt"

	"patchlab/backend"
)

// KindOf is the kind of a backend by the name that runs record, such as "xla:cpu".
func KindOf(name string) (backend.Kind, error) {
	switch name {
	case "xla:cpu":
		return backend.XLA, nil
	case "xla:cuda":
		return backend.CUDA, nil
	case "go":
		return backend.Go, nil
	}
	return "", fmt.Errorf("the run was made on backend %q, which this version doesn't know", name)
}
