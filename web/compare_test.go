package web_test

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/compare/report"
	"patchlab/web"
)

// TestComparison: the page is the one that the command compare writes.
func TestComparison(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	var runs []comparetest.Run
	for i, model := range []string{"mixer-2", "vit-2"} {
		for seed := range 3 {
			runs = append(runs, comparetest.Run{Model: model, Seed: seed, Accuracy: .6 - .05*float64(i) + .01*float64(seed), TrainPerS: 1000, Steps: 50})
		}
	}
	ids, err := comparetest.Create(t.Context(), path, runs)
	must(t, err)
	now := time.Date(2026, 5, 4, 13, 0, 0, 0, time.UTC)
	l := openLab(t, path, web.Options{Now: func() time.Time { return now }, Name: "lab.db"})
	for address, c := range map[string]struct {
		of compare.Options
		in report.Options
	}{
		"/compare": {in: report.Options{Back: "/"}},
		"/compare?q=params.model+%3D+%27vit-2%27": {
			compare.Options{Filter: "params.model = 'vit-2'"},
			report.Options{Back: "/?q=params.model+%3D+%27vit-2%27"},
		},
		"/compare?run=" + ids[0] + "&run=" + ids[4] + "&by=run&q=ignored": {
			compare.Options{Filter: "run_id IN ('" + ids[0] + "', '" + ids[4] + "')", By: []string{"run"}},
			report.Options{Chosen: 2, Back: "/?q=ignored"},
		},
	} {
		o := c.of
		o.Curves, o.Steps, o.Made = true, true, now
		built, err := compare.Build(t.Context(), l.db, o)
		must(t, err)
		var want bytes.Buffer
		must(t, report.Write(&want, report.HTML, built, c.in))
		got, header := l.fetch(address, 200)
		got = regexp.MustCompile(`(?s)<p>This page was made by</p><pre>.*?</pre>`).ReplaceAllString(got, "")
		if strings.TrimSpace(got) != strings.TrimSpace(want.String()) {
			t.Errorf("%s is not the page that compare writes: %d bytes, want %d", address, len(got), want.Len())
		}
		if !strings.HasPrefix(header.Get("Content-Security-Policy"), report.Policy()) {
			t.Errorf("%s has the policy %q", address, header.Get("Content-Security-Policy"))
		}
	}
	l.get("/compare?q=params.x+%3D", 400)
	l.get("/compare?by=nonsense", 400)
	wants(t, l.get("/compare?run="+ids[0], 200), "mixer-2", `<a href="/">← All runs</a>`)
	both := l.get("/compare?run="+ids[0]+"&run="+ids[1], 200)
	wants(t, both, "2 finished runs of 2 chosen runs")
	if above, _, _ := strings.Cut(both, "<main"); strings.Contains(above, "run_id") {
		t.Errorf("the page begins with the IDs that were chosen: %s", above)
	}
	wants(t, l.get("/compare?run="+strings.Repeat("0", 26), 200), "None of the chosen runs is finished")
	wants(t, l.get("/compare?run=misspelt", 400), "none of the names is the ID of a run")
}

// TestComparisonLeavesNoChosenRunOut: of many chosen runs all are compared, or none.
func TestComparisonLeavesNoChosenRunOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	var runs []comparetest.Run
	for seed := range 205 { // more than a page follows
		runs = append(runs, comparetest.Run{Model: "mixer-2", Seed: seed, Accuracy: .5, TrainPerS: 1000, Epochs: 1})
	}
	ids, err := comparetest.Create(t.Context(), path, runs)
	must(t, err)
	l := openLab(t, path, web.Options{})
	address := "/compare?" + url.Values{"run": ids}.Encode()
	wants(t, l.get(address, 200), "205 finished runs")
	for i := range 800 {
		address += fmt.Sprintf("&run=%026d", i)
	}
	wants(t, l.get(address, 414), "More than 1,000 runs are chosen")
}
