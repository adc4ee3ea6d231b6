package coursework

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// assignmentFile describes an assignment, in its folder.
const assignmentFile = "assignment.json"

// Assignment says what is handed in, what of it counts as a result, and how
// results are checked.
type Assignment struct {
	Version  int    `json:"version"` // 1
	Name     string `json:"name"`
	Notebook string `json:"notebook"` // the file's name
	// Experiment is the tracker's experiment whose runs are handed in.
	Experiment string `json:"experiment"`
	// Runs is how many finished runs are asked for at least.
	Runs int `json:"runs"`
	// Claims are the metrics that count as results, such as "test_accuracy".
	Claims []string `json:"claims"`
	// Sample is how many of a student's runs are trained again, chosen at random.
	Sample int `json:"sample"`
	// Tolerance is the largest difference of an epoch's loss or accuracy (a
	// fraction) that a rerun still passes with.
	Tolerance float64 `json:"tolerance"`
}

// NewAssignment is the assignment that a notebook makes by its file's name.
func NewAssignment(notebook string) Assignment {
	base := filepath.Base(notebook)
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	return Assignment{
		Version: 1, Name: strings.ToLower(stem), Notebook: base, Experiment: stem,
		Runs: 1, Claims: []string{"test_accuracy", "test_loss"}, Sample: 1, Tolerance: .01,
	}
}

// Validate reports the first value that no assignment can have.
func (a Assignment) Validate() error {
	if a.Version != 1 {
		return fmt.Errorf("the assignment has version %d, this program knows 1: use a newer patchlab", a.Version)
	}
	if err := checkName("assignment", a.Name); err != nil {
		return err
	}
	switch {
	case a.Notebook != filepath.Base(a.Notebook) || strings.ContainsAny(a.Notebook, `/\`) || !strings.HasSuffix(a.Notebook, ".ipynb"):
		return fmt.Errorf("the notebook %q; allowed: the name of a file ending in .ipynb", a.Notebook)
	case a.Experiment == "":
		return fmt.Errorf("the assignment %s names no experiment", a.Name)
	case a.Runs < 0:
		return fmt.Errorf("%d runs are asked for; allowed: 0 or more", a.Runs)
	case len(a.Claims) == 0:
		return fmt.Errorf("the assignment %s claims no metric; allowed: one or more, such as test_accuracy", a.Name)
	case a.Sample < 0:
		return fmt.Errorf("a sample of %d runs; allowed: 0 or more", a.Sample)
	case !(a.Tolerance >= 0):
		return fmt.Errorf("the tolerance %g; allowed: 0 or more", a.Tolerance)
	}
	return nil
}

// ReadAssignment reads the description in an assignment's folder. A field that no
// assignment has is an error, so that a misspelt one is not ignored.
func ReadAssignment(dir string) (Assignment, error) {
	var a Assignment
	path := filepath.Join(dir, assignmentFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return a, fmt.Errorf("%s is no assignment's folder: %w", dir, err)
	}
	if err := decodeStrictly(text, &a); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	if err := a.Validate(); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// decodeStrictly decodes one JSON value without unknown fields, and nothing after it.
func decodeStrictly(text []byte, value any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("there is more after its end, at byte %d", d.InputOffset())
	}
	return nil
}

// encode is indented JSON, the same for equal values.
func encode(value any) ([]byte, error) {
	text, err := json.MarshalIndent(value, "", "  ")
	return append(text, '\n'), err
}
