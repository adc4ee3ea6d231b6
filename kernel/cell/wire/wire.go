package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Op is what a request asks for.
type Op string

// What can be asked.
const (
	OpStart    Op = "start"    // Name, Experiment, Fields (parameters), Environment: start the session's run or continue it
	OpResume   Op = "resume"   // Name: continue a run of the tracker, of this session or another
	OpLog      Op = "log"      // Time, Step, Values; not answered
	OpParams   Op = "params"   // Fields
	OpTags     Op = "tags"     // Fields
	OpNote     Op = "note"     // Text
	OpInput    Op = "input"    // Name, Text (digest), Context
	OpArtifact Op = "artifact" // Name, Size, and the bytes
	OpFetch    Op = "fetch"    // Name (of a run), Text (of an artifact): Reply.Path is a file that the asker removes
	OpFlush    Op = "flush"
	OpEnd      Op = "end" // Text: finished, failed or killed
	OpStatus   Op = "status"
)

// Request is a line from the cell.
type Request struct {
	Op          Op                `json:"op"`
	Name        string            `json:"name,omitempty"`
	Experiment  string            `json:"experiment,omitempty"`
	Text        string            `json:"text,omitempty"`
	Context     string            `json:"context,omitempty"`
	Fields      map[string]string `json:"fields,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	Time        int64             `json:"time,omitempty"` // microseconds since 1970
	Step        int64             `json:"step,omitempty"`
	Values      map[string]Number `json:"values,omitempty"`
	Size        int64             `json:"size,omitempty"` // bytes
	Quiet       bool              `json:"quiet,omitempty"`
}

// Reply is a line to the cell. Error is empty where all went well.
type Reply struct {
	Error     string `json:"error,omitempty"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	Database  string `json:"database,omitempty"`
	Path      string `json:"path,omitempty"`
	Continued bool   `json:"continued,omitempty"`
}

// Number is a float64 in JSON, NaN and infinities included (as strings).
type Number float64

// MarshalJSON writes a number, or "NaN", "Infinity", "-Infinity".
func (n Number) MarshalJSON() ([]byte, error) {
	switch f := float64(n); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("%q is no number", text)
	}
	*n = Number(f)
	return nil
}
