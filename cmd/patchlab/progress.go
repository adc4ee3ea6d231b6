package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"patchlab/datasets"
	"patchlab/experiments"
)

// progress shows a training run: a line an epoch on out, and on a terminal a
// bar for the epoch under way on bars.
type progress struct {
	out, bars io.Writer
	tty       bool
	bar       *progressbar.ProgressBar
	epoch     int
	resumed   bool
}

func newProgress(out, bars io.Writer) *progress {
	return &progress{out: out, bars: bars, tty: isTerminal(bars)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *progress) report(e experiments.Event) {
	switch e.Phase {
	case experiments.Compiling:
		fmt.Fprintln(p.bars, "Compiling …")
	case experiments.Training:
		if e.Resumed && !p.resumed {
			p.resumed = true
			fmt.Fprintf(p.bars, "Resumed in epoch %d at image %d of %d\n", e.Epoch, e.Images, e.Of)
		}
		if p.tty {
			p.advance(e)
		}
	case experiments.Trained:
		p.clear()
		r := e.Result
		fmt.Fprintf(p.out, "epoch %*d/%d  train %.4f %5.2f %%  val %.4f %5.2f %%  lr %.3g  %.1f s\n",
			len(fmt.Sprint(e.Epochs)), r.Epoch, e.Epochs, r.TrainLoss, 100*r.TrainTop1, r.ValLoss, 100*r.ValTop1, r.LearningRate, r.TrainSeconds+r.EvalSeconds)
	case experiments.Testing:
		p.clear()
	}
}

func (p *progress) advance(e experiments.Event) {
	if p.bar == nil || p.epoch != e.Epoch {
		p.clear()
		p.epoch = e.Epoch
		p.bar = progressbar.NewOptions(e.Of, progressbar.OptionSetWriter(p.bars), progressbar.OptionSetWidth(18),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	}
	p.bar.Describe(fmt.Sprintf("epoch %d/%d loss %.3f top-1 %.1f %%", e.Epoch, e.Epochs, e.Loss, 100*e.Top1))
	p.bar.Set(e.Images)
}

func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Clear()
		p.bar = nil
	}
}

// downloadBar shows a download on a terminal, and its beginning elsewhere.
type downloadBar struct {
	w    io.Writer
	name string
	bar  *progressbar.ProgressBar
}

func newDownloadBar(w io.Writer, name string) *downloadBar { return &downloadBar{w: w, name: name} }

func (b *downloadBar) progress(done, total int64) {
	if b.bar == nil {
		folder := datasets.IsFolder(b.name)
		if folder {
			fmt.Fprintf(b.w, "Reading %d pictures of %s\n", total, b.name)
		} else {
			fmt.Fprintf(b.w, "Downloading %s (%d MB)\n", b.name, total>>20)
		}
		w := b.w
		if !isTerminal(w) {
			w = io.Discard
		}
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(!folder),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	b.bar.Set64(done)
}

func (b *downloadBar) finish() {
	if b.bar != nil {
		b.bar.Clear()
	}
}
