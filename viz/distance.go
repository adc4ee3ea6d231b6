package viz

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
)

// distance is a head's mean attention distance in patches, over all queries.
func (a Attention) distance(head int) float64 {
	sum, t := 0., a.Tokens()
	for q := range t {
		for k, v := range a.Query(head, q) {
			sum += v * math.Hypot(float64(q/a.grid-k/a.grid), float64(q%a.grid-k%a.grid))
		}
	}
	return sum / float64(t)
}

// evenDistance is the distance of a head that looks everywhere alike.
func evenDistance(grid int) float64 {
	sum, t := 0., grid*grid
	for q := range t {
		for k := range t {
			sum += math.Hypot(float64(q/grid-k/grid), float64(q%grid-k%grid))
		}
	}
	return sum / float64(t*t)
}

// Distances returns each head's mean attention distance in patches: the
// distance between query and patch, weighted by the score, averaged over all
// queries (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words", section
// 4.5 and figure 11; there in pixels: multiply by the patch size).
func (a Attention) Distances() []float64 {
	out := make([]float64, a.heads)
	for h := range out {
		out[h] = a.distance(h)
	}
	return out
}

// Entropies returns each head's mean entropy over the queries in bits: 0 where
// every query looks at one patch, log2 T where each looks everywhere alike.
func (a Attention) Entropies() []float64 {
	out := make([]float64, a.heads)
	for h := range out {
		for _, v := range a.Head(h) {
			if v > 0 {
				out[h] -= v * math.Log2(v) / float64(a.Tokens())
			}
		}
	}
	return out
}

// HeadValues is a number for each head of a layer.
type HeadValues struct {
	Layer  string
	Values []float64
}

// AttentionDistance shows the mean attention distance of every head by layer,
// in pixels of the network's input. Values are in patches, as Distances returns
// them, averaged over some images; grid is the patches a side, patch a patch's
// side in pixels. A line shows the distance of a head that looks everywhere
// alike.
func AttentionDistance(title string, layers []HeadValues, images, grid, patch int) (*Picture, error) {
	scaled := make([]HeadValues, len(layers))
	for i, l := range layers {
		scaled[i].Layer = l.Layer
		for _, v := range l.Values {
			scaled[i].Values = append(scaled[i].Values, v*float64(patch))
		}
	}
	even := evenDistance(grid) * float64(patch)
	side := float64(grid * patch)
	return headChart(title, fmt.Sprintf("How far from its query each head looks, over %s of %s × %s pixels; dashed: everywhere alike, %s pixels",
		count(images, "image"), number(side), number(side), number(even)),
		"mean attention distance (pixels)", scaled, even)
}

// AttentionEntropy shows the mean entropy of every head by layer in bits, with
// a line at the largest there can be, log2 of the tokens.
func AttentionEntropy(title string, layers []HeadValues, images, tokens int) (*Picture, error) {
	most := math.Log2(float64(tokens))
	return headChart(title, fmt.Sprintf("How widely each head spreads its attention, over %s; dashed: everywhere alike, log2 %d = %s bits",
		count(images, "image"), tokens, number(most)), "entropy of attention (bits)", layers, most)
}

// headChart places a numbered dot for each head over its layer, and a line.
func headChart(title, below, yTitle string, layers []HeadValues, line float64) (*Picture, error) {
	high := line * 1.08
	if len(layers) == 0 {
		return nil, fmt.Errorf("%s: no layers; allowed: 1 or more", yTitle)
	}
	alt := title + "."
	var names []plot.Tick
	for i, l := range layers {
		if len(l.Values) == 0 {
			return nil, fmt.Errorf("%s: %s has no heads; allowed: 1 or more", yTitle, l.Layer)
		}
		names = append(names, plot.Tick{Value: float64(i), Label: l.Layer})
		alt += fmt.Sprintf(" %s:", l.Layer)
		for h, v := range l.Values {
			if bad(v, false) {
				return nil, fmt.Errorf("%s: %s, head %d has %g; allowed: finite numbers", yTitle, l.Layer, h+1, v)
			}
			alt += fmt.Sprintf(" head %d %s", h+1, number(v))
			alt += map[bool]string{true: ".", false: ","}[h == len(l.Values)-1]
			high = math.Max(high, v*1.05)
		}
	}
	const height = 250.0
	top := titleHeight(below)
	return &Picture{
		width: pageWidth, height: top + height + margin, alt: alt + " " + yTitle + "; a head that looks everywhere alike would have " + number(line) + ".",
		paint: func(s *sheet) {
			y0 := s.title(title, below)
			p := axes("", yTitle)
			p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -.6, float64(len(layers))-.4, 0, high
			p.X.Tick.Marker = plot.ConstantTicks(names)
			p.X.Tick.Label.Font.Size, p.X.Tick.Label.Color, p.X.Tick.Length, p.X.Tick.Color = labelSize, ink(), 5, color.Transparent
			p.Y.Tick.Marker = plot.ConstantTicks(Scale{High: high}.ticks())
			grid := plotter.NewGrid()
			grid.Vertical.Width, grid.Horizontal.Color, grid.Horizontal.Width = 0, rule(), .75
			p.Add(grid, headDots{layers, line})
			s.chart(margin, y0, pageWidth-2*margin, height, p)
		},
	}, nil
}

// headDots draws the dots of headChart, those of one layer side by side, so
// that none covers another, each with its head's number.
type headDots struct {
	layers []HeadValues
	line   float64
}

// Plot draws the dots.
func (d headDots) Plot(c vgdraw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.StrokeLine2(vgdraw.LineStyle{Color: muted(), Width: 1.2, Dashes: []vg.Length{5, 4}}, c.Min.X, y(d.line), c.Max.X, y(d.line))
	step := math.Min(26, float64(x(1)-x(0))*.8/float64(maxHeads(d.layers)))
	for i, l := range d.layers {
		for h, v := range l.Values {
			at := vg.Point{X: x(float64(i)) + vg.Length((float64(h)-float64(len(l.Values)-1)/2)*step), Y: y(v)}
			c.StrokeLine2(vgdraw.LineStyle{Color: rule(), Width: 1}, at.X, c.Min.Y, at.X, at.Y)
			radius := vg.Length(math.Min(8, step*.46))
			c.DrawGlyphNoClip(vgdraw.GlyphStyle{Color: Viridis().At(.28), Radius: radius, Shape: vgdraw.CircleGlyph{}}, at)
			if radius > 6 {
				label := lettering(tickSize, paper(), true)
				label.XAlign, label.YAlign = -.5, -.5
				c.FillText(label, vg.Point{X: at.X, Y: at.Y + .5}, fmt.Sprint(h+1))
			}
		}
	}
}

func maxHeads(layers []HeadValues) int {
	most := 1
	for _, l := range layers {
		most = max(most, len(l.Values))
	}
	return most
}
