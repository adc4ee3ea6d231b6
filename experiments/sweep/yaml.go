package sweep

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds a sweep file, in bytes.
const maxFile = 1 << 20

// file is a sweep as YAML has it.
type file struct {
	Name          string       `yaml:"name"`
	Train         yaml.Node    `yaml:"train"`
	Parameters    yaml.Node    `yaml:"parameters"`
	Seeds         []int64      `yaml:"seeds"`
	Search        Search       `yaml:"search"`
	Candidates    int          `yaml:"candidates"`
	SearchSeed    *uint64      `yaml:"search-seed"`
	Metric        Metric       `yaml:"metric"`
	EarlyStopping *halvingFile `yaml:"early-stopping"`
}

type halvingFile struct {
	MinEpochs *int `yaml:"min-epochs"`
	Reduction *int `yaml:"reduction"`
}

type rangeFile struct {
	Min   *float64 `yaml:"min"`
	Max   *float64 `yaml:"max"`
	Scale string   `yaml:"scale"`
	Step  float64  `yaml:"step"`
	Count int      `yaml:"count"`
}

// Read reads a sweep from YAML. An unknown key is an error, and so is what check
// says of a flag and a value of it; a range's flag is checked without a value.
// Errors name the file and the line. What is left out is as in [Default]; the
// name may be missing. The caller validates.
func Read(src io.Reader, name string, check func(flag, value string) error) (Spec, error) {
	text, err := io.ReadAll(io.LimitReader(src, maxFile+1))
	if err != nil {
		return Spec{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(text) > maxFile {
		return Spec{}, fmt.Errorf("%s has more than %d bytes, too many for a sweep", name, maxFile)
	}
	spec, err := parse(text, check)
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", name, oneLine(err))
	}
	return spec, nil
}

// oneLine is an error in a line, which names the line where the library knows it.
func oneLine(err error) error {
	var fault *yaml.LoadError
	if errors.As(err, &fault) {
		err = errors.New(strings.ReplaceAll(fault.Message, " in type sweep.file", ""))
		if fault.Mark.Line > 0 {
			err = fmt.Errorf("line %d: %w", fault.Mark.Line, err)
		}
	}
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}

func parse(text []byte, check func(flag, value string) error) (Spec, error) {
	var f file
	if err := yaml.Load(text, &f, yaml.WithKnownFields(), yaml.WithUniqueKeys()); err != nil {
		return Spec{}, err
	}
	s := Default()
	s.Name, s.Candidates = f.Name, f.Candidates
	if f.Seeds != nil {
		s.Seeds = f.Seeds
	}
	if f.Search != "" {
		s.Search = f.Search
	}
	if f.SearchSeed != nil {
		s.SearchSeed = *f.SearchSeed
	}
	if f.Metric != "" {
		s.Metric = f.Metric
	}
	if h := f.EarlyStopping; h != nil {
		halving := DefaultHalving()
		if h.MinEpochs != nil {
			halving.MinEpochs = *h.MinEpochs
		}
		if h.Reduction != nil {
			halving.Reduction = *h.Reduction
		}
		s.EarlyStopping = &halving
	}
	err := pairs(&f.Train, "train", func(key, value *yaml.Node) error {
		if value.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: %s is no single value; values to try belong under parameters", value.Line, key.Value)
		}
		if err := check(key.Value, value.Value); err != nil {
			return fmt.Errorf("line %d: %w", value.Line, err)
		}
		s.Train[key.Value] = value.Value
		return nil
	})
	if err != nil {
		return Spec{}, err
	}
	err = pairs(&f.Parameters, "parameters", func(key, value *yaml.Node) error {
		p, err := parameter(key.Value, value)
		if err == nil {
			err = p.Check(check)
		}
		if err != nil {
			return fmt.Errorf("line %d: parameter %s: %w", value.Line, key.Value, err)
		}
		s.Parameters = append(s.Parameters, p)
		return nil
	})
	return s, err
}

// pairs calls f with each key and value of a mapping, in the file's order.
func pairs(n *yaml.Node, what string, f func(key, value *yaml.Node) error) error {
	if n.IsZero() || n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s must be a mapping of flags of patchlab train", n.Line, what)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := f(n.Content[i], n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// parameter reads a list of values or a range.
func parameter(name string, n *yaml.Node) (Parameter, error) {
	p := Parameter{Name: name}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, v := range n.Content {
			if v.Kind != yaml.ScalarNode {
				return p, fmt.Errorf("the value in line %d is no single value", v.Line)
			}
			p.Values = append(p.Values, v.Value)
		}
	case yaml.MappingNode:
		var r rangeFile
		if err := n.Load(&r, yaml.WithKnownFields()); err != nil {
			return p, oneLine(err)
		}
		if r.Min == nil || r.Max == nil {
			return p, errors.New("a range needs min and max")
		}
		if r.Scale != "" && r.Scale != "linear" && r.Scale != "log" {
			return p, errors.New("scale " + strconv.Quote(r.Scale) + "; allowed: linear, log")
		}
		p.Range = &Range{Min: *r.Min, Max: *r.Max, Log: r.Scale == "log", Step: r.Step, Count: r.Count}
	default:
		return p, errors.New("it must be a list of values, or a range {min: …, max: …}")
	}
	return p, nil
}
