package show

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Plotly shows a figure of Plotly without its library, which front ends fetch from the network where they lack it: as
// the figure itself, for front ends that draw such figures by themselves (VS Code does), and as a static picture for
// the others. figure is one of go-plotly's, or anything whose JSON has Plotly's "data" and "layout".
//
// The static picture has the traces scatter, bar, histogram and heatmap with titles and names; it says which traces it
// leaves out.
func Plotly(figure any) { Value(plotlyBundle(figure)) }

// isFigure tells go-plotly's figures by their type, without importing it.
func isFigure(value any) bool {
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name() == "Fig" && strings.Contains(t.PkgPath(), "go-plotly/")
}

// figure is what of Plotly's JSON a static picture takes.
type figure struct {
	Data   []trace `json:"data"`
	Layout struct {
		Title title `json:"title"`
		XAxis struct {
			Title title `json:"title"`
		} `json:"xaxis"`
		YAxis struct {
			Title title  `json:"title"`
			Type  string `json:"type"`
		} `json:"yaxis"`
	} `json:"layout"`
}

type trace struct {
	Type string   `json:"type"`
	Name string   `json:"name"`
	Mode string   `json:"mode"`
	X    values   `json:"x"`
	Y    values   `json:"y"`
	Z    []values `json:"z"`
}

// title is a text or an object with one.
type title struct{ Text string }

func (t *title) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &t.Text) == nil {
		return nil
	}
	var object struct{ Text json.RawMessage }
	if json.Unmarshal(b, &object) == nil {
		_ = json.Unmarshal(object.Text, &t.Text)
	}
	return nil
}

// values are a trace's numbers, and its texts where it has such in their place.
type values struct {
	numbers []float64
	texts   []string
}

func (v *values) UnmarshalJSON(b []byte) error {
	var all []any
	if json.Unmarshal(b, &all) != nil {
		return nil // of another form, such as one number
	}
	for _, value := range all {
		switch value := value.(type) {
		case float64:
			v.numbers = append(v.numbers, value)
		case string:
			v.texts = append(v.texts, value)
		default: // null is a gap
			v.numbers = append(v.numbers, math.NaN())
		}
	}
	return nil
}

func plotlyBundle(value any) Bundle {
	encoded, err := json.Marshal(value)
	if raw, ok := value.([]byte); ok {
		encoded, err = raw, nil
	}
	var f figure
	if err == nil {
		err = json.Unmarshal(encoded, &f)
	}
	if err != nil {
		return Bundle{Text: fmt.Sprintf("a figure that cannot be read: %v", err)}
	}
	c, left := f.chart()
	text := fmt.Sprintf("figure %q with %d traces", f.Layout.Title.Text, len(f.Data))
	if len(left) > 0 {
		text += "; the static picture leaves out " + strings.Join(left, ", ")
		c.title = strings.TrimSpace(c.title + " (without " + strings.Join(left, ", ") + ")")
	}
	return Bundle{PlotlyType: json.RawMessage(encoded), SVGType: c.svg(), Text: text}
}

// chart is the figure as a static picture, and the types of the traces that it lacks.
func (f figure) chart() (c chart, left []string) {
	c.title = f.Layout.Title.Text
	p := panel{title: f.Layout.YAxis.Title.Text, xTitle: f.Layout.XAxis.Title.Text, log: f.Layout.YAxis.Type == "log"}
	for i, t := range f.Data {
		name := t.Name
		if name == "" {
			name = fmt.Sprintf("trace %d", i)
		}
		switch t.Type {
		case "", "scatter", "scattergl":
			mark := both
			hasLines, hasPoints := strings.Contains(t.Mode, "lines"), strings.Contains(t.Mode, "markers")
			switch {
			case hasLines && !hasPoints:
				mark = joined
			case hasPoints && !hasLines:
				mark = points
			}
			p.lines = append(p.lines, p.line(name, t.X, t.Y.numbers, mark))
		case "bar":
			p.lines = append(p.lines, p.line(name, t.X, t.Y.numbers, columns))
		case "histogram":
			x, y := histogram(t.X.numbers)
			p.lines = append(p.lines, line{name: name, x: x, y: y, mark: columns})
		case "heatmap":
			for _, row := range t.Z {
				p.grid = append(p.grid, row.numbers)
			}
		default:
			if !slices.Contains(left, t.Type) {
				left = append(left, t.Type)
			}
		}
	}
	if len(p.lines) > 0 || len(p.grid) > 0 {
		c.panels = append(c.panels, p)
	}
	return c, left
}

// line is a trace as a line; texts as x are categories, in the order in which they come.
func (p *panel) line(name string, x values, y []float64, mark shape) line {
	l := line{name: name, x: slices.Clone(x.numbers), mark: mark}
	if len(x.texts) > 0 {
		l.x = nil
		for _, text := range x.texts {
			at := slices.Index(p.categories, text)
			if at < 0 {
				at = len(p.categories)
				p.categories = append(p.categories, text)
			}
			l.x = append(l.x, float64(at))
		}
	}
	for i := len(l.x); i < len(y); i++ { // Plotly numbers points from 0 where there is no x
		l.x = append(l.x, float64(i))
	}
	l.y = y
	l.x = l.x[:min(len(l.x), len(y))]
	l.y = y[:min(len(l.x), len(y))]
	return l
}

// histogram counts values in bins of equal width, as many as the square root of their number asks for.
func histogram(all []float64) (middles, counts []float64) {
	low, high := extremes(all)
	if math.IsNaN(low) {
		return nil, nil
	}
	n := min(max(int(math.Sqrt(float64(len(all)))), 1), 60)
	if low == high {
		n = 1
	}
	width := (high - low) / float64(n)
	counts = make([]float64, n)
	for _, v := range all {
		if finite(v) {
			bin := 0
			if width > 0 {
				bin = min(int((v-low)/width), n-1)
			}
			counts[bin]++
		}
	}
	for i := range counts {
		middles = append(middles, low+(float64(i)+.5)*width)
	}
	return middles, counts
}

// FromScript finds the figure in a script by which gonbui's package plotly draws it, and which needs Plotly's library
// from the network. The kernel's front shows what it finds, as Plotly shows it, in place of the script.
func FromScript(script string) (Bundle, bool) {
	_, after, ok := strings.Cut(script, "let data = JSON.parse('")
	if !ok {
		return nil, false
	}
	encoded, _, ok := strings.Cut(after, "');\n\tmodule.newPlot('")
	if !ok || !json.Valid([]byte(encoded)) {
		return nil, false
	}
	return plotlyBundle([]byte(encoded)), true
}
