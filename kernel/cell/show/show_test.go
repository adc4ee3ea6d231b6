package show

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	grob "github.com/MetalBlueberry/go-plotly/generated/v2.34.0/graph_objects"
	"github.com/MetalBlueberry/go-plotly/pkg/types"
	"github.com/gomlx/gomlx/core/tensors"
)

type formula string

func (f formula) LaTeX() string { return string(f) }

type page struct{}

func (*page) HTML() string { return "<b>5 &lt; 6</b>" }

type row struct {
	Name  string
	count int
	Any   any
}

func TestOf(t *testing.T) {
	tensor := tensors.FromFlatDataAndDimensions([]float32{1, 2, float32(math.NaN()), 3}, 2, 2)
	for _, c := range []struct {
		value any
		mime  string
		want  string // in that representation
		text  string // in text/plain
	}{
		{nil, Text, "<nil>", "<nil>"},
		{"text", Text, "text", "text"},
		{errors.New("no"), Text, "no", "no"},
		{formula("x^2"), LaTeXType, "$$x^2$$", "x^2"},
		{formula("$x$"), LaTeXType, "$x$", "$x$"},
		{&page{}, HTMLType, "<b>5 &lt; 6</b>", "{}"},
		{(*page)(nil), Text, "<nil>", "<nil>"},
		{json.RawMessage(`{"a":[1,2]}`), JSONType, `"a"`, `"a": [`},
		{json.RawMessage(`{`), Text, "no JSON", "no JSON"},
		{[]byte("\x89PNG\r\n\x1a\n..."), PNGType, "\x89PNG", "PNG picture, 11 bytes"},
		{[]byte("<svg><title>A &amp; B</title></svg>"), SVGType, "<svg>", "A & B"},
		{[]byte{1, 2, 255}, Text, "3 bytes: 01 02 ff", "3 bytes: 01 02 ff"},
		{[]row{{"a", 1, nil}, {"<b>", 22, 0.5}}, HTMLType, "<td style=\"text-align: left\">&lt;b&gt;</td>", "Name  count  Any\na         1\n<b>      22  0.5"},
		{[]*row{{Name: "p"}}, HTMLType, "<th style=\"text-align: left\">Name</th>", "p"},
		{[]map[string]int{{"b": 2}, {"a": 1, "b": 3}}, HTMLType, "<table>", "a  b\n   2\n1  3"},
		{[][]string{{"x", "y"}, {"1", "2"}}, HTMLType, "<th style=\"text-align: left\">x</th>", "x  y\n1  2"},
		{[][]float64{{1, 1. / 3}}, HTMLType, "0.333333", "0         1\n1  0.333333"},
		{map[int]string{10: "ten", 9: "nine"}, HTMLType, "<table>", "key  value\n  9  nine\n 10  ten"},
		{[]int{1, 2}, Text, "[1 2]", "[1 2]"},
		{[]time.Duration{time.Second}, Text, "[1s]", "[1s]"},
		{[]time.Time{time.Unix(0, 0).UTC()}, Text, "[1970-01-01", "[1970"},
		{tensor, Text, "4 values from 1 to 3, mean 2, standard deviation 0.8165, 1 of them not finite", "[2][2]float32{"},
		{(*tensors.Tensor)(nil), Text, "<nil>", "<nil>"},
		{strings.Repeat("ß", maxText), Text, "ß… (40000 bytes in all)", "ß…"},
		{row{"a", 1, nil}, Text, "{Name:a count:1 Any:<nil>}", "{Name:a"},
		{Bundle{"x/y": "z"}, "x/y", "z", ""},
	} {
		b := Of(c.value)
		got := fmt.Sprintf("%s", b[c.mime])
		text, _ := b[Text].(string)
		if !strings.Contains(got, c.want) || !strings.Contains(text, c.text) {
			t.Errorf("%T %.60v: %s is %.300q, want %q in it; text/plain is %.200q, want %q in it", c.value, c.value, c.mime, got, c.want, text, c.text)
		}
	}
}

func TestLongTables(t *testing.T) {
	rows := make([][]int, 1000)
	for i := range rows {
		rows[i] = make([]int, 50)
		rows[i][0] = i
	}
	b := Of(rows)
	page, text := b[HTMLType].(string), b[Text].(string)
	for _, want := range []string{"1000 rows in all, 10 more columns", ">999<", ">29<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, ">500<") || strings.Count(text, "\n") != maxRows+2 {
		t.Errorf("the table has %d lines", strings.Count(text, "\n"))
	}
}

func TestPicture(t *testing.T) {
	img := image.NewNRGBA(image.Rect(5, 5, 7, 6))
	img.Set(6, 5, color.NRGBA{R: 200, A: 255})
	b := Of(Zoom(img, 3))
	got, err := png.Decode(strings.NewReader(string(b[PNGType].([]byte))))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != image.Rect(0, 0, 6, 3) || got.At(5, 2) != (color.NRGBA{R: 200, A: 255}) || got.At(2, 2) != (color.NRGBA{}) {
		t.Errorf("enlarged three times: %v with %v", got.Bounds(), got.At(5, 2))
	}
	if Zoom(img, 1) != image.Image(img) {
		t.Error("a factor of 1 made another picture")
	}
}

// wellFormed parses SVG and returns how many elements of each name it has.
func wellFormed(t *testing.T, svg string) map[string]int {
	t.Helper()
	count := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return count
		}
		if err != nil {
			t.Fatalf("the SVG cannot be parsed: %v in\n%.500s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s of %s is %.80s", a.Name.Local, e.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestCurve(t *testing.T) {
	c := NewCurve(`a < b & "c"`)
	for i := range int64(200_000) {
		v := map[string]float64{"train_loss": math.Exp(-float64(i) / 30_000), "huge": 1e300 * float64(i-50_000), "constant": 3}
		if i%1000 == 0 {
			v["val_loss"] = 1 - float64(i)/1e5
			v["val/accuracy"] = math.NaN()
		}
		if i == 500 {
			v["train_loss"] = math.Inf(1)
		}
		c.Add(i, v)
	}
	b := c.bundle()
	svg := b[SVGType].(string)
	wellFormed(t, svg)
	if len(svg) > 200_000 {
		t.Errorf("the picture of 200,000 steps has %d bytes", len(svg))
	}
	for _, want := range []string{">loss</text>", ">accuracy</text>", "● train (1 not finite)", "● val (200 not finite)", "a &lt; b &amp; &#34;c&#34;"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	if text := b[Text].(string); !strings.Contains(text, "val/accuracy  step 199000: NaN") || !strings.Contains(text, "××××") {
		t.Errorf("the text is\n%s", text)
	}
	wellFormed(t, c.LogScale().bundle()[SVGType].(string))
	wellFormed(t, NewCurve("empty").bundle()[SVGType].(string))
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		s    scale
		want string
	}{
		{scale{low: 0, high: 1}, "[0 0.2 0.4 0.6 0.8 1]"},
		{scale{low: 3, high: 97}, "[20 40 60 80]"},
		{scale{low: -0.0013, high: 0.0009}, "[-0.001 -0.0005 0 0.0005]"},
		{scale{low: 0.02, high: 3, log: true}, "[0.02 0.05 0.1 0.2 0.5 1 2]"},
		{scale{low: 1e-9, high: 1e3, log: true}, "[1e-09 1e-08 1e-07 1e-06 1e-05 0.0001 0.001 0.01 0.1 1 10 100 1000]"},
	} {
		var labels []string
		for _, v := range c.s.ticks(5) {
			labels = append(labels, label(v))
		}
		if got := fmt.Sprint(labels); got != c.want {
			t.Errorf("%+v: %s, want %s", c.s, got, c.want)
		}
	}
}

func TestPlotly(t *testing.T) {
	fig := &grob.Fig{
		Data: []types.Trace{
			&grob.Bar{X: types.DataArray([]string{"cat", "dog"}), Y: types.DataArray([]float64{3, -1}), Name: types.S("animals")},
			&grob.Scatter{X: types.DataArray([]float64{0, 1}), Y: types.DataArray([]float64{1, 2}), Mode: "lines"},
			&grob.Histogram{X: types.DataArray([]float64{1, 1, 2, 9})},
			&grob.Pie{},
		},
		Layout: &grob.Layout{Title: &grob.LayoutTitle{Text: "A & B"}},
	}
	b := Of(fig)
	svg := b[SVGType].(string)
	if n := wellFormed(t, svg); n["rect"] != 1+2+2 || n["path"] < 3 {
		t.Errorf("the picture has %v", n)
	}
	for _, want := range []string{"A &amp; B (without pie)", ">cat</text>", "● animals", "● trace 1"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture lacks %q:\n%s", want, svg)
		}
	}
	if raw, ok := b[PlotlyType].(json.RawMessage); !ok || !strings.Contains(string(raw), `"type":"bar"`) {
		t.Errorf("the figure itself is %s", raw)
	}
	if !strings.Contains(b[Text].(string), `figure "A & B" with 4 traces; the static picture leaves out pie`) {
		t.Errorf("the text is %s", b[Text])
	}
	heat := Of(json.RawMessage(`{}`))
	if _, is := heat[PlotlyType]; is {
		t.Error("JSON without figure is a figure")
	}
	grid := plotlyBundle(map[string]any{"data": []any{map[string]any{"type": "heatmap", "z": [][]any{{1, 2}, {nil, 4}}}}})
	if n := wellFormed(t, grid[SVGType].(string)); n["rect"] != 1+3 {
		t.Errorf("the heatmap has %v", n)
	}
	encoded, _ := json.Marshal(fig)
	script := fmt.Sprintf("\n\tif (!module) {\n\t\tmodule = window.Plotly;\n\t}\n\tlet data = JSON.parse('%s');\n\tmodule.newPlot('%s', data);\n", encoded, "x")
	if found, ok := FromScript(script); !ok || found[SVGType] != b[SVGType] {
		t.Error("the figure in gonbui's script was not found")
	}
	if _, ok := FromScript("let data = JSON.parse('{');\n\tmodule.newPlot('"); ok {
		t.Error("a figure was found in a broken script")
	}
}

// recorder collects what a live area sends.
type recorder struct {
	mu   sync.Mutex
	sent []string
}

func (r *recorder) send(kind string, c content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, fmt.Sprint(kind, " ", c.Data[Text], " ", c.Transient["display_id"] != nil))
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.sent...)
}

func TestLiveSkipsButNeverTheLast(t *testing.T) {
	var r recorder
	now := time.Unix(0, 0)
	l := newLive(r.send, func() time.Time { return now })
	for i := range 100 {
		l.Show(i)
	}
	now = now.Add(pace)
	l.Show("later")
	l.Show("last")
	l.Close()
	l.Show("after Close")
	got := strings.Join(r.all(), "|")
	if got != "display_data 0 true|update_display_data later true|update_display_data last true" {
		t.Errorf("sent %s", got)
	}

	var timed recorder
	l = newLive(timed.send, time.Now)
	l.Show("first")
	l.Show("second") // comes by the timer, without any further call
	for deadline := time.Now().Add(30 * time.Second); len(timed.all()) < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("sent %v", timed.all())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var r recorder
	p := newProgress(newLive(r.send, func() time.Time { return now }), "a<b", 10, func() time.Time { return now })
	now = now.Add(10 * time.Second)
	p.mu.Lock()
	p.done = 4
	p.mu.Unlock()
	b := p.bundle()
	if want := "a<b  40% |████████████░░░░░░░░░░░░░░░░░░| 4/10, 2.5 s each, 15s left"; b[Text] != want {
		t.Errorf("text %q, want %q", b[Text], want)
	}
	if page := b[HTMLType].(string); !strings.Contains(page, "width: 40.0%") || !strings.Contains(page, "a&lt;b") || strings.Contains(page, "<script") {
		t.Errorf("page %s", page)
	}
	p.Note("loss %.2f", 0.5)
	p.Add(6)
	p.Close()
	sent := r.all()
	if last := sent[len(sent)-1]; !strings.Contains(last, "100% |██████████████████████████████| 10/10, 1/s, took 10s, loss 0.50") {
		t.Errorf("the last picture is %q", last)
	}
	open := newProgress(newLive(r.send, time.Now), "open", 0, func() time.Time { return now })
	open.done = 7
	if text := open.bundle()[Text].(string); !strings.HasPrefix(text, "open 7") || strings.Contains(text, "%") {
		t.Errorf("without a total: %q", text)
	}
}
