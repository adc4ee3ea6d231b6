package datasets

import (
	"fmt"
	"strings"
)

// Describe returns a dataset without its pictures: name, classes and the size of one picture. It
// reads nothing.
func Describe(name string) (Dataset, error) {
	switch name {
	case "cifar10":
		return Dataset{Name: name, Classes: cifarClasses(), Height: 32, Width: 32, Channels: 3}, nil
	case "fashion-mnist":
		return Dataset{Name: name, Classes: fashionClasses(), Height: 28, Width: 28, Channels: 1}, nil
	case "shapes":
		return Dataset{Name: name, Classes: shapesClasses(), Height: 32, Width: 32, Channels: 3}, nil
	}
	return Dataset{}, fmt.Errorf("unknown dataset %q, allowed are %s", name, strings.Join(Names(), ", "))
}
