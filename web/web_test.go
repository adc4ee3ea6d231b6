package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
	"patchlab/web"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lab is a database and a server of its pages.
type lab struct {
	t    testing.TB
	db   *tracker.DB
	path string
	url  string
}

func newLab(t testing.TB, o web.Options) *lab {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lab.db")
	return openLab(t, path, o)
}

func openLab(t testing.TB, path string, o web.Options) *lab {
	t.Helper()
	db, err := tracker.Open(path)
	must(t, err)
	stop := make(chan struct{})
	o.Stop = stop
	server := httptest.NewServer(web.New(db, o))
	t.Cleanup(func() {
		close(stop)
		server.Close()
		db.Close()
	})
	return &lab{t, db, path, server.URL}
}

func (l *lab) start(spec tracker.Spec) *tracker.Run {
	l.t.Helper()
	run, err := l.db.Start(l.t.Context(), spec)
	must(l.t, err)
	return run
}

// training is the parameters of a run of ten epochs of four steps.
func training(model string) map[string]string {
	return map[string]string{"model": model, "epochs": "10", "batch": "25", "train_images": "100"}
}

// train logs epochs as a training does.
func (l *lab) train(run *tracker.Run, from, to int) {
	l.t.Helper()
	for epoch := from; epoch <= to; epoch++ {
		for step := range 4 {
			must(l.t, run.Log(int64(4*(epoch-1)+step+1), map[string]float64{"step_loss": 2 / float64(epoch), "step_ms": 20}))
		}
		must(l.t, run.Log(int64(epoch), map[string]float64{
			"val_accuracy": .05 * float64(epoch), "train_accuracy": .06 * float64(epoch), "val_loss": 2 / float64(epoch),
			"train_seconds": 10, "eval_seconds": 2,
		}))
	}
	must(l.t, run.Flush())
}

// get fetches a page and expects a status.
func (l *lab) get(address string, want int) string {
	l.t.Helper()
	text, _ := l.fetch(address, want)
	return text
}

func (l *lab) fetch(address string, want int) (string, http.Header) {
	l.t.Helper()
	answer, err := http.Get(l.url + address)
	must(l.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(l.t, err)
	if answer.StatusCode != want {
		l.t.Fatalf("%s: status %d, want %d: %s", address, answer.StatusCode, want, text)
	}
	return string(text), answer.Header
}

// post sends a form and gives the answer's status.
func (l *lab) post(address string, form url.Values, headers ...string) int {
	l.t.Helper()
	status, _ := l.send(address, form, headers...)
	return status
}

// send sends a form from the page itself unless headers say otherwise.
func (l *lab) send(address string, form url.Values, headers ...string) (status int, text string) {
	l.t.Helper()
	request, err := http.NewRequest("POST", l.url+address, strings.NewReader(form.Encode()))
	must(l.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(headers) == 0 {
		headers = []string{"Origin", l.url}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	must(l.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(l.t, err)
	return answer.StatusCode, string(body)
}

func wants(t testing.TB, page string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

// order lists the runs of a page by name.
func order(page string) []string {
	var out []string
	for _, found := range regexp.MustCompile(`<th scope="row"><a href="/runs/[^"]*" title="[^"]*">([^<]*)</a>`).FindAllStringSubmatch(page, -1) {
		out = append(out, found[1])
	}
	return out
}

func TestRunsPageShowsEveryStatus(t *testing.T) {
	l := newLab(t, web.Options{})
	for name, status := range map[string]tracker.Status{"a-finished": tracker.Finished, "a-failed": tracker.Failed, "a-killed": tracker.Killed} {
		run := l.start(tracker.Spec{Name: name, Params: training("mixer-4")})
		l.train(run, 1, 10)
		must(t, run.Finish(status))
	}
	deleted := l.start(tracker.Spec{Name: "a-deleted"})
	must(t, deleted.Finish(tracker.Finished))
	must(t, l.db.Delete(t.Context(), deleted.ID()))
	archived := l.start(tracker.Spec{Name: "an-archived"})
	must(t, archived.Finish(tracker.Finished))
	must(t, l.db.Archive(t.Context(), archived.ID(), true))
	running := l.start(tracker.Spec{Name: "a-running", Params: training("vit:1")})
	l.train(running, 1, 4)
	plain := l.start(tracker.Spec{Name: "without epochs"})
	must(t, plain.Log(1, map[string]float64{"f1": .5}))
	must(t, plain.Flush())

	page := l.get("/", 200)
	wants(t, page, `"badge finished"`, `"badge failed"`, `"badge killed"`, `"badge running"`, "mixer-4", "4 of 10", `value="40"`,
		"1 min 12 s", "50.00 %", "20.00 %", `class="spark"`, "validation accuracy from 5.00 % to 50.00 %", "5 runs")
	for _, hidden := range []string{"a-deleted", "an-archived"} {
		if strings.Contains(page, hidden) {
			t.Errorf("%s is shown unasked", hidden)
		}
	}
	if got := order(l.get("/?show=deleted", 200)); len(got) != 1 || got[0] != "a-deleted" {
		t.Errorf("the deleted runs are %v", got)
	}
	if got := order(l.get("/?show=archived", 200)); len(got) != 1 || got[0] != "an-archived" {
		t.Errorf("the archived runs are %v", got)
	}
	if got := order(l.get("/?show=all", 200)); len(got) != 7 {
		t.Errorf("all runs are %v", got)
	}
}

// A run whose process died is crashed: here one that the database was closed over.
func TestCrashedRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	db, err := tracker.Open(path)
	must(t, err)
	_, err = db.Start(t.Context(), tracker.Spec{Name: "left alone"})
	must(t, err)
	must(t, db.Close())
	wants(t, openLab(t, path, web.Options{}).get("/", 200), `"badge crashed"`, "left alone")
}

func TestBlankDatabaseSaysWhatToDo(t *testing.T) {
	l := newLab(t, web.Options{Name: "lab.db"})
	wants(t, l.get("/", 200), "No runs yet", "patchlab train --data shapes", "--db lab.db", "MLFLOW_TRACKING_URI")
	l.start(tracker.Spec{})
	wants(t, l.get("/?q=name+%3D+%27none%27", 200), "No run fits")
}

func TestMistakenFilter(t *testing.T) {
	l := newLab(t, web.Options{})
	for i := range 3 {
		run := l.start(tracker.Spec{Name: fmt.Sprint("run-", i), Params: map[string]string{"seed": fmt.Sprint(i)}})
		must(t, run.Finish(tracker.Finished))
	}
	values := url.Values{"q": {"params.seed == '1' andx"}, "good": {"params.seed != '2'"}}
	page := l.get("/?"+values.Encode(), 200)
	wants(t, page, `role="alert"`, "params.seed == &#39;1&#39; <mark>a</mark>ndx", "Expected and, or, or the end", "by the filter before", `aria-invalid="true"`)
	if got := fmt.Sprint(order(page)); got != "[run-1 run-0]" {
		t.Errorf("the list by the filter before is %s", got)
	}
	page = l.get("/?q=metrics.%C3%A4+%3E", 200)
	wants(t, page, "metrics.ä &gt;<mark> </mark>", "The list is not filtered")
	if len(order(page)) != 3 {
		t.Errorf("the list is %v", order(page))
	}
	page = l.get("/?q=params.seed+%3D+%271%27", 200)
	if got := fmt.Sprint(order(page)); got != "[run-1]" || strings.Contains(page, "role=\"alert\"") {
		t.Errorf("the right filter finds %s", got)
	}
	if got := l.get("/?q="+strings.Repeat("x", 9000), http.StatusRequestURITooLong); !strings.Contains(got, "too long") {
		t.Errorf("a filter without end: %s", got)
	}
}

func TestSorting(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	l := newLab(t, web.Options{Now: func() time.Time { return at.Add(time.Hour) }})
	for i, accuracy := range []float64{.3, .5, .4} {
		run := l.start(tracker.Spec{Name: string(rune('c' - i)), Start: at.Add(time.Duration(i) * time.Minute), Params: training(fmt.Sprint("m", i))})
		must(t, run.Log(1, map[string]float64{"val_accuracy": accuracy, "test_accuracy": -accuracy, "train_seconds": 1}))
		must(t, run.FinishAt(at.Add(time.Duration(10-3*i)*time.Minute), tracker.Status(int(tracker.Finished)+i)))
	}
	none := l.start(tracker.Spec{Name: "z", Start: at.Add(-time.Hour)})
	must(t, none.FinishAt(at.Add(-time.Hour), tracker.Killed))
	for query, want := range map[string]string{
		"": "[a b c z]", "sort=-start": "[z c b a]", "sort=name": "[a b c z]", "sort=-name": "[z c b a]",
		"sort=model": "[c b a z]", "sort=-model": "[a b c z]", "sort=best": "[b a c z]", "sort=-best": "[c a b z]", "sort=last": "[b a c z]",
		"sort=test": "[c a b z]", "sort=duration": "[c b a z]", "sort=status": "[c b a z]", "sort=progress": "[a b c z]",
		"sort=left": "[a b c z]", "sort=nonsense": "[a b c z]",
	} {
		if got := fmt.Sprint(order(l.get("/?"+query, 200))); got != want {
			t.Errorf("by %q: %s, want %s", query, got, want)
		}
	}
	page := l.get("/?sort=best&q=name+!%3D+%27x%27", 200)
	wants(t, page, `class="best" aria-sort="descending"`, `href="/?q=name&#43;%21%3D&#43;%27x%27&amp;sort=-best"`)
}

func TestPaging(t *testing.T) {
	l := newLab(t, web.Options{})
	for i := range 230 {
		run := l.start(tracker.Spec{Name: fmt.Sprintf("run-%03d", i)})
		must(t, run.Finish(tracker.Finished))
	}
	for _, query := range []string{"/", "/?sort=name", "/?sort=-name", "/?q=status+%3D+%27finished%27"} {
		seen := map[string]bool{}
		address, pages := query, 0
		for address != "" {
			page := l.get(address, 200)
			for _, name := range order(page) {
				if seen[name] {
					t.Fatalf("%s shows %s again", address, name)
				}
				seen[name] = true
			}
			pages++
			address = ""
			if next := regexp.MustCompile(`rel="next" href="([^"]*)"`).FindStringSubmatch(page); next != nil {
				address = strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(next[1])
			}
		}
		if len(seen) != 230 || pages != 3 {
			t.Errorf("%s: %d runs on %d pages, want 230 on 3", query, len(seen), pages)
		}
	}
	wants(t, l.get("/", 200), "runs 1–100 of 230", `data-total="230"`)
	wants(t, l.get("/?q=status+%3D+%27finished%27", 200), "runs 1–100, more follow")
	wants(t, l.get("/?page=3", 200), "runs 201–230 of 230", `rel="prev"`)
	wants(t, l.get("/?sort=name&page=2", 200), "runs 101–200 of 230")
	wants(t, l.get("/?page=-3", 200), "runs 1–100")
	wants(t, l.get("/?page=99999999999999999999", 200), "no runs")
}
