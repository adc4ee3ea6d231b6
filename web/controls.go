package web

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"patchlab/tracker"
)

// controls are how a reader wants to see curves.
type controls struct {
	X        string  // one of axes
	Log      bool    // the y axis
	Smooth   float64 // weight of the past, 0 to .99
	From, To float64 // the part of the x axis that is shown; NaN: all
}

// axis is what the x axis can show.
type axis struct {
	Key, Title string
	seconds    float64 // of a unit, where it shows time
}

func axes() []axis {
	return []axis{
		{"epoch", "epoch", 0}, {"step", "step", 0}, {"seconds", "seconds since the start", 1},
		{"minutes", "minutes since the start", 60}, {"hours", "hours since the start", 3600},
	}
}

func axisNamed(key string) axis {
	all := axes()
	if i := slices.IndexFunc(all, func(a axis) bool { return a.Key == key }); i >= 0 {
		return all[i]
	}
	return all[1]
}

// parseControls reads an address. What it does not say, or says wrongly, is as
// the run suggests: by epoch where it has epochs, so that all charts share an axis.
func parseControls(values url.Values, r *tracker.RunInfo) controls {
	c := controls{X: values.Get("x"), Log: values.Get("log") == "1", From: bound(values.Get("from")), To: bound(values.Get("to"))}
	if axisNamed(c.X).Key != c.X || c.X == "epoch" && !hasEpochs(r) {
		c.X = "step"
		if hasEpochs(r) {
			c.X = "epoch"
		}
	}
	if s, err := strconv.ParseFloat(values.Get("smooth"), 64); err == nil && s > 0 {
		c.Smooth = math.Min(s, .99)
	}
	if c.From >= c.To {
		c.From, c.To = math.NaN(), math.NaN()
	}
	return c
}

func hasEpochs(r *tracker.RunInfo) bool {
	_, ok := r.Metrics["train_seconds"]
	return ok
}

func bound(text string) float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// Query is the controls as part of an address, "" where they say nothing.
func (c controls) Query() string {
	values := url.Values{"x": {c.X}}
	if c.Log {
		values.Set("log", "1")
	}
	if c.Smooth > 0 {
		values.Set("smooth", text(c.Smooth))
	}
	for key, v := range map[string]float64{"from": c.From, "to": c.To} {
		if !math.IsNaN(v) {
			values.Set(key, text(v))
		}
	}
	return values.Encode()
}

// FromText and ToText are what the fields hold.
func (c controls) FromText() string { return text(c.From) }

// ToText is FromText for the other end.
func (c controls) ToText() string { return text(c.To) }

// SmoothText is what the field of smoothing holds.
func (c controls) SmoothText() string { return text(c.Smooth) }

func text(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
