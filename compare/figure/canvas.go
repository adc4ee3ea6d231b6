package figure

import "math"

// Point is a place on a canvas in units from the left and from the top.
type Point struct{ X, Y float64 }

// Color names a colour by its role, so that a page can choose light or dark.
// Series counts the configurations from 0.
type Color int

// Roles; a series is Series(i).
const (
	Ink Color = -1 - iota
	Muted
	Grid
	Paper
)

// Series is the colour of the i-th configuration.
func Series(i int) Color { return Color(i % len(palette())) }

// Anchor says which end of a text stands at its point.
type Anchor int

// Where a text's point is.
const (
	Start Anchor = iota
	Middle
	End
)

// Stroke is how a line looks. Dash 0 is solid.
type Stroke struct {
	Color Color
	Width float64
	Dash  float64
	Alpha float64 // 0 means 1
}

// Value is what a line shows at a place, for hovering.
type Value struct {
	At   Point
	X, Y string
}

// Canvas is what charts are drawn on. Groups mark what belongs to the i-th
// configuration and say in words what the mark shows.
type Canvas interface {
	Line(points []Point, s Stroke)
	Area(points []Point, fill Color, alpha float64)
	Text(at Point, anchor Anchor, size float64, color Color, bold bool, text string)
	Group(series int, words string, values []Value)
	EndGroup()
}

// circle is a polygon close to a circle.
func circle(at Point, radius float64) []Point {
	const corners = 24
	out := make([]Point, corners)
	for i := range out {
		angle := 2 * math.Pi * float64(i) / corners
		out[i] = Point{at.X + radius*math.Cos(angle), at.Y + radius*math.Sin(angle)}
	}
	return out
}

// shape is the mark of the i-th configuration: circle, square, triangle or
// diamond, shifted at each turn of the colours so that the pairs differ.
func shape(i int, at Point, r float64) []Point {
	switch (i + i/len(palette())) % 4 {
	case 1:
		return []Point{{at.X - r*.9, at.Y - r*.9}, {at.X + r*.9, at.Y - r*.9}, {at.X + r*.9, at.Y + r*.9}, {at.X - r*.9, at.Y + r*.9}}
	case 2:
		return []Point{{at.X, at.Y - r*1.2}, {at.X + r*1.1, at.Y + r*.8}, {at.X - r*1.1, at.Y + r*.8}}
	case 3:
		return []Point{{at.X, at.Y - r*1.25}, {at.X + r*1.25, at.Y}, {at.X, at.Y + r*1.25}, {at.X - r*1.25, at.Y}}
	}
	return circle(at, r)
}

// dash is the line of the i-th configuration: solid, then ever shorter dashes
// at each turn of the colours.
func dash(i int) float64 { return []float64{0, 7, 4, 2}[i/len(palette())%4] }

// palette holds the colours of the series, light then dark, apart for most eyes
// (after Okabe and Ito 2008, darkened until text in them can be read on paper).
func palette() [][2]string {
	return [][2]string{
		{"#0072b2", "#5cb0e6"}, {"#c25400", "#ff9a55"}, {"#00855f", "#3ecf9f"}, {"#ad4d85", "#ec9fca"},
		{"#946400", "#ffc75a"}, {"#6a4aa0", "#b79af0"}, {"#a3262e", "#ff9494"}, {"#6e6e00", "#cfcf55"},
	}
}

// roles holds the other colours, light then dark.
func roles() map[Color][2]string {
	return map[Color][2]string{
		Ink: {"#1d232a", "#e8ecf1"}, Muted: {"#5b6672", "#a3adb8"}, Grid: {"#dfe4e9", "#343c45"}, Paper: {"#ffffff", "#15191e"},
	}
}
