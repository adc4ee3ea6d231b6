package show

import (
	"fmt"
	"image"
	"image/color"
	"strconv"
	"strings"
)

// Value shows values, each as Of pictures it. Of what a call returns with an error behind it, a nil error is left out:
//
//	show.Value(os.ReadFile("picture.png"))
func Value(values ...any) {
	for _, b := range bundles(values) {
		out.send(displayData, content{Data: b})
	}
}

// Result is Value for the result of a cell: the value of its last expression. Strings are quoted, as in Go.
func Result(values ...any) {
	for i, v := range values {
		if s, ok := v.(string); ok {
			values[i] = Bundle{Text: clip(strconv.Quote(s))}
		}
	}
	for _, b := range bundles(values) {
		out.send(result, content{Data: b})
	}
}

func bundles(values []any) []Bundle {
	if n := len(values); n > 1 && values[n-1] == nil {
		values = values[:n-1]
	}
	var all []Bundle
	for _, v := range values {
		all = append(all, Of(v))
	}
	return all
}

// HTML shows HTML. Scripts in it do not run in every front end, nor when a notebook is opened again.
func HTML(html string) { Value(htmlBundle(html)) }

// Markdown shows Markdown.
func Markdown(markdown string) { Value(Bundle{MarkdownType: markdown, Text: markdown}) }

// LaTeX shows a formula. Marks for mathematics, such as $$, are put around it where it has none.
func LaTeX(latex string) { Value(Bundle{LaTeXType: mathematics(latex), Text: latex}) }

// SVG shows an SVG picture, as image/svg+xml.
func SVG(svg string) { Value(svgBundle(svg)) }

// PNG shows a picture that is encoded as PNG (or JPEG, or GIF).
func PNG(encoded []byte) { Value(binary(encoded)) }

// Image shows a picture.
func Image(img image.Image) { Value(picture(img)) }

// JSON shows a value as JSON, which front ends let their users unfold.
func JSON(value any) { Value(jsonBundle(value)) }

// Printf shows text: unlike fmt.Printf, it stays in order with what else this package shows.
func Printf(format string, args ...any) {
	Value(Bundle{Text: strings.TrimSuffix(fmt.Sprintf(format, args...), "\n")})
}

// Zoom enlarges a picture by a whole factor without smoothing, so that its pixels can be told apart. A factor below 2
// leaves it as it is.
func Zoom(img image.Image, factor int) image.Image {
	if factor < 2 {
		return img
	}
	return zoomed{img, factor}
}

type zoomed struct {
	image.Image
	factor int
}

func (z zoomed) Bounds() image.Rectangle {
	b := z.Image.Bounds()
	return image.Rect(0, 0, b.Dx()*z.factor, b.Dy()*z.factor)
}

func (z zoomed) At(x, y int) color.Color {
	b := z.Image.Bounds()
	return z.Image.At(b.Min.X+x/z.factor, b.Min.Y+y/z.factor)
}
