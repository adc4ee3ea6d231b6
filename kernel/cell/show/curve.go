package show

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Curve draws metrics against steps while they come, in place: one panel for each quantity, so that train_loss and
// val_loss share one and train_accuracy has another. Its methods may be called from several goroutines.
type Curve struct {
	live  *Live
	title string
	shown func() bool // whether pictures are seen

	mu     sync.Mutex
	log    bool
	series map[string]*series
	order  []string
}

// series are a metric's points in the order in which they came.
type series struct {
	x, y []float64
}

// maxPoints bounds the points of a metric that are remembered.
const maxPoints = 1 << 17

// halve makes room: of every four points, the lowest and the highest stay.
func (s *series) halve() {
	if len(s.x) < maxPoints {
		return
	}
	n := 0
	for i := 0; i+4 <= len(s.x); i += 4 {
		low, high := i, i
		for j := i; j < i+4; j++ {
			if s.y[j] < s.y[low] || !finite(s.y[j]) {
				low = j
			}
			if s.y[j] > s.y[high] {
				high = j
			}
		}
		for _, k := range []int{min(low, high), max(low, high)} {
			s.x[n], s.y[n] = s.x[k], s.y[k]
			n++
		}
	}
	s.x, s.y = s.x[:n], s.y[:n]
}

// NewCurve returns an empty picture; it appears with its first point.
//
//	curve := show.NewCurve("mixer-4")
//	defer curve.Close()
//	curve.Add(step, map[string]float64{"train_loss": loss})
func NewCurve(title string) *Curve {
	return &Curve{live: NewLive(), title: title, shown: out.inNotebook, series: map[string]*series{}}
}

// NewCurveTo is NewCurve for the kernel's front, which publishes messages itself: send is given their types and
// contents, which encoding/json can encode.
func NewCurveTo(title string, send func(kind string, content any)) *Curve {
	live := newLive(func(kind string, c content) {
		c.Metadata = map[string]any{}
		send(kind, c)
	}, time.Now)
	return &Curve{live: live, title: title, shown: func() bool { return true }, series: map[string]*series{}}
}

// LogScale draws loss-like quantities on a logarithmic axis, where all their values are positive.
func (c *Curve) LogScale() *Curve {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = true
	return c
}

// Add adds a point of each metric at a step.
func (c *Curve) Add(step int64, values map[string]float64) {
	c.mu.Lock()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s := c.series[key]
		if s == nil {
			s = &series{}
			c.series[key] = s
			c.order = append(c.order, key)
		}
		s.x, s.y = append(s.x, float64(step)), append(s.y, values[key])
		s.halve()
	}
	c.mu.Unlock()
	if c.shown() {
		c.live.Draw(c.bundle)
	}
}

// Flush draws the points that came last at once.
func (c *Curve) Flush() {
	if c.empty() {
		return
	}
	if !c.shown() {
		c.live.Draw(c.bundle) // as text, once
	}
	c.live.Flush()
}

// Close draws the last points and ends the picture. Without a notebook it prints what the curves came to.
func (c *Curve) Close() {
	c.Flush()
	c.live.Close()
}

func (c *Curve) empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.series) == 0
}

func (c *Curve) bundle() Bundle {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Bundle{SVGType: c.draw(), Text: c.text()}
}

// quantity splits a metric's key into what is measured and on which part of the data: train_loss is loss of train.
func quantity(key string) (what, on string) {
	for _, part := range []string{"train", "val", "valid", "validation", "test", "eval"} {
		for _, mark := range []string{"_", "/", "."} {
			if rest, ok := strings.CutPrefix(key, part+mark); ok && rest != "" {
				return rest, part
			}
		}
	}
	return key, ""
}

// panels groups the metrics by quantity: losses first, the others in the order in which they came.
func (c *Curve) panels() []panel {
	var all []panel
	for _, key := range c.order {
		what, on := quantity(key)
		i := slices.IndexFunc(all, func(p panel) bool { return p.title == what })
		if i < 0 {
			i = len(all)
			all = append(all, panel{title: what, xTitle: "step", log: c.log})
		}
		name := on
		if name == "" {
			name = key
		}
		s := c.series[key]
		all[i].lines = append(all[i].lines, line{name: name, x: s.x, y: s.y})
	}
	loss := func(p panel) bool { return strings.Contains(p.title, "loss") }
	slices.SortStableFunc(all, func(a, b panel) int {
		switch {
		case loss(a) == loss(b):
			return 0
		case loss(a):
			return -1
		}
		return 1
	})
	return all
}

// maxPanels bounds the panels that are drawn.
const maxPanels = 12

func (c *Curve) draw() string {
	panels := c.panels()
	note := ""
	if n := len(panels) - maxPanels; n > 0 {
		panels, note = panels[:maxPanels], fmt.Sprintf(" (%d more metrics)", n)
	}
	return chart{title: c.title + note, panels: panels}.svg()
}

// text is a line for each metric: its latest value, best values and course.
func (c *Curve) text() string {
	width := 0
	for _, key := range c.order {
		width = max(width, len(key))
	}
	lines := []string{c.title}
	for _, key := range c.order {
		s := c.series[key]
		n := len(s.y) - 1
		low, high := extremes(s.y)
		lines = append(lines, fmt.Sprintf("%-*s  step %.0f: %.5g  (%.5g to %.5g)  %s", width, key, s.x[n], s.y[n], low, high, spark(s.y)))
	}
	return strings.Join(lines, "\n")
}

// extremes are those of the finite values; NaN where there is none.
func extremes(values []float64) (low, high float64) {
	low, high = math.NaN(), math.NaN()
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if !(low <= v) {
			low = v
		}
		if !(high >= v) {
			high = v
		}
	}
	return low, high
}

// spark is a course in twenty characters.
func spark(values []float64) string {
	const width = 20
	bars := []rune("▁▂▃▄▅▆▇█")
	low, high := extremes(values)
	n := min(width, len(values))
	var b strings.Builder
	for i := range n {
		v := values[(i+1)*len(values)/n-1]
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			b.WriteRune('×')
		case high == low:
			b.WriteRune(bars[3])
		default:
			b.WriteRune(bars[int((v-low)/(high-low)*float64(len(bars)-1)+.5)])
		}
	}
	return b.String()
}
