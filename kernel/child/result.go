package child

import (
	"os"
	"path/filepath"
)

// showFolder is where a module has the package that pictures values of all kinds.
const showFolder = "kernel/cell/show"

// richResult is the function that shows a cell's last expression with that package: tables, pictures, tensors. It takes
// a little longer to link, so that only cells with a result have it.
const richResult = `package main

import "patchlab/kernel/cell/show"

// patchlabResult shows the value of a cell's last expression.
func patchlabResult(value any) { show.Result(value) }
`

// provideResult gives the next cell the function that shows its result, if it has one.
func (c *Child) provideResult(shows bool) error {
	source := resultSource
	if shows && c.config.Module != "" {
		if _, err := os.Stat(filepath.Join(c.config.Module, showFolder)); err == nil {
			source = richResult
		}
	}
	if source == c.resultSource {
		return nil
	}
	if err := os.WriteFile(c.resultFile, []byte(source), 0o600); err != nil {
		return err
	}
	c.resultSource = source
	return nil
}

// resultSource is compiled with other cells: the function that shows a last expression. It imports little, so that it
// costs little to link, and nothing where a cell has no result.
const resultSource = `package main

import (
	"fmt"
	"os"
)

// patchlabResult shows the value of a cell's last expression.
func patchlabResult(value any) {
	pipe, err := os.OpenFile(os.Getenv("` + CellPipe + `"), os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(value)
		return
	}
	defer pipe.Close()
	data := map[string]string{}
	if v, ok := value.(interface{ HTML() string }); ok {
		data["text/html"] = v.HTML()
	}
	if v, ok := value.(interface{ SVG() string }); ok {
		data["image/svg+xml"] = v.SVG()
	}
	if v, ok := value.(interface{ Markdown() string }); ok {
		data["text/markdown"] = v.Markdown()
	}
	if v, ok := value.(interface{ LaTeX() string }); ok {
		data["text/latex"] = v.LaTeX()
	}
	switch v := value.(type) {
	case string:
		data["text/plain"] = fmt.Sprintf("%q", v)
	default:
		data["text/plain"] = fmt.Sprintf("%+v", v)
	}
	quote := func(s string) string { // as JSON has it
		q := []byte{'"'}
		for _, r := range s {
			switch {
			case r == '"' || r == '\\':
				q = append(q, '\\', byte(r))
			case r < ' ':
				q = fmt.Appendf(q, "\\u%04x", r)
			default:
				q = append(q, string(r)...)
			}
		}
		return string(append(q, '"'))
	}
	bundle := ""
	for kind, text := range data {
		if bundle != "" {
			bundle += ","
		}
		bundle += quote(kind) + ":" + quote(text)
	}
	fmt.Fprintf(pipe, "{\"msg_type\":\"execute_result\",\"content\":{\"data\":{%s},\"metadata\":{}}}\n", bundle)
}
`
