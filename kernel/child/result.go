package child

// resultSource is compiled with each cell: the function that shows its last expression. It imports little, so that it
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
