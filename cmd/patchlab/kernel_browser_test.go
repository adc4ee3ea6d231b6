package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"patchlab/kernel/notebook"
)

// browserCell logs and goes on slowly enough to be watched, until the file "enough" is there.
const browserCell = `%%
run := track.Run("watched")
bar := show.NewProgress("training", 1000)
for step := range int64(1000) {
	run.Log(step, map[string]float64{"train_loss": 2 / float64(step+1), "val_loss": 3 / float64(step+1)})
	bar.Add(1)
	if _, err := os.Stat("enough"); err != nil {
		time.Sleep(20 * time.Millisecond)
	}
}
run.End()`

// The cells behind it: one that goes on until it is interrupted, and one with a name to be completed.
const (
	endlessCell = "%%\nfmt.Println(\"on\")\ntime.Sleep(time.Hour)"
	partialCell = "fmt.Printl"
)

// TestLiveOutput opens a notebook in JupyterLab and Notebook 7 and runs all its cells: it watches a progress bar and a
// learning curve change in place, interrupts a cell, completes a name and restarts the kernel.
func TestLiveOutput(t *testing.T) {
	l := newKernelLab(t)
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
		}
	}
	if browser == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no Chromium, and CI must have it: scripts/chromium.sh")
		}
		t.Skip("no Chromium here: scripts/chromium.sh")
	}
	for _, front := range []struct{ name, module, app, page string }{
		{"JupyterLab", "jupyterlab", "LabApp", "lab/tree/"},
		{"Notebook 7", "notebook", "JupyterNotebookApp", "notebooks/"},
	} {
		t.Run(front.name, func(t *testing.T) { watch(t, l, browser, front.module, front.app, front.page) })
	}
}

func watch(t *testing.T, l *kernelLab, browser, module, app, page string) {
	file := module + ".ipynb"
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	for i, source := range []string{browserCell, endlessCell, partialCell} {
		n.Insert(i, notebook.NewCell(notebook.Code, source))
	}
	if err := n.Write(filepath.Join(l.work, file)); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(l.work, "enough"))
	server := serveJupyter(t, l, module, app)

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.Flag("window-size", "1300,1000"))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute) // reached only where something is broken
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(server+page+file+"?token=test")); err != nil {
		t.Fatal(err)
	}
	value := func(expression string) string {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")")) // an error is tried again
		return text
	}
	until := func(what, expression string) {
		t.Helper()
		for value(expression) != "true" {
			if ctx.Err() != nil {
				t.Fatalf("%s: not seen; the cells show %q", what, value("[...document.querySelectorAll('.jp-CodeCell')].map(cell => cell.innerText).join('|') + document.querySelector('.jp-Dialog')?.innerText"))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	// Not the kernel's own notice, which stands below a cell that takes long.
	const outputs = "[...document.querySelector('.jp-CodeCell').querySelectorAll('.jp-OutputArea-output')].filter(o => !o.innerText.startsWith('Go compiles'))"
	const bar, curve = outputs + "[0]", "document.querySelector('.jp-RenderedSVG img, .jp-RenderedSVG svg')"
	const drawn = "(" + curve + "?.src || " + curve + "?.outerHTML || '')"
	until("the notebook", "!!document.querySelector('.jp-CodeCell') && !!window.jupyterapp")
	// Before its kernel is ready the notebook does nothing, and does not say so either.
	until("the cell begins", `(() => {
		const begun = document.querySelector('.jp-CodeCell .jp-InputPrompt').innerText.includes('*');
		if (!begun && Date.now() - (window.asked || 0) > 5000) {
			window.asked = Date.now();
			window.jupyterapp.commands.execute('notebook:run-all-cells');
		}
		return begun;
	})()`)
	until("bar and curve", outputs+".length == 2 && "+drawn+" != ''")
	if text := value(bar + ".innerText"); !strings.HasPrefix(text, "training") || strings.Contains(text, "100%") {
		t.Errorf("the bar shows %q while the cell runs", text)
	}
	value("(window.before = " + drawn + ", window.count = " + bar + ".innerText)")
	until("bar and curve change", drawn+" != window.before && "+bar+".innerText != window.count")
	if err := os.WriteFile(filepath.Join(l.work, "enough"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	until("the end", bar+".innerText.includes('1000/1000')")
	if count := value(outputs + ".length"); count != "2" {
		t.Errorf("there are %s outputs below the cell, want 2 that were replaced in place", count)
	}
	if width := value(curve + ".getBoundingClientRect().width"); width == "0" {
		t.Error("the curve has no width")
	}
	steer(value, until)
}

// steer interrupts the second cell, completes the name in the third, restarts the kernel and runs that cell anew.
func steer(value func(string) string, until func(what, expression string)) {
	const cells = "document.querySelectorAll('.jp-CodeCell')"
	const panel = "[...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext && widget.content.widgets)"
	until("the endless cell", cells+"[1].querySelector('.jp-OutputArea').innerText.includes('on')")
	value("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
	until("the interrupt", cells+"[1].querySelector('.jp-OutputArea').innerText.includes('the cell was interrupted')")

	// JupyterLab gives a kernel a second to complete, so it is asked until it has been in time.
	until("the completion", `(() => {
		const panel = `+panel+`, notebook = panel.content;
		if (notebook.widgets[2].model.sharedModel.getSource() == 'fmt.Println' ||
			[...document.querySelectorAll('.jp-Completer-item')].some(item => item.innerText.includes('Println'))) return true;
		if (Date.now() - (window.completed || 0) > 5000) {
			window.completed = Date.now();
			window.jupyterapp.shell.activateById(panel.id);
			notebook.activeCellIndex = 2;
			notebook.mode = 'edit';
			notebook.activeCell.editor.focus();
			notebook.activeCell.editor.setCursorPosition({line: 0, column: 10});
			window.jupyterapp.commands.execute('completer:invoke-notebook');
		}
		return false;
	})()`)

	value("window.jupyterapp.commands.execute('notebook:restart-kernel')")
	until("the question", `(() => {
		const yes = document.querySelector('.jp-Dialog .jp-mod-accept');
		if (yes) yes.click();
		return !!yes;
	})()`)
	// Its first cell has number 1 again.
	until("a cell after the restart", `(() => {
		const notebook = (`+panel+`).content, cell = notebook.widgets[2];
		if (cell.promptNode.innerText.includes('[1]') && cell.outputArea.node.innerText.includes('again')) return true;
		if (!cell.promptNode.innerText.includes('*') && Date.now() - (window.reran || 0) > 5000) {
			window.reran = Date.now();
			cell.model.sharedModel.setSource('%%\nfmt.Println("again")');
			notebook.activeCellIndex = 2;
			window.jupyterapp.commands.execute('notebook:run-cell');
		}
		return false;
	})()`)
}

// serveJupyter starts a server and returns its address.
func serveJupyter(t *testing.T, l *kernelLab, module, app string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	cmd := exec.Command(l.python, "-m", module, "--no-browser", "--allow-root", "--ServerApp.token=test", "--ServerApp.port_retries=0",
		fmt.Sprintf("--port=%d", port), "--ServerApp.root_dir="+l.work, "--"+app+".expose_app_in_browser=True")
	cmd.Env = append(l.env, "JUPYTER_RUNTIME_DIR="+filepath.Join(l.dir, "run"), "JUPYTER_CONFIG_DIR="+filepath.Join(l.dir, "config"))
	log, err := os.Create(filepath.Join(l.dir, module+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // it ends its kernels
		timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the server said\n%s", text)
		}
	})
	address := fmt.Sprintf("http://127.0.0.1:%d/", port)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r, err := http.Get(address + "api")
		if err == nil {
			r.Body.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %v", err)
		}
	}
}
