package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"reflect"
	"strings"
	"unicode/utf8"
)

// MIME types that notebooks know.
const (
	Text         = "text/plain"
	HTMLType     = "text/html"
	MarkdownType = "text/markdown"
	LaTeXType    = "text/latex"
	SVGType      = "image/svg+xml"
	PNGType      = "image/png"
	JPEGType     = "image/jpeg"
	GIFType      = "image/gif"
	JSONType     = "application/json"
	PlotlyType   = "application/vnd.plotly.v1+json"
)

// Bundle is one value in several representations, by MIME type: the front end shows the richest that it can, so that
// Text should be among them. Values are strings, for JSON types anything that encoding/json takes, for pictures []byte.
type Bundle map[string]any

// maxText bounds the characters of a value's text.
const maxText = 20_000

// Of picks the representations of a value. A value that has a method HTML() string, SVG() string, Markdown() string,
// LaTeX() string or PNG() []byte says itself how it looks; the rest is in the package's documentation.
func Of(value any) Bundle {
	if b, ok := value.(Bundle); ok {
		return b
	}
	b := own(value)
	switch {
	case len(b) > 0:
		b[Text] = textOf(value)
	case value == nil:
		return Bundle{Text: "<nil>"}
	default:
		b = picked(value)
	}
	return b
}

// own asks a value how it looks.
func own(value any) Bundle {
	b := Bundle{}
	if isNil(value) {
		return b // its methods may not expect it
	}
	if v, ok := value.(interface{ HTML() string }); ok {
		b[HTMLType] = v.HTML()
	}
	if v, ok := value.(interface{ SVG() string }); ok {
		b[SVGType] = v.SVG()
	}
	if v, ok := value.(interface{ Markdown() string }); ok {
		b[MarkdownType] = v.Markdown()
	}
	if v, ok := value.(interface{ LaTeX() string }); ok {
		b[LaTeXType] = mathematics(v.LaTeX())
	}
	if v, ok := value.(interface{ PNG() []byte }); ok {
		b[PNGType] = v.PNG()
	}
	return b
}

func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

func picked(value any) Bundle {
	switch v := value.(type) {
	case error:
		return Bundle{Text: v.Error()}
	case image.Image:
		if !isNil(v) {
			return picture(v)
		}
	case json.RawMessage:
		return jsonBundle(v)
	case []byte:
		return binary(v)
	case tensor:
		if !isNil(v) {
			return tensorBundle(v)
		}
	}
	t := reflect.TypeOf(value)
	if t.PkgPath() == "html/template" && t.Name() == "HTML" {
		return htmlBundle(reflect.ValueOf(value).String())
	}
	if isFigure(value) {
		return plotlyBundle(value)
	}
	if table, ok := tableOf(value); ok {
		return table.bundle()
	}
	return Bundle{Text: textOf(value)}
}

// textOf is a value's text: of values that format themselves what they say, else as fmt's %+v.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return clip(v)
	case []byte:
		return fmt.Sprintf("%d bytes", len(v))
	}
	return clip(fmt.Sprintf("%+v", value))
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes in all)", s[:cut], len(s))
}

func picture(img image.Image) Bundle {
	var b bytes.Buffer
	size := img.Bounds().Size()
	text := fmt.Sprintf("picture, %d×%d", size.X, size.Y)
	if err := png.Encode(&b, img); err != nil {
		return Bundle{Text: fmt.Sprintf("%s, which cannot be shown: %v", text, err)}
	}
	return Bundle{PNGType: b.Bytes(), Text: text}
}

// binary recognises pictures by their first bytes.
func binary(b []byte) Bundle {
	text := textOf(b)
	for _, format := range []struct{ magic, mime, name string }{
		{"\x89PNG\r\n\x1a\n", PNGType, "PNG"}, {"\xff\xd8\xff", JPEGType, "JPEG"}, {"GIF8", GIFType, "GIF"},
	} {
		if strings.HasPrefix(string(b[:min(len(b), 8)]), format.magic) {
			return Bundle{format.mime: b, Text: format.name + " picture, " + text}
		}
	}
	if head := strings.TrimSpace(string(b[:min(len(b), 512)])); strings.HasPrefix(head, "<svg") ||
		strings.HasPrefix(head, "<?xml") && strings.Contains(head, "<svg") {
		return svgBundle(string(b))
	}
	if len(b) > 64 {
		return Bundle{Text: fmt.Sprintf("%s: % x …", text, b[:64])}
	}
	return Bundle{Text: fmt.Sprintf("%s: % x", text, b)}
}

func htmlBundle(html string) Bundle { return Bundle{HTMLType: html, Text: clip(bare(html))} }

func svgBundle(svg string) Bundle {
	// Where a page shows SVG, its XML declaration would stand in the middle.
	if i := strings.Index(svg, "<svg"); i > 0 {
		svg = svg[i:]
	}
	text := "SVG picture"
	if _, after, ok := strings.Cut(svg, "<title>"); ok {
		if title, _, ok := strings.Cut(after, "</title>"); ok {
			text = bare(title)
		}
	}
	return Bundle{SVGType: svg, Text: text}
}

// bare is the text of HTML without its tags, for those who see no HTML.
func bare(html string) string {
	var b strings.Builder
	tag := false
	for _, r := range html {
		switch {
		case r == '<':
			tag = true
		case r == '>' && tag:
			tag = false
		case !tag:
			b.WriteRune(r)
		}
	}
	text := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&nbsp;", " ", "&amp;", "&").Replace(b.String())
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// mathematics puts LaTeX between the marks by which front ends find it, where it has none.
func mathematics(latex string) string {
	trimmed := strings.TrimSpace(latex)
	for _, mark := range []string{"$", `\(`, `\[`, `\begin{`} {
		if strings.HasPrefix(trimmed, mark) {
			return latex
		}
	}
	return "$$" + trimmed + "$$"
}

func jsonBundle(value any) Bundle {
	indented, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return Bundle{Text: fmt.Sprintf("%s\n(no JSON: %v)", textOf(value), err)}
	}
	return Bundle{JSONType: json.RawMessage(indented), Text: clip(string(indented))}
}
