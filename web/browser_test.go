package web_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"patchlab/compare/comparetest"
	"patchlab/tracker"
	"patchlab/tracker/server"
	"patchlab/web"
)

// patience bounds what a test waits for: the machine may be busy.
const patience = 2 * time.Minute

// serve starts the server that people start, with the pages behind its guard.
func serve(t *testing.T, path string) *lab {
	t.Helper()
	db, err := tracker.Open(path)
	must(t, err)
	listener, err := server.Listen("127.0.0.1:0", server.Options{})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	pages := web.New(db, web.Options{Name: "lab.db", Interval: 50 * time.Millisecond, Stop: ctx.Done()})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener, server.New(db, server.Options{Pages: pages})) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
		must(t, db.Close())
	})
	return &lab{t, db, path, "http://" + listener.Addr().String()}
}

// tab is a page of a real browser.
type tab struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	said     []string // by the console, about errors
	requests []string
}

func openTab(t *testing.T) *tab {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	switch {
	case testing.Short():
		t.Skip("a browser takes half a minute")
	case browser == "" && os.Getenv("CI") != "":
		t.Fatal("no Chromium in PATH, and CI is set: scripts/chromium.sh installs it")
	case browser == "":
		t.Skip("no Chromium in PATH: the pages are not tried in a browser (scripts/chromium.sh installs it)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.Flag("window-size", "1440,900"))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx}
	must(t, chromedp.Listen(ctx, b.hear))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	must(t, err)
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	must(t, err)
	return b
}

// hear keeps what the browser asks for, and what it complains of.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.said = append(b.said, fmt.Sprintf("%s: %v", e.Type, e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.said = append(b.said, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// quiet ends a test: nothing was complained of, and no request left the server.
func (b *tab) quiet(l *lab) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, said := range b.said {
		b.Errorf("the console says %s", said)
	}
	if len(b.requests) < 3 {
		b.Errorf("only the requests %q were seen: the test looks at too little", b.requests)
	}
	for _, request := range b.requests {
		if !strings.HasPrefix(request, l.url+"/") && !strings.HasPrefix(request, "data:") {
			b.Errorf("a request left the server: %s", request)
		}
	}
}

// do acts within the time that a test waits.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, actions...)
	for err != nil && strings.Contains(strings.ToLower(err.Error()), "node") && ctx.Err() == nil {
		// The page replaced the element after it was found: look it up again.
		time.Sleep(20 * time.Millisecond)
		err = chromedp.Do(ctx, actions...)
	}
	if err != nil {
		b.Fatalf("in the browser: %v", err)
	}
}

func (b *tab) open(address string)   { b.Helper(); b.do(chromedp.Navigate(address)) }
func (b *tab) click(selector string) { b.Helper(); b.do(chromedp.Click(chromedp.CSS(selector))) }
func (b *tab) keys(selector, keys string) {
	b.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), keys))
}
func (b *tab) set(selector, value string) {
	b.Helper()
	b.do(chromedp.SetValue(chromedp.CSS(selector), value))
}
func (b *tab) visible(selector string) {
	b.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)))
}
func (b *tab) mouse(kind input.DispatchMouseEventType, x, y float64) {
	b.Helper()
	b.do(chromedp.MouseEvent(kind, x, y, chromedp.ButtonLeft))
}

// press presses a key where the focus is.
func (b *tab) press(key string) {
	b.Helper()
	b.await(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "` + key + `", bubbles: true, cancelable: true})) || true`)
}

// await waits until an expression is true on the page, loads in between included.
func (b *tab) await(expression string) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText.slice(0, 2000)"))
			b.Fatalf("never: %s (%v)\n%s", expression, err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *tab) text(expression string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	must(b.T, err)
	return out
}

// says waits until an element holds a text.
func (b *tab) says(selector, text string) {
	b.Helper()
	b.await(fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, text))
}

func TestInBrowser(t *testing.T) {
	l := serve(t, filepath.Join(t.TempDir(), "lab.db"))
	b := openTab(t)

	// The first run appears by itself.
	b.open(l.url + "/")
	b.says("h2", "No runs yet")
	first := l.start(tracker.Spec{Name: "first", Params: training("mixer-4")})
	b.says("tbody th", "first")
	b.says(".badge", "running")
	l.train(first, 1, 2)
	b.says("td.best", "10.00 %")
	b.says("td.progress", "2 of 10")

	// The address that MLflow's client prints leads to the run.
	b.open(l.url + "/?printed=1#/experiments/0/runs/" + first.ID())
	b.says("h1", "first")
	b.open(l.url + "/")

	// Its curve grows without a reload.
	b.click("tbody th a")
	b.says("h1", "first")
	b.text("window.same = true")
	curve := `document.querySelector("svg.wide [data-at]").dataset.at.split(";").length`
	b.await(curve + " === 2")
	l.train(first, 3, 5)
	b.await(curve + " === 5")
	b.says("#now", "epoch 5 of 10, about 1 min 00 s left")
	b.says(".legend b", "0.2500")
	l.train(first, 6, 10)
	must(t, first.Log(10, map[string]float64{"test_accuracy": .48}))
	must(t, first.Finish(tracker.Finished))
	b.says("#now", "finished")
	b.await(curve + " === 10")
	b.says("#tiles", "48.00 %")
	if b.text("window.same") != "true" {
		t.Error("the page was loaded anew")
	}

	// Hovering says values, dragging zooms, fields change the charts in place.
	box, err := chromedp.Run(b.ctx, chromedp.Evaluate[map[string]float64](
		`(() => { const r = document.querySelector("svg.wide").getBoundingClientRect(); return {x: r.x, y: r.y, w: r.width, h: r.height}; })()`))
	must(t, err)
	at := func(across float64) (x, y float64) { return box["x"] + across*box["w"], box["y"] + box["h"]/2 }
	x, y := at(.97)
	b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
	b.says("#tip", "epoch 10val_accuracy 0.5train_accuracy 0.6")
	for i := range 100 { // the run's last news may draw the chart anew beneath the pointer
		if b.text(`document.querySelector(".cross") !== null`) == "true" {
			break
		}
		if i == 99 {
			t.Fatal("no crosshair where the pointer is")
		}
		time.Sleep(100 * time.Millisecond)
		b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x-float64(i%2), y))
	}
	b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 2, 2))
	b.await(`document.getElementById("tip").hidden`)
	b.await(`(document.querySelector("svg.wide").focus(), document.activeElement === document.querySelector("svg.wide"))`)
	b.press("End")
	b.says("#tip", "epoch 10val_accuracy 0.5train_accuracy 0.6")
	b.press("ArrowLeft")
	b.says("#tip", "epoch 9")
	b.press("Home")
	b.says("#tip", "epoch 1")
	b.press("Escape")
	b.await(`document.getElementById("tip").hidden`)
	from, _ := at(.4)
	to, _ := at(.8)
	b.mouse(input.DispatchMouseEventTypeMousePressed, from, y)
	b.mouse(input.DispatchMouseEventTypeMouseMoved, to, y)
	b.mouse(input.DispatchMouseEventTypeMouseReleased, to, y)
	b.await(`Number(document.querySelector("svg.wide").dataset.low) > 3 && Number(document.querySelector("svg.wide").dataset.high) < 9`)
	b.await(`new URLSearchParams(location.search).get("from") > 3`)
	b.click(".controls input[name=log]")
	b.set(".controls input[name=smooth]", "0.5")
	b.click(".controls .button")
	b.await(`location.search.includes("smooth=0.5") && location.search.includes("log=1")`)
	b.await(`document.querySelectorAll("svg.wide [stroke-opacity]").length > 0`)
	b.click(".controls a")
	b.await(`document.querySelector("svg.wide").dataset.low === "0" && document.querySelectorAll("svg.wide [stroke-opacity]").length === 0`)
	if b.text("window.same") != "true" {
		t.Error("the page was loaded anew")
	}

	// The note, a tag; deleting and restoring.
	b.click("#edit-note summary")
	b.keys("textarea", "It *learns*.")
	b.click("#edit-note .button")
	b.says(".markdown em", "learns")
	b.keys(".addtag input[name=key]", "course")
	b.keys(".addtag input[name=value]", "vision")
	b.click(".addtag .button")
	b.says(".tags", "vision")
	b.click(`.actions form[action$="/delete"] button`)
	b.says("#now", "deleted")
	b.click(`.actions form[action$="/restore"] button`)
	b.says("#now", "finished")

	// A filter that is wrong says where.
	b.click(".brand")
	b.says("tbody th", "first")
	b.keys("input[type=search]", "params.model = mixer\r")
	b.says(".problem mark", "m")
	b.says(".problem", "ixer")
	b.says("tbody th", "first")
	b.quiet(l)
}

func TestBrowserComparesAndScrolls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab.db")
	var runs []comparetest.Run
	for i := range 230 {
		runs = append(runs, comparetest.Run{Model: []string{"mixer-2", "vit-2"}[i%2], Seed: i, Accuracy: .5 + .0005*float64(i), TrainPerS: 1000, Epochs: 2})
	}
	_, err := comparetest.Create(t.Context(), path, runs)
	must(t, err)
	l := serve(t, path)
	b := openTab(t)

	// Rows are appended while scrolling, and each is there once.
	b.open(l.url + "/")
	rows := `document.querySelectorAll("#rows tbody tr").length`
	b.await(rows + " >= 100")
	b.await(`(scrollTo(0, document.documentElement.scrollHeight), ` + rows + ` === 230)`)
	b.await(`new Set([...document.querySelectorAll("#rows tbody tr")].map(r => r.id)).size === 230 && !document.querySelector(".pages [rel=next]")`)
	b.says("#count", "230 runs")

	// Two are chosen and compared.
	b.text("scrollTo(0, 0)")
	b.click("#rows tbody tr:nth-child(1) input")
	b.click("#rows tbody tr:nth-child(2) input")
	b.says("#chosen", "2 chosen")
	b.click("#compare")
	b.says("h1", "Comparison by model")
	b.says(".sub", "2 finished runs")
	b.await(`[...document.querySelectorAll(".name")].map(e => e.textContent).sort().join() === "mixer-2,vit-2"`)
	b.click("[data-sort=train]") // the report's own script runs under its policy
	b.await(`document.querySelector("[aria-sort]")`)

	// A run that starts meanwhile is put on top.
	b.open(l.url + "/")
	b.await(rows + " >= 100")
	l.start(tracker.Spec{Name: "started meanwhile"})
	b.says("#rows tbody tr:first-child th", "started meanwhile")
	b.says("#fresh", "started meanwhile")

	// Nothing is wider than the window.
	run := b.text(`document.querySelector("#rows tbody tr:nth-child(2)").dataset.run`)
	for _, width := range []int64{400, 800, 1100, 1600} {
		for _, address := range []string{"/", "/runs/" + run, "/?q=" + url.QueryEscape(strings.Repeat("wrong ", 30))} {
			b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(l.url+address))
			b.await(`document.readyState === "complete"`)
			if over := b.text("document.documentElement.scrollWidth - innerWidth"); strings.Trim(over, "-0123456789") != "" || over != "0" && over[0] != '-' {
				t.Errorf("%s is %s wider than a window of %d", address, over, width)
			}
		}
	}
	b.quiet(l)
}

// TestWithoutScript: the pages read, and the forms work, where JavaScript is off.
func TestWithoutScript(t *testing.T) {
	l := serve(t, filepath.Join(t.TempDir(), "lab.db"))
	for i := range 105 {
		run := l.start(tracker.Spec{Name: fmt.Sprint("run-", i), Params: training("mixer-4")})
		if i == 104 {
			l.train(run, 1, 10)
		}
		must(t, run.Finish(tracker.Finished))
	}
	b := openTab(t)
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	must(t, err)
	read := func(selector string) string {
		t.Helper()
		text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
		must(t, err)
		return text
	}
	b.open(l.url + "/")
	if got := read("#rows tbody tr:first-child"); !strings.Contains(got, "run-104") || !strings.Contains(got, "50.00 %") {
		t.Errorf("the first row reads %q", got)
	}
	b.click(".pages [rel=next]")
	b.visible(".pages [rel=prev]")
	if got := read("#count"); !strings.Contains(got, "101–105") {
		t.Errorf("the second page says %q", got)
	}
	b.open(l.url + "/")
	b.click("#rows tbody th a")
	b.visible("#charts svg.wide")
	b.keys("input[name=from]", "3")
	b.keys("input[name=to]", "6")
	b.click("#controls .button")
	b.visible(`svg.wide[data-low="3"][data-high="6"]`)
	b.click("#edit-note summary")
	b.keys("textarea", "without *script*")
	b.click("#edit-note .button")
	b.visible(".markdown em")
	b.click(`.actions form[action$="/delete"] button`)
	b.visible(`.actions form[action$="/restore"]`)
	b.quiet(l)
}

// TestArtifactsRunNoScript: what a run stored is looked at, and does nothing.
func TestArtifactsRunNoScript(t *testing.T) {
	l := serve(t, filepath.Join(t.TempDir(), "lab.db"))
	run := l.start(tracker.Spec{Name: "evil"})
	must(t, run.AddArtifact("evil.svg", strings.NewReader(`<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="document.documentElement.id='ran'">`+
		`<script>document.documentElement.id = "ran"; fetch("/runs/x/delete", {method: "POST"})</script><rect width="40" height="40" fill="green"/></svg>`)))
	must(t, run.Finish(tracker.Finished))
	b := openTab(t)
	b.open(l.url + "/runs/" + run.ID())
	b.await(`document.querySelector(".picture img")?.naturalWidth === 40`)
	b.quiet(l)
	b.open(l.url + "/runs/" + run.ID() + "/artifacts/evil.svg?view=1")
	b.await(`document.documentElement.localName === "svg" && document.readyState === "complete"`)
	if b.text("document.documentElement.id") == "ran" {
		t.Error("a recorded SVG ran its script")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, request := range b.requests {
		if strings.HasSuffix(request, "/delete") {
			t.Errorf("a recorded SVG asked for %s", request)
		}
	}
}
