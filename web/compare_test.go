package web_test

import (
	"bytes"
	"database/sql"
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
	"patchlab/tracker"
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

// TestComparisonOfVeryMany: of more runs than a page compares the latest are, and
// the page says so.
func TestComparisonOfVeryMany(t *testing.T) {
	l := newLab(t, web.Options{})
	run := l.start(tracker.Spec{Params: training("mixer-2")})
	must(t, run.Log(1, map[string]float64{"test_accuracy": .5}))
	must(t, run.Finish(tracker.Finished))
	raw, err := sql.Open("sqlite3", "file:"+l.path)
	must(t, err)
	defer raw.Close()
	_, err = raw.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
		INSERT INTO run (ulid, experiment, environment, name, status, started, ended, params, metrics)
		SELECT printf('%026d', i), experiment, environment, 'copy', status, started + i, ended + i, params, metrics FROM run, n`)
	must(t, err)
	wants(t, l.get("/compare", 200), "<p class=\"sub\">5000 finished runs", "only the latest 5,000 of the runs found are compared here")
	if page := l.get("/compare?q=name+%3D+%27copy%27", 200); !strings.Contains(page, "5000 finished runs") || strings.Contains(page, "only the latest") {
		t.Error("a filter that finds 5,000 does not compare them all")
	}
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
