package notebook

import (
	"fmt"
	"slices"

	"patchlab/kernel/notebook/ordered"
)

// Kinds of cells.
const (
	Code     = "code"
	Markdown = "markdown"
	Raw      = "raw"
)

// Cell is one cell of a notebook.
type Cell struct{ obj *ordered.Object }

// asCell looks at v as a cell. What nbformat's schema requires and later code
// relies on must be there; a missing metadata, outputs or execution_count is
// filled in.
func asCell(v ordered.Value) (*Cell, error) {
	obj, ok := v.(*ordered.Object)
	if !ok {
		return nil, fmt.Errorf("a cell must be an object")
	}
	c := &Cell{obj}
	if !slices.Contains([]string{Code, Markdown, Raw}, c.Kind()) {
		return nil, fmt.Errorf("cell_type %q; allowed: code, markdown, raw", c.Kind())
	}
	if _, ok := joined(obj.Get("source")); !ok {
		return nil, fmt.Errorf("source must be a string or a list of strings")
	}
	switch obj.Get("metadata").(type) {
	case nil:
		obj.Set("metadata", &ordered.Object{})
	case *ordered.Object:
	default:
		return nil, fmt.Errorf("metadata must be an object")
	}
	if c.Kind() != Code {
		return c, nil
	}
	if obj.Get("execution_count") == nil {
		obj.Set("execution_count", ordered.Null)
	}
	if obj.Get("outputs") == nil {
		obj.Set("outputs", &ordered.Array{})
	}
	outputs, ok := obj.Get("outputs").(*ordered.Array)
	if !ok {
		return nil, fmt.Errorf("outputs must be a list")
	}
	for i, v := range outputs.Items {
		if o, ok := v.(*ordered.Object); !ok || o.Text("output_type") == "" {
			return nil, fmt.Errorf("output %d must be an object with an output_type", i+1)
		}
	}
	return c, nil
}

// NewCell returns a cell of that kind with no ID yet.
func NewCell(kind, source string, tags ...string) *Cell {
	c := &Cell{&ordered.Object{}}
	c.obj.Set("cell_type", ordered.String(kind))
	meta := &ordered.Object{}
	if len(tags) > 0 {
		meta.Set("tags", ordered.Strings(tags...))
	}
	c.obj.Set("metadata", meta)
	c.SetSource(source)
	if kind == Code {
		c.obj.Set("execution_count", ordered.Null)
		c.obj.Set("outputs", &ordered.Array{})
	}
	return c
}

// Clone returns a copy that shares nothing with c.
func (c *Cell) Clone() *Cell { return &Cell{ordered.Clone(c.obj).(*ordered.Object)} }

// Kind is Code, Markdown or Raw.
func (c *Cell) Kind() string { return c.obj.Text("cell_type") }

// ID is the cell's ID, "" where it has none.
func (c *Cell) ID() string { return c.obj.Text("id") }

// SetID gives the cell an ID: 1 to 64 letters, digits, - and _, which no other
// cell of the notebook may have.
func (c *Cell) SetID(id string) { c.obj.Set("id", ordered.String(id)) }

// Source is the cell's text.
func (c *Cell) Source() string {
	text, _ := joined(c.obj.Get("source"))
	return text
}

// SetSource replaces the cell's text.
func (c *Cell) SetSource(text string) { c.obj.Set("source", ordered.Strings(splitLines(text)...)) }

// Metadata is the cell's metadata, to be read and changed in place.
func (c *Cell) Metadata() *ordered.Object { return c.obj.Sub("metadata") }

// Tags are the cell's tags.
func (c *Cell) Tags() []string {
	var tags []string
	for _, v := range c.Metadata().Items("tags") {
		if tag, ok := ordered.Text(v); ok {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Tagged says whether the cell has that tag.
func (c *Cell) Tagged(tag string) bool { return slices.Contains(c.Tags(), tag) }

// Attachment returns the text (base64 for pictures) of a file that is attached
// to a Markdown or raw cell, with its MIME type; false where there is none.
func (c *Cell) Attachment(name string) (mime, text string, ok bool) {
	bundle := c.obj.Object("attachments").Object(name)
	for _, mime := range bundle.Keys() {
		if text, ok := joined(bundle.Get(mime)); ok {
			return mime, text, true
		}
	}
	return "", "", false
}

// Count is the number of the cell's last execution, 0 where there was none.
func (c *Cell) Count() int {
	n, _ := ordered.Int(c.obj.Get("execution_count"))
	return int(n)
}

// SetCount sets the number of the cell's last execution; 0 means none.
func (c *Cell) SetCount(n int) { c.obj.Set("execution_count", count(n)) }

func count(n int) ordered.Value {
	if n == 0 {
		return ordered.Null
	}
	return ordered.Scalar(fmt.Sprint(n))
}

// Outputs are the outputs of a code cell.
func (c *Cell) Outputs() []*Output {
	var outputs []*Output
	for _, v := range c.obj.Items("outputs") {
		outputs = append(outputs, &Output{v.(*ordered.Object)})
	}
	return outputs
}

// SetOutputs replaces the outputs of a code cell.
func (c *Cell) SetOutputs(outputs []*Output) {
	a := &ordered.Array{}
	for _, o := range outputs {
		a.Items = append(a.Items, o.obj)
	}
	c.obj.Set("outputs", a)
}
