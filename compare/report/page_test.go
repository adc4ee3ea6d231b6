package report_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"patchlab/compare"
	"patchlab/compare/comparetest"
	"patchlab/compare/report"
	"patchlab/tracker"
)

// build compares made-up runs, with curves and step times.
func build(t testing.TB, runs []comparetest.Run, o compare.Options) *compare.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runs.db")
	if _, err := comparetest.Create(context.Background(), path, runs); err != nil {
		t.Fatal(err)
	}
	return buildFrom(t, path, o)
}

func buildFrom(t testing.TB, path string, o compare.Options) *compare.Report {
	t.Helper()
	db, err := tracker.Open(path, tracker.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	o.Curves, o.Steps = true, true
	r, err := compare.Build(context.Background(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, format report.Format, r *compare.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Write(&out, format, r, report.Options{Command: "compare --db runs.db"}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// mixed has something to warn of in every way: a repeat, two batch sizes, two
// machines, a change not committed, single runs, runs not counted.
func mixed() []comparetest.Run {
	var runs []comparetest.Run
	for i, model := range []string{"mixer-2", "vit-2", "convmixer"} {
		for seed, off := range []float64{0, .006, -.003} {
			runs = append(runs, comparetest.Run{Model: model, Seed: seed + 1, Accuracy: .68 - .03*float64(i) + off*float64(1+i%2),
				TrainPerS: 1000 * float64(1+i), Steps: 200})
		}
	}
	return append(runs, runs[0],
		comparetest.Run{Model: "vit-2", Seed: 4, Accuracy: .66, TrainPerS: 2000, Batch: 64, Dirty: true},
		comparetest.Run{Model: "single", Seed: 1, Accuracy: .66, TrainPerS: 9000, Machine: "Example GPU"},
		comparetest.Run{Model: "vit-2", Seed: 5, Accuracy: .1, TrainPerS: 2000, Status: tracker.Killed})
}

// TestEveryFormatWarns: what the reader has to know stands in every format.
func TestEveryFormatWarns(t *testing.T) {
	r := build(t, mixed(), compare.Options{Across: []string{"machine"}})
	table := r.Tables[0]
	if len(table.Warnings) < 4 || len(table.Pairs) != 6 || len(r.Excluded) != 1 {
		t.Fatalf("%d warnings, %d pairs, %d reasons not to count; the test needs more to look for", len(table.Warnings), len(table.Pairs), len(r.Excluded))
	}
	var want []string
	for _, w := range table.Warnings {
		want = append(want, w.Text)
	}
	best := table.Rows[0].Name
	for _, p := range table.Pairs {
		if p.A == best || p.B == best { // CSV has a line a configuration: its test against the best
			want = append(append(want, p.Assumptions...), p.Warnings...)
		}
	}
	want = append(want, "1 killed")
	plain := func(s string) string { // without what each format's own rules add
		s = html.UnescapeString(s)
		s = strings.NewReplacer(`\textbackslash{}`, "", `\_`, "_", `\%`, "%", `\&`, "&", `\*`, "*", `\~`, "~", `\[`, "[", `\|`, "|",
			`$\sim$`, "~", "-{}-", "--", `$-$`, "−", `\"`, `"`).Replace(s)
		return strings.Join(strings.Fields(s), " ")
	}
	for _, format := range []report.Format{report.Text, report.Markdown, report.CSV, report.JSON, report.LaTeX, report.HTML, report.SVG, report.PNG} {
		got := plain(write(t, format, r))
		for _, text := range want {
			if text == "1 killed" && format == report.JSON {
				text = `"reason": "killed", "runs": 1`
			}
			if !strings.Contains(got, plain(text)) {
				t.Errorf("%s does not say %q", format, text)
			}
		}
	}
	for _, row := range table.Rows {
		if row.Quantities["train"].Mark == "" {
			t.Errorf("%s: the speed cell is not marked though machines are mixed", row.Name)
		}
	}
}

// TestJSON: what is written can be read, numbers that are none are null, and
// the version is there.
func TestJSON(t *testing.T) {
	text := write(t, report.JSON, build(t, mixed(), compare.Options{}))
	var got struct {
		Version int
		Tables  []struct {
			Rows []struct {
				Name       string
				Quantities map[string]struct{ Mean, StdDev *float64 }
			}
			Pairs []struct{ P *float64 }
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != compare.Version || len(got.Tables) != 2 || *got.Tables[0].Rows[0].Quantities["accuracy"].Mean < .6 {
		t.Errorf("read back %+v", got)
	}
	if strings.Contains(text, "NaN") {
		t.Error("JSON with NaN")
	}
}

// TestPageStandsAlone: no address but anchors, a policy that lets nothing in,
// and whose hashes fit the page's own style and script.
func TestPageStandsAlone(t *testing.T) {
	page := write(t, report.HTML, build(t, mixed(), compare.Options{}))
	for _, found := range regexp.MustCompile(`(?i)(?:src|href|action|url)\s*[=(]\s*["']?([^"'\s>)]*)`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(found[1], "#") && found[1] != "data:," {
			t.Errorf("the page refers to %q", found[0])
		}
	}
	if strings.Contains(page, "://") {
		t.Error("the page holds an address")
	}
	for _, tag := range []string{"style", "script"} {
		inside := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1)
		if len(inside) != 1 {
			t.Fatalf("%d %s elements, want 1", len(inside), tag)
		}
		sum := sha256.Sum256([]byte(inside[0][1]))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(html.UnescapeString(page), want) {
			t.Errorf("the policy does not allow the page's own %s: no %s", tag, want)
		}
	}
	if strings.Contains(page, " style=") || regexp.MustCompile(`\son[a-z]+=`).MatchString(page) {
		t.Error("inline styles or handlers, which the policy forbids")
	}
	for _, want := range []string{
		"default-src 'none'", `<html lang="en">`, `aria-label=`, "Accuracy against training speed", "Learning curves by epoch", "Step times",
		"Is the difference real?", "At equal budgets", "What differs between the configurations", "Environment", "How to reproduce",
		"compare --db runs.db", "is the most accurate", "@media print", "prefers-color-scheme:dark",
	} {
		if !strings.Contains(html.UnescapeString(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPageEscapes: a name is text, whatever it holds.
func TestPageEscapes(t *testing.T) {
	evil := `<script>alert("x")</script>'&`
	page := write(t, report.HTML, build(t, []comparetest.Run{
		{Model: evil, Seed: 1, Accuracy: .6, TrainPerS: 1000, Data: evil, Machine: evil},
		{Model: "b", Seed: 1, Accuracy: .5, TrainPerS: 1000, Data: evil, Machine: evil},
	}, compare.Options{Filter: "params.seed = '1'"}))
	if strings.Contains(page, `<script>alert`) || strings.Contains(page, `"x")</script>`) {
		t.Error("a run's name became markup")
	}
}

// TestPageSize: 100 configurations, with curves and steps, under 2 MB.
func TestPageSize(t *testing.T) {
	var runs []comparetest.Run
	for i := range 100 {
		runs = append(runs, comparetest.Run{Model: fmt.Sprintf("mixer:%d,vit:%d", i/10, i%10), Seed: 1, Accuracy: .4 + .003*float64(i%50),
			TrainPerS: 500 + 31*float64(i), Epochs: 50, Steps: 50})
	}
	page := write(t, report.HTML, build(t, runs, compare.Options{}))
	if len(page) > 2<<20 {
		t.Errorf("the page of 100 runs has %d bytes, more than 2 MB", len(page))
	}
	t.Logf("%d bytes", len(page))
}

// chromium runs a page in a real browser and returns its document afterwards
// and what its console said.
func chromium(t *testing.T, page string, args ...string) (document, console string) {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium in PATH: the page is not tried in a browser")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "page.html")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--user-data-dir=" + folder,
		"--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000", "--dump-dom",
	}, append(args, "file://"+path)...)...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, log.String())
	}
	var said []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	return out.String(), strings.Join(said, "\n")
}

// TestPageInBrowser: the page works under its own policy. The script of the
// test is let in by its hash, clicks and presses keys, and writes what it saw.
func TestPageInBrowser(t *testing.T) {
	page := write(t, report.HTML, build(t, mixed(), compare.Options{}))
	script := `"use strict";
const out = [], say = (name, value) => out.push(name + "=" + value);
const section = document.querySelector("section"), table = section.querySelector("table.sortable");
const names = () => [...table.tBodies[0].rows].map(r => r.querySelector(".name").textContent).join(" ");
say("start", names());
table.querySelector("[data-sort=train]").click(); say("train", names());
table.querySelector("[data-sort=train]").click(); say("train again", names());
table.querySelector("[data-sort=name]").click(); say("name", names());
say("sorted", table.querySelector("[aria-sort]").getAttribute("aria-sort"));
const chip = section.querySelector(".chip[data-c='1']");
chip.click();
say("followed", section.querySelectorAll("svg.wide .c.lit").length + " of " + section.querySelectorAll("svg.wide .c").length);
say("pressed", chip.getAttribute("aria-pressed"));
document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
say("after escape", section.querySelectorAll(".lit,.dim").length);
const mark = section.querySelector("svg.wide .c[data-c='0']");
mark.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
say("by key", section.dataset.follow);
mark.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: 200, clientY: 200}));
say("tip", document.getElementById("tip").textContent.split(":")[0] + (document.getElementById("tip").hidden ? " hidden" : ""));
const line = section.querySelector("svg.wide .c[data-at][data-c='0']"), box = line.ownerSVGElement.getBoundingClientRect();
line.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: box.left, clientY: box.top + box.height / 2}));
say("value", document.getElementById("tip").textContent.replace(/[0-9.]+, /, "N, "));
say("wider than the window", document.documentElement.scrollWidth > innerWidth);
document.title = out.join("; ");`
	sum := sha256.Sum256([]byte(script))
	page = strings.Replace(page, "script-src ", "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"' ", 1)
	page = strings.Replace(page, "script-src &#39;", "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"' &#39;", 1)
	page = strings.Replace(page, "</body>", "<script>"+script+"</script></body>", 1)
	for _, width := range []string{"1280,900", "400,800"} {
		document, console := chromium(t, page, "--window-size="+width)
		if console != "" {
			t.Errorf("the console at %s says: %s", width, console)
		}
		title := regexp.MustCompile(`<title>([^<]*)</title>`).FindStringSubmatch(document)
		if title == nil {
			t.Fatalf("no title in what the browser returned: %.300s", document)
		}
		got := strings.Split(html.UnescapeString(title[1]), "; ")
		want := []string{
			"start=mixer-2 vit-2 convmixer", "train=convmixer vit-2 mixer-2", "train again=mixer-2 vit-2 convmixer",
			"name=convmixer mixer-2 vit-2", "sorted=ascending", "followed=5 of 15", "pressed=true", "after escape=0",
			"by key=0", "tip=mixer-2", "value=mixer-2: validation accuracy, % N, epoch 1", "wider than the window=false",
		}
		if !slices.Equal(got, want) {
			t.Errorf("at %s the page did\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestJSONIsDocumented: every field that is written stands in JSON.md.
func TestJSONIsDocumented(t *testing.T) {
	text, err := os.ReadFile("JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, found := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(string(text), -1) {
		documented[found[1]] = true
	}
	r := build(t, mixed(), compare.Options{
		Across: []string{"machine"}, Target: .5, Name: "reference",
		Against: []compare.Reference{{ID: "mixer-2", Data: "cifar10", Accuracy: .68, Top5: .9}},
	})
	var value any
	if err := json.Unmarshal([]byte(write(t, report.JSON, r)), &value); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var walk func(value any, free bool)
	walk = func(value any, free bool) {
		switch v := value.(type) {
		case map[string]any:
			for key, child := range v {
				if !free {
					seen[key] = true
				}
				walk(child, key == "group") // whose keys are the user's
			}
		case []any:
			for _, child := range v {
				walk(child, false)
			}
		}
	}
	walk(value, false)
	for key := range seen {
		if !documented[key] {
			t.Errorf("the field %q is not in JSON.md", key)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d fields seen: the test looks at too little", len(seen))
	}
}

// TestTextColour: escape codes only where they are asked for, and the same
// words either way.
func TestTextColour(t *testing.T) {
	r := build(t, mixed(), compare.Options{})
	var plain, coloured bytes.Buffer
	if err := report.Write(&plain, report.Text, r, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(&coloured, report.Text, r, report.Options{Color: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b[1m") {
		t.Error("escape codes without being asked for, or none")
	}
	if stripped := regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAllString(coloured.String(), ""); stripped != plain.String() {
		t.Error("colour changes the words")
	}
}

// TestLaTeXCompiles: where there is a LaTeX, it takes the tables without an
// error, a line too wide or a float too tall.
func TestLaTeXCompiles(t *testing.T) {
	compiler, err := exec.LookPath("pdflatex")
	if err != nil {
		t.Skip("no pdflatex in PATH: the tables are not compiled")
	}
	r := build(t, mixed(), compare.Options{Across: []string{"machine"}, Target: .5})
	folder := t.TempDir()
	document := "\\documentclass{article}\\usepackage{booktabs}\\usepackage[margin=2.5cm]{geometry}\\begin{document}\n" +
		write(t, report.LaTeX, r) + "\\end{document}\n"
	if err := os.WriteFile(filepath.Join(folder, "page.tex"), []byte(document), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(compiler, "-interaction=nonstopmode", "page.tex")
	cmd.Dir = folder
	log, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pdflatex: %v\n%s", err, log)
	}
	for _, bad := range []string{"Overfull", "Float too large", "Missing character", "\n!"} {
		if strings.Contains(string(log), bad) {
			t.Errorf("LaTeX says %q:\n%s", bad, log)
		}
	}
}
