package web_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // to damage a database

	"patchlab/tracker"
	"patchlab/web"
)

// svgs are the charts of a page that are drawn wide.
func svgs(page string) []string {
	return regexp.MustCompile(`(?s)<svg class="chart wide".*?</svg>`).FindAllString(page, -1)
}

func TestRunPage(t *testing.T) {
	l := newLab(t, web.Options{})
	parent := l.start(tracker.Spec{Name: "the parent"})
	params := training("mixer:2,vit:1")
	for i := range 30 {
		params[fmt.Sprintf("parameter_%02d", i)] = strings.Repeat("long ", i)
	}
	run := l.start(tracker.Spec{Name: "the run", Parent: parent.ID(), Params: params, Tags: map[string]string{"course": "vision"},
		Environment: map[string]string{"machine": "Example CPU × 2", "git_commit": "0123abc"},
		Inputs:      []tracker.Input{{Name: "cifar10", Digest: strings.Repeat("ab", 32), Context: "train"}}})
	child := l.start(tracker.Spec{Name: "the child", Parent: run.ID()})
	l.train(run, 1, 6)
	must(t, run.Log(0, map[string]float64{"system/cpu_utilization_percentage": 50, "system/process_memory_megabytes": 400, "f1": math.NaN()}))
	must(t, run.Log(1, map[string]float64{"system/cpu_utilization_percentage": 90, "system/process_memory_megabytes": 500, "f1": math.Inf(1)}))
	must(t, run.AddArtifact("git.diff", strings.NewReader("-a\n+b\n")))
	must(t, run.SetNote("# Why\n\nIt *learns*.\n\n| a | b |\n|:-|-:|\n| 1 | 2 |"))
	must(t, run.Flush())

	page := l.get("/runs/"+run.ID(), 200)
	wants(t, page, "epoch 6 of 10, about 48 s left", "the parent", "/runs/"+parent.ID(), "the child", "/runs/"+child.ID(), "Example CPU × 2",
		"parameter_29", "<em>learns</em>", `<td align="right">2</td>`, "cifar10, train", "git.diff?view=1", "machine: utilisation, %", "machine: memory, MB",
		"loss of each step", "step time, ms", "val_accuracy <b>0.3000</b>", "<figcaption>accuracy</figcaption>", "2 values of f1 are NaN or infinite",
		`data-events="/runs/`, "best val accuracy", "30.00 %")
	if got := len(svgs(page)); got != 8 {
		t.Errorf("%d charts, want 8: accuracy, loss, loss of steps, f1, step time, seconds, utilisation, memory", got)
	}
	must(t, run.Finish(tracker.Finished))
	page = l.get("/runs/"+run.ID(), 200)
	if strings.Contains(page, "data-events") || strings.Contains(page, " left<") {
		t.Error("a finished run's page still waits for events")
	}
	l.get("/runs/"+strings.Repeat("0", 26), 404)
	l.get("/runs/..%2f..%2fetc", 404)
	l.get("/nothing", 404)
}

func TestControls(t *testing.T) {
	l := newLab(t, web.Options{})
	run := l.start(tracker.Spec{Params: training("m")})
	l.train(run, 1, 10)
	must(t, run.Log(11, map[string]float64{"zero": 0}))
	must(t, run.Log(12, map[string]float64{"zero": -1}))
	must(t, run.Finish(tracker.Finished))
	at := "/runs/" + run.ID() + "/live?"
	tall := regexp.MustCompile(`data-x="([^"]*)" data-from="[^"]*" data-to="[^"]*" data-low="([^"]*)" data-high="([^"]*)"`)
	for query, want := range map[string][3]string{
		"":                             {"epoch", "0", "10"},
		"x=epoch&from=2.5&to=4":        {"epoch", "2.5", "4"},
		"x=epoch&from=4&to=2":          {"epoch", "0", "10"}, // no range
		"x=step":                       {"step", "1", "10"},
		"x=nonsense&from=a&to=Inf":     {"epoch", "0", "10"},
		"x=epoch&from=1000&to=2000":    {"epoch", "1000", "2000"},
		"x=epoch&smooth=.9&log=1":      {"epoch", "0", "10"},
		"x=epoch&smooth=NaN&log=maybe": {"epoch", "0", "10"},
	} {
		page := l.get(at+query, 200)
		found := tall.FindStringSubmatch(page)
		if found == nil || [3]string(found[1:4]) != want {
			t.Errorf("%q draws %q, want %q", query, found, want)
		}
		if strings.Contains(page, "NaN ") && !strings.Contains(page, "NaN or infinite") || strings.Contains(page, `"NaN`) || strings.Contains(page, "LNaN") {
			t.Errorf("%q draws what is no number", query)
		}
	}
	wants(t, l.get(at+"x=epoch&from=1000&to=2000", 200), "no points in this range")
	wants(t, l.get(at+"log=1", 200), "2 values of zero are not positive or not finite")
	if plain, smooth := svgs(l.get(at, 200)), svgs(l.get(at+"smooth=.9", 200)); strings.Count(smooth[0], "<path") != strings.Count(plain[0], "<path")+2 {
		t.Error("smoothing does not keep the two raw lines behind")
	}
	for _, unit := range []string{"seconds", "minutes", "hours"} {
		wants(t, l.get(at+"x="+unit, 200), unit+" since the start")
	}
}

func TestNotesRunNothing(t *testing.T) {
	l := newLab(t, web.Options{})
	evil := `<script>alert(1)</script>"><img src=x onerror=alert(1)>`
	run := l.start(tracker.Spec{Name: evil, Experiment: evil, Params: map[string]string{evil: evil, "model": evil}, Tags: map[string]string{evil: evil},
		Environment: map[string]string{evil: evil}, Inputs: []tracker.Input{{Name: evil, Digest: evil}}})
	for i := range int64(3) {
		must(t, run.Log(i, map[string]float64{evil: 1, "val_accuracy": .1}))
	}
	must(t, run.AddArtifact("plots/"+strings.ReplaceAll(evil, "/", "")+".svg", strings.NewReader(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`)))
	must(t, run.SetNote(evil+"\n\n[a](javascript:alert(1)) ![b](javascript:alert(2)) <b onclick=x>c</b>\n\n<https://example.org>"))
	must(t, run.Finish(tracker.Finished))
	for _, address := range []string{"/", "/runs/" + run.ID(), "/rows?run=" + run.ID(), "/runs/" + run.ID() + "/live", "/?q=" + url.QueryEscape(evil),
		"/?sort=" + url.QueryEscape(evil), "/?show=" + url.QueryEscape(evil), "/runs/" + url.PathEscape(strings.ReplaceAll(evil, "/", "")), "/compare?by=" + url.QueryEscape(evil)} {
		answer, err := http.Get(l.url + address)
		must(t, err)
		var text bytes.Buffer
		_, err = text.ReadFrom(answer.Body)
		must(t, err)
		answer.Body.Close()
		page := text.String()
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img src=x") || strings.Contains(page, `href="javascript`) || strings.Contains(page, "<b onclick") {
			t.Errorf("%s lets markup through", address)
		}
		if regexp.MustCompile(`<[a-z][^>]*\s(on[a-z]+|style)=`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(page, `""`)) {
			t.Errorf("%s has inline handlers or styles, which the policy forbids", address)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has the policy %q", address, policy)
		}
	}
}

func TestEdits(t *testing.T) {
	l := newLab(t, web.Options{})
	run := l.start(tracker.Spec{Name: "before"})
	must(t, run.Finish(tracker.Finished))
	at := "/runs/" + run.ID()
	find := func() tracker.RunInfo {
		t.Helper()
		info, err := l.db.Find(t.Context(), run.ID())
		must(t, err)
		return info
	}
	for _, step := range []struct {
		form   string
		values url.Values
		done   func(tracker.RunInfo) bool
	}{
		{"note", url.Values{"note": {"a *note*\r\nof two lines"}}, func(r tracker.RunInfo) bool { return r.Note == "a *note*\nof two lines" }},
		{"name", url.Values{"name": {"after"}}, func(r tracker.RunInfo) bool { return r.Name == "after" }},
		{"tag", url.Values{"key": {"course"}, "value": {"vision & more"}}, func(r tracker.RunInfo) bool { return r.Tags["course"] == "vision & more" }},
		{"untag", url.Values{"key": {"course"}}, func(r tracker.RunInfo) bool { return len(r.Tags) == 0 }},
		{"archive", url.Values{"archived": {"1"}}, func(r tracker.RunInfo) bool { return r.Archived }},
		{"archive", url.Values{"archived": {"0"}}, func(r tracker.RunInfo) bool { return !r.Archived }},
		{"delete", nil, func(r tracker.RunInfo) bool { return r.Deleted }},
		{"restore", nil, func(r tracker.RunInfo) bool { return !r.Deleted }},
	} {
		before := fmt.Sprint(find())
		for name, headers := range map[string][]string{
			"no origin": {"Accept", "*/*"}, "another": {"Origin", "http://evil.example"}, "null": {"Origin", "null"},
			"cross-site": {"Origin", l.url, "Sec-Fetch-Site", "cross-site"}, "another port": {"Origin", "http://127.0.0.1:1"}, "none": {"Sec-Fetch-Site", "none"},
		} {
			if code := l.post(at+"/"+step.form, step.values, headers...); code != http.StatusForbidden {
				t.Errorf("%s with %s: status %d", step.form, name, code)
			}
		}
		if after := fmt.Sprint(find()); after != before {
			t.Fatalf("a refused %s changed the run to %s", step.form, after)
		}
		if code := l.post(at+"/"+step.form, step.values); code != http.StatusSeeOther {
			t.Errorf("%s: status %d", step.form, code)
		}
		if !step.done(find()) {
			t.Errorf("after %s the run is %+v", step.form, find())
		}
	}
	going := l.start(tracker.Spec{Name: "going on"})
	if code := l.post("/runs/"+going.ID()+"/delete", nil); code != http.StatusConflict {
		t.Errorf("deleting a run that is being written: status %d", code)
	}
	must(t, going.Finish(tracker.Finished))
	if code := l.post("/runs/"+going.ID()+"/delete", nil); code != http.StatusSeeOther {
		t.Errorf("deleting it once it has ended: status %d", code)
	}
	if code := l.post(at+"/note", url.Values{"note": {"by fetch"}}, "Sec-Fetch-Site", "same-origin"); code != http.StatusSeeOther {
		t.Errorf("a form that the browser vouches for: status %d", code)
	}
	for form, want := range map[string]int{"name": 400, "tag": 400, "untag": 404} {
		if code := l.post(at+"/"+form, url.Values{"name": {" "}}); code != want {
			t.Errorf("an empty %s: status %d, want %d", form, code, want)
		}
	}
	if code := l.post(at+"/note", url.Values{"text": {"misspelt"}}); code != http.StatusBadRequest {
		t.Errorf("a form without a note: %d", code)
	}
	if status, page := l.send(at+"/name", url.Values{"name": {strings.Repeat("x", 2000)}}); status != http.StatusBadRequest || !strings.Contains(page, "at most 1000 are allowed") {
		t.Errorf("a name without end: %d %s", status, page)
	}
	if code := l.post(at+"/note", url.Values{"note": {strings.Repeat("x", 2<<20)}}); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a note without end: status %d", code)
	}
	if code := l.post("/runs/"+strings.Repeat("0", 26)+"/delete", nil); code != 404 {
		t.Errorf("deleting a run that is not there: status %d", code)
	}
	l.get(at+"/delete", 404)
}

func TestReadOnlyShowsNoForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	first := openLab(t, path, web.Options{})
	run := first.start(tracker.Spec{Name: "shown"})
	must(t, run.Finish(tracker.Finished))
	l := openLab(t, path, web.Options{ReadOnly: true})
	page := l.get("/runs/"+run.ID(), 200)
	if strings.Contains(page, `method="post"`) {
		t.Error("a page to look at has forms that change")
	}
	wants(t, page, "read only")
	if code := l.post("/runs/"+run.ID()+"/delete", nil); code != http.StatusForbidden {
		t.Errorf("deleting: status %d", code)
	}
}

func TestArtifacts(t *testing.T) {
	l := newLab(t, web.Options{})
	run := l.start(tracker.Spec{})
	for name, content := range map[string]string{
		"plots/a b ü#1.png": "\x89PNG…", "evil.svg": "<svg/>", "evil.html": "<script>", "notes.md": "# hi", "weights.safetensors": "1234", "damaged.png": "was whole",
		`quote".txt`: "q",
	} {
		must(t, run.AddArtifact(name, strings.NewReader(content)))
	}
	must(t, run.Finish(tracker.Finished))
	at := "/runs/" + run.ID() + "/artifacts/"
	page := l.get("/runs/"+run.ID(), 200)
	wants(t, page, `src="`+at+`plots/a%20b%20%C3%BC%231.png?view=1"`, `href="`+at+`evil.html"`, "4 B")
	if strings.Contains(page, "evil.html?view=1") {
		t.Error("HTML is offered to be looked at")
	}
	for _, test := range []struct{ name, kind, disposition string }{
		{"plots/a%20b%20%C3%BC%231.png?view=1", "image/png", "inline"},
		{"plots/a%20b%20%C3%BC%231.png", "application/octet-stream", "attachment"},
		{"evil.svg?view=1", "image/svg+xml", "inline"},
		{"evil.html?view=1", "application/octet-stream", "attachment"},
		{"notes.md?view=1", "text/plain; charset=utf-8", "inline"},
		{"weights.safetensors?view=1", "application/octet-stream", "attachment"},
		{"quote%22.txt?view=1", "text/plain; charset=utf-8", "inline"},
	} {
		_, header := l.fetch(at+test.name, 200)
		if header.Get("Content-Type") != test.kind || !strings.HasPrefix(header.Get("Content-Disposition"), test.disposition) ||
			!strings.HasSuffix(header.Get("Content-Security-Policy"), "sandbox") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", test.name, header)
		}
	}
	for _, name := range []string{"../../../../etc/passwd", "..%2f..%2flab.db", "none.png", "/etc/passwd", "plots", ""} {
		answer, err := http.Get(l.url + at + name)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != 404 {
			t.Errorf("%q: status %d", name, answer.StatusCode)
		}
	}

	// A damaged content does not arrive whole, and one that is lost says so.
	folder := strings.TrimSuffix(l.path, ".db") + ".artifacts"
	must(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && string(content) == "was whole" {
			must(t, os.Chmod(path, 0o600))
			err = os.WriteFile(path, []byte("was Whole"), 0o600)
		}
		return err
	}))
	var logged logText
	answer, err := http.Get(openLab(t, l.path, web.Options{ErrorLog: log.New(&logged, "", 0)}).url + at + "damaged.png?view=1")
	if err == nil {
		_, err = bytes.NewBuffer(nil).ReadFrom(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("a damaged artifact looked whole")
	}
	wants(t, logged.String(), `artifact "damaged.png" of run `+run.ID()+": the content is damaged")
}

func TestDamageCostsNoPage(t *testing.T) {
	var logged logText
	l := newLab(t, web.Options{ErrorLog: log.New(&logged, "", 0)})
	good := l.start(tracker.Spec{Name: "good"})
	l.train(good, 1, 3)
	must(t, good.Finish(tracker.Finished))
	var bad [2]*tracker.Run
	for i := range bad {
		bad[i] = l.start(tracker.Spec{Name: fmt.Sprint("bad-", i)})
		l.train(bad[i], 1, 3)
		must(t, bad[i].Finish(tracker.Finished))
	}
	raw, err := sql.Open("sqlite3", "file:"+l.path+"?_busy_timeout=10000")
	must(t, err)
	defer raw.Close()
	_, err = raw.Exec(`UPDATE run SET metrics = x'ffff' WHERE ulid = ?`, bad[0].ID())
	must(t, err)
	for _, table := range []string{"hot", "chunk"} {
		_, err = raw.Exec(`UPDATE `+table+` SET data = x'01' WHERE run = (SELECT id FROM run WHERE ulid = ?)
			AND key = (SELECT id FROM key WHERE name = 'val_accuracy')`, bad[1].ID())
		must(t, err)
	}

	page := l.get("/", 200)
	if got := order(page); len(got) < 2 || got[len(got)-1] != "good" {
		t.Errorf("beside damaged runs the list is %v", got)
	}
	wants(t, page, "damaged")
	page = l.get("/runs/"+bad[1].ID(), 200)
	wants(t, page, "val_accuracy cannot be read; the server&#39;s log says why.", "train_accuracy <b>0.1800</b>")
	wants(t, logged.String(), `history of "val_accuracy" in run `+bad[1].ID())
	wants(t, l.get("/runs/"+good.ID(), 200), "val_accuracy <b>0.1500</b>")
	l.get("/compare?by=run", 200)
}
