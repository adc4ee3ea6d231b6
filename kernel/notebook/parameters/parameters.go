package parameters

import (
	"fmt"
	"slices"
	"strings"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// Tags of the cells that declare and set parameters.
const (
	Tag         = "parameters"
	InjectedTag = "injected-parameters"
)

// Assignment is one parameter as a user gives it.
type Assignment struct {
	Name, Text string
	value      ordered.Value // what a file says that it is; nil: what the text looks like
}

// ParseAssignment reads "name=value".
func ParseAssignment(text string) (Assignment, error) {
	name, value, ok := strings.Cut(text, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return Assignment{}, fmt.Errorf("parameter %q; allowed: name=value", text)
	}
	return Assignment{Name: name, Text: value}, nil
}

// Override returns the assignments, with those of more in the place of others of
// their names.
func Override(list, more []Assignment) []Assignment {
	list = slices.Clone(list)
	for _, a := range more {
		if i := slices.IndexFunc(list, func(b Assignment) bool { return a.Name == b.Name }); i >= 0 {
			list[i] = a
		} else {
			list = append(list, a)
		}
	}
	return list
}

// Inject puts a cell that sets the parameters into the notebook, in place of one
// that is there already, and returns their values for the notebook's metadata. The
// warnings name what looks wrong but can't be known to be.
func Inject(n *notebook.Notebook, assignments []Assignment) (values *ordered.Object, warnings []string, err error) {
	values = &ordered.Object{}
	if len(assignments) == 0 {
		return values, nil, nil
	}
	for i, a := range assignments {
		same := func(b Assignment) bool { return a.Name == b.Name }
		if slices.ContainsFunc(assignments[i+1:], same) {
			return nil, nil, fmt.Errorf("parameter %s is given twice", a.Name)
		}
	}
	tagged := slices.IndexFunc(n.Cells, func(c *notebook.Cell) bool { return c.Tagged(Tag) })
	var cell *notebook.Cell
	if tagged >= 0 {
		cell = n.Cells[tagged]
	}
	var source string
	switch language := n.Language(); language {
	case "go":
		source, err = goSource(cell, assignments, values)
	case "python":
		source, warnings = pythonSource(cell, assignments, values)
	default:
		err = fmt.Errorf("parameters for a notebook in language %q; allowed: go, python", language)
	}
	if err != nil {
		return nil, nil, err
	}
	if i := slices.IndexFunc(n.Cells, func(c *notebook.Cell) bool { return c.Tagged(InjectedTag) }); i >= 0 {
		n.Cells[i].SetSource(source)
		n.Cells[i].SetOutputs(nil)
		n.Cells[i].SetCount(0)
		return values, warnings, nil
	}
	injected := notebook.NewCell(notebook.Code, source, InjectedTag)
	injected.SetID(InjectedTag)
	n.Insert(tagged+1, injected)
	return values, warnings, nil
}
