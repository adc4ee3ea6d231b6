package sweep

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds a sweep file, in bytes.
const maxFile = 1 << 20

// key is a key of a mapping: what its value must be, and where that goes.
type key struct {
	name, is string
	into     any
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
		err = errors.New(fault.Message)
		if fault.Mark.Line > 0 {
			err = fmt.Errorf("line %d: %w", fault.Mark.Line, err)
		}
	}
	return errors.New(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
}

func parse(text []byte, check func(flag, value string) error) (Spec, error) {
	s := Default()
	var top, train, parameters, halving yaml.Node
	if err := yaml.Load(text, &top); err != nil {
		return s, err
	}
	const numbers, whole, mapping = "a list of whole numbers", "a whole number", "a mapping"
	err := read(&top, "a sweep", []key{
		{"name", "a text", &s.Name},
		{"train", mapping, &train},
		{"parameters", mapping, &parameters},
		{"seeds", numbers, &s.Seeds},
		{"search", "a text", &s.Search},
		{"candidates", whole, &s.Candidates},
		{"search-seed", whole + ", 0 or more", &s.SearchSeed},
		{"metric", "a text", &s.Metric},
		{"early-stopping", mapping, &halving},
	})
	if err != nil {
		return s, err
	}
	if !missing(&halving) {
		h := DefaultHalving()
		s.EarlyStopping = &h
		if err := read(&halving, "early-stopping", []key{{"min-epochs", whole, &h.MinEpochs}, {"reduction", whole, &h.Reduction}}); err != nil {
			return s, err
		}
	}
	err = pairs(&train, "train", func(key, value *yaml.Node) error {
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
		return s, err
	}
	err = pairs(&parameters, "parameters", func(key, value *yaml.Node) error {
		p := Parameter{Name: key.Value}
		if value.Kind == yaml.MappingNode {
			r, err := readRange(value, "the range of "+key.Value)
			if err != nil {
				return err
			}
			p.Range = r
		} else if p.Values, err = readValues(value); err != nil {
			return fmt.Errorf("line %d: parameter %s: %w", value.Line, key.Value, err)
		}
		if err := p.Check(check); err != nil {
			return fmt.Errorf("line %d: parameter %s: %w", value.Line, key.Value, err)
		}
		s.Parameters = append(s.Parameters, p)
		return nil
	})
	return s, err
}

// missing reports whether a mapping says nothing.
func missing(n *yaml.Node) bool { return n.IsZero() || n.Tag == "!!null" }

// read reads the mapping of a thing by its keys; what is left out stays as it is.
func read(n *yaml.Node, what string, keys []key) error {
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	allowed := strings.Join(names, ", ")
	if !missing(n) && n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s is a mapping of the keys %s", n.Line, what, allowed)
	}
	return pairs(n, what, func(name, value *yaml.Node) error {
		at := slices.Index(names, name.Value)
		if at < 0 {
			return fmt.Errorf("line %d: %q is no key of %s; allowed: %s", name.Line, name.Value, what, allowed)
		}
		if missing(value) {
			return nil
		}
		if err := value.Load(keys[at].into); err != nil {
			return fmt.Errorf("line %d: %s of %s must be %s", value.Line, name.Value, what, keys[at].is)
		}
		return nil
	})
}

// pairs calls f with each key and value of a mapping, in the file's order; a key
// that is there twice is an error.
func pairs(n *yaml.Node, what string, f func(key, value *yaml.Node) error) error {
	if missing(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: %s must be a mapping of flags of patchlab train", n.Line, what)
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if before, ok := lines[key.Value]; ok {
			return fmt.Errorf("line %d: %s of %s is there already, in line %d", key.Line, key.Value, what, before)
		}
		lines[key.Value] = key.Line
		if err := f(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// readValues reads the values of a list.
func readValues(n *yaml.Node) (values []string, err error) {
	if n.Kind != yaml.SequenceNode {
		return nil, errors.New("it must be a list of values, or a range {min: …, max: …}")
	}
	for _, v := range n.Content {
		if v.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("the value in line %d is no single value", v.Line)
		}
		values = append(values, v.Value)
	}
	return values, nil
}

// readRange reads a range; what it is called in errors, which name the line.
func readRange(n *yaml.Node, what string) (*Range, error) {
	r, scale := &Range{Min: math.NaN(), Max: math.NaN()}, "linear"
	err := read(n, what, []key{{"min", "a number", &r.Min}, {"max", "a number", &r.Max}, {"scale", "linear or log", &scale},
		{"step", "a number", &r.Step}, {"count", "a whole number", &r.Count}})
	switch {
	case err != nil:
		return nil, err
	case math.IsNaN(r.Min) || math.IsNaN(r.Max):
		return nil, fmt.Errorf("line %d: %s needs min and max", n.Line, what)
	case scale != "linear" && scale != "log":
		return nil, fmt.Errorf("line %d: %s has the scale %q; allowed: linear, log", n.Line, what, scale)
	}
	r.Log = scale == "log"
	return r, nil
}
