package parameters

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"patchlab/kernel/notebook/ordered"
)

// ParseYAML reads parameters from a mapping in YAML, and so in JSON, in its order.
// As in papermill, dates are texts.
func ParseYAML(text []byte) ([]Assignment, error) {
	var whole any // which finds what no parameter can be, aliases that grow without end among it
	if err := yaml.Unmarshal(text, &whole); err != nil {
		return nil, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", ""))
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 { // empty, or comments alone
		return nil, nil
	}
	top := resolve(document.Content[0])
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d is no mapping; allowed: lines such as \"epochs: 3\", or a JSON object", top.Line)
	}
	var list []Assignment
	for i := 0; i < len(top.Content); i += 2 {
		key := top.Content[i]
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			return nil, fmt.Errorf("line %d: a name is missing", key.Line)
		}
		value, err := yamlValue(top.Content[i+1])
		if err != nil {
			return nil, err
		}
		list = append(list, Assignment{Name: key.Value, Text: yamlText(value), value: value})
	}
	return list, nil
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func yamlValue(n *yaml.Node) (ordered.Value, error) {
	switch n = resolve(n); n.Kind {
	case yaml.SequenceNode:
		list := &ordered.Array{}
		for _, item := range n.Content {
			v, err := yamlValue(item)
			if err != nil {
				return nil, err
			}
			list.Items = append(list.Items, v)
		}
		return list, nil
	case yaml.MappingNode:
		object := &ordered.Object{}
		for i := 0; i < len(n.Content); i += 2 {
			v, err := yamlValue(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object.Set(n.Content[i].Value, v)
		}
		return object, nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, fmt.Errorf("line %d: %w", n.Line, err)
	}
	switch v := v.(type) {
	case nil, bool, int, int64, float64:
		return ordered.From(v)
	case uint64:
		return ordered.Scalar(fmt.Sprint(v)), nil
	}
	return ordered.String(n.Value), nil
}

// yamlText is a value as a user would give it for one parameter.
func yamlText(v ordered.Value) string {
	if text, ok := ordered.Text(v); ok {
		return text
	}
	return string(ordered.Append(nil, v, ""))
}
