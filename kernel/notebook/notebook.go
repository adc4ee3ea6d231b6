package notebook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"patchlab/kernel/notebook/ordered"
)

// Notebook is one notebook. Cells may be inserted, removed and reordered freely.
type Notebook struct {
	Cells []*Cell

	root    *ordered.Object
	indent  string
	newline bool // whether the file ends with one
}

// New returns an empty notebook of format 4.5 for the kernel of that name, which
// speaks that language.
func New(kernel, display, language string) *Notebook {
	n := &Notebook{root: &ordered.Object{}, indent: " ", newline: true}
	spec := n.Metadata().Sub("kernelspec")
	spec.Set("display_name", ordered.String(display))
	spec.Set("language", ordered.String(language))
	spec.Set("name", ordered.String(kernel))
	n.root.Set("nbformat", ordered.Scalar("4"))
	n.root.Set("nbformat_minor", ordered.Scalar("5"))
	n.root.Set("cells", &ordered.Array{})
	return n
}

// Read reads a notebook file.
func Read(path string) (*Notebook, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the notebook: %w", err)
	}
	n, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return n, nil
}

// Parse reads a notebook's text. What is not JSON, not a notebook, or of another
// format than 4 is an error that says so.
func Parse(data []byte) (*Notebook, error) {
	v, err := ordered.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("not a notebook: no valid JSON at %w", err)
	}
	root, ok := v.(*ordered.Object)
	if !ok || root.Get("nbformat") == nil {
		return nil, fmt.Errorf("not a notebook: a JSON object with nbformat, metadata and cells belongs there")
	}
	major, ok := ordered.Int(root.Get("nbformat"))
	if !ok || major != 4 {
		return nil, fmt.Errorf("nbformat %s; allowed: 4 (jupyter nbconvert --to notebook --nbformat 4 converts others)",
			ordered.Append(nil, root.Get("nbformat"), ""))
	}
	if _, ok := ordered.Int(root.Get("nbformat_minor")); !ok {
		return nil, fmt.Errorf("not a notebook: nbformat_minor must be a whole number")
	}
	cells, ok := root.Get("cells").(*ordered.Array)
	if !ok {
		return nil, fmt.Errorf("not a notebook: cells must be a list")
	}
	if _, ok := root.Get("metadata").(*ordered.Object); !ok {
		return nil, fmt.Errorf("not a notebook: metadata must be an object")
	}
	n := &Notebook{root: root, indent: indentOf(data), newline: len(data) > 0 && data[len(data)-1] == '\n'}
	for i, v := range cells.Items {
		c, err := asCell(v)
		if err != nil {
			return nil, fmt.Errorf("cell %d: %w", i+1, err)
		}
		n.Cells = append(n.Cells, c)
	}
	return n, nil
}

// indentOf is what the first line below the opening brace is indented with.
func indentOf(data []byte) string {
	text := strings.TrimLeft(string(data), " \t\r\n")
	_, rest, ok := strings.Cut(text, "\n")
	if !ok || !strings.HasPrefix(text, "{") {
		return ""
	}
	return rest[:len(rest)-len(strings.TrimLeft(rest, " \t"))]
}

// Bytes returns the notebook as the text of its file.
func (n *Notebook) Bytes() []byte {
	cells := &ordered.Array{Items: make([]ordered.Value, len(n.Cells))}
	for i, c := range n.Cells {
		cells.Items[i] = c.obj
	}
	n.root.Set("cells", cells)
	data := ordered.Append(nil, n.root, n.indent)
	if n.newline {
		data = append(data, '\n')
	}
	return data
}

// Clone returns a copy that shares nothing with n.
func (n *Notebook) Clone() *Notebook {
	c := &Notebook{indent: n.indent, newline: n.newline}
	c.root = ordered.Clone(n.root).(*ordered.Object)
	for _, cell := range n.Cells {
		c.Cells = append(c.Cells, cell.Clone())
	}
	return c
}

// Metadata is the notebook's metadata, to be read and changed in place.
func (n *Notebook) Metadata() *ordered.Object { return n.root.Sub("metadata") }

// Kernel is the name of the kernelspec, "" where the notebook names none.
func (n *Notebook) Kernel() string { return n.Metadata().Object("kernelspec").Text("name") }

// Language is the name of the language in small letters ("go", "python"), ""
// where the notebook names none.
func (n *Notebook) Language() string {
	name := n.Metadata().Object("language_info").Text("name")
	if name == "" {
		name = n.Metadata().Object("kernelspec").Text("language")
	}
	return strings.ToLower(name)
}

// Version is the format's major and minor version.
func (n *Notebook) Version() (major, minor int) {
	a, _ := ordered.Int(n.root.Get("nbformat"))
	b, _ := ordered.Int(n.root.Get("nbformat_minor"))
	return int(a), int(b)
}

// Upgrade brings the notebook to format 4.5, in which every cell has an ID.
// Cells without one, and those whose ID another has already, get one that
// depends on their place and source only: the same on every run. Nothing else
// changes.
func (n *Notebook) Upgrade() {
	if _, minor := n.Version(); minor < 5 {
		n.root.Set("nbformat_minor", ordered.Scalar("5"))
	}
	used := map[string]bool{}
	var bare []int
	for i, c := range n.Cells {
		if id := c.ID(); !validID(id) || used[id] {
			bare = append(bare, i)
		} else {
			used[id] = true
		}
	}
	for _, i := range bare {
		n.Cells[i].obj.Set("id", ordered.String(newID(strconv.Itoa(i)+"\n"+n.Cells[i].Source(), used)))
	}
}

// Insert puts c before the cell at i and gives it an ID that is not taken.
func (n *Notebook) Insert(i int, c *Cell) {
	used := map[string]bool{}
	for _, other := range n.Cells {
		used[other.ID()] = true
	}
	if id := c.ID(); !validID(id) || used[id] {
		c.obj.Set("id", ordered.String(newID(c.Kind()+"\n"+c.Source(), used)))
	}
	n.Cells = append(n.Cells[:i:i], append([]*Cell{c}, n.Cells[i:]...)...)
}

// newID returns an ID that follows from seed and is not used, and marks it.
func newID(seed string, used map[string]bool) string {
	for i := 0; ; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s", i, seed))
		if id := hex.EncodeToString(sum[:4]); !used[id] {
			used[id] = true
			return id
		}
	}
}

// validID says whether nbformat's schema allows the ID.
func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
