package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"patchlab/kernel/notebook/parameters"
)

// parameterFlags set a notebook's parameters, as papermill's do.
type parameterFlags struct{ files, yaml, parameters []string }

func (p *parameterFlags) add(f *pflag.FlagSet) {
	f.StringArrayVarP(&p.parameters, "parameter", "p", nil, "set a parameter, `name=value`; repeat for more")
	f.StringArrayVarP(&p.files, "parameters-file", "f", nil, "set the parameters in this YAML or JSON `file`; repeat for more")
	f.StringArrayVarP(&p.yaml, "parameters-yaml", "y", nil, "set the parameters in this `YAML`; repeat for more")
}

// assignments are those of all flags, each name once.
func (p *parameterFlags) assignments() (list []parameters.Assignment, err error) {
	for _, name := range p.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading parameters: %w", err)
		}
		more, err := parameters.ParseYAML(text)
		if err != nil {
			return nil, fmt.Errorf("parameters in %s: %w", name, err)
		}
		list = parameters.Override(list, more)
	}
	for _, text := range p.yaml {
		more, err := parameters.ParseYAML([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("parameters in -y %q: %w", text, err)
		}
		list = parameters.Override(list, more)
	}
	named := map[string]bool{}
	for _, text := range p.parameters {
		a, err := parameters.ParseAssignment(text)
		if err != nil {
			return nil, err
		}
		if named[a.Name] {
			return nil, fmt.Errorf("parameter %s is given twice", a.Name)
		}
		named[a.Name] = true
		list = parameters.Override(list, []parameters.Assignment{a})
	}
	return list, nil
}
