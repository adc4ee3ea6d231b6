package mlflow

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Tags in which MLflow keeps what is a field of a run here.
const (
	NameTag   = "mlflow.runName"
	NoteTag   = "mlflow.note.content"
	ParentTag = "mlflow.parentRunId"
	UserTag   = "mlflow.user"
)

// EnvironmentTag begins the tags that carry a run's environment, of which
// MLflow knows nothing.
const EnvironmentTag = "patchlab.env."

// ContextTag is the tag of a dataset that says what it was used for.
const ContextTag = "mlflow.data.context"

// Pair is a parameter or a tag.
type Pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ToPairs lists fields by their names.
func ToPairs(fields map[string]string) []Pair {
	pairs := make([]Pair, 0, len(fields))
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		pairs = append(pairs, Pair{k, fields[k]})
	}
	return pairs
}

// ToMap undoes ToPairs; of pairs with one name the last counts.
func ToMap(pairs []Pair) map[string]string {
	fields := make(map[string]string, len(pairs))
	for _, p := range pairs {
		fields[p.Key] = p.Value
	}
	return fields
}

// Metric is a value of a metric.
type Metric struct {
	Key       string  `json:"key"`
	Value     Float   `json:"value"`
	Timestamp Integer `json:"timestamp"` // milliseconds since 1970
	Step      Integer `json:"step"`
}

// Dataset is a dataset that a run read.
type Dataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
}

// DatasetInput is a dataset with what it was used for.
type DatasetInput struct {
	Tags    []Pair  `json:"tags"`
	Dataset Dataset `json:"dataset"`
}

// Input is a dataset of that name and digest, used as context says.
func Input(name, digest, context string) DatasetInput {
	d := DatasetInput{Tags: []Pair{}, Dataset: Dataset{Name: name, Digest: digest, SourceType: "local", Source: "{}"}}
	if context != "" {
		d.Tags = append(d.Tags, Pair{ContextTag, context})
	}
	return d
}

// Integer is an int64, which protobuf's JSON also writes as a text.
type Integer int64

// UnmarshalJSON reads 5, "5", 5.0 and 5e0; null leaves the value as it is.
func (i *Integer) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "null" {
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<62 {
			return fmt.Errorf("%.40s is not a whole number of 64 bits", text)
		}
		v = int64(f)
	}
	*i = Integer(v)
	return nil
}

// Float is a number, or "NaN", "Infinity", "-Infinity".
type Float float64

// UnmarshalJSON reads a number, or one of the texts; too large ones become
// infinite.
func (f *Float) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%.40s is not a number", text)
	}
	*f = Float(v)
	return nil
}

// MarshalJSON writes the shortest number that reads back the same, or a text.
func (f Float) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
	}
}
