package show

import (
	"fmt"
	"html"
	"strings"
	"sync"
	"time"
)

// Progress is a bar that says how far work has come, how fast it goes and how long it will take. Its methods may be
// called from several goroutines.
type Progress struct {
	live  *Live
	what  string
	total int64
	now   func() time.Time

	mu      sync.Mutex
	done    int64
	note    string
	begin   time.Time
	printed int // tenths that were printed where no notebook shows the bar
	closed  bool
}

// NewProgress shows a bar for so many steps; with a total of 0 or less, only how many were done.
//
//	bar := show.NewProgress("training", steps)
//	defer bar.Close()
//	for range steps {
//		bar.Add(1)
//	}
func NewProgress(what string, total int) *Progress {
	return newProgress(NewLive(), what, int64(total), time.Now)
}

func newProgress(live *Live, what string, total int64, now func() time.Time) *Progress {
	p := &Progress{live: live, what: what, total: total, now: now, begin: now()}
	p.show()
	return p
}

// Add says that n more steps are done.
func (p *Progress) Add(n int) {
	p.mu.Lock()
	p.done += int64(n)
	p.mu.Unlock()
	p.show()
}

// Set says how many steps are done.
func (p *Progress) Set(done int) {
	p.mu.Lock()
	p.done = int64(done)
	p.mu.Unlock()
	p.show()
}

// Note sets the words behind the bar, such as the latest loss.
func (p *Progress) Note(format string, args ...any) {
	p.mu.Lock()
	p.note = fmt.Sprintf(format, args...)
	p.mu.Unlock()
	p.show()
}

// Close shows how far the work came. It is called by itself where all steps are done.
func (p *Progress) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first {
		p.show()
		p.live.Flush()
	}
}

func (p *Progress) show() {
	p.mu.Lock()
	all := p.total > 0 && p.done >= p.total && !p.closed
	quiet := p.skip()
	p.mu.Unlock()
	switch {
	case all:
		p.Close()
	case !quiet:
		p.live.Draw(p.bundle)
	}
}

// skip tells whether a program without a notebook, whose output is lines, need not print another. p.mu must be held.
func (p *Progress) skip() bool {
	if out.inNotebook() || p.closed {
		return false
	}
	tenth := 0
	if p.total > 0 {
		tenth = int(10 * p.done / p.total)
	}
	if tenth <= p.printed {
		return true
	}
	p.printed = tenth
	return false
}

func (p *Progress) bundle() Bundle {
	p.mu.Lock()
	defer p.mu.Unlock()
	share := 0.
	if p.total > 0 {
		share = min(max(float64(p.done)/float64(p.total), 0), 1)
	}
	facts := p.facts(share)
	const cells = 30
	full := int(share * cells)
	text := p.what
	page := fmt.Sprintf("<span>%s</span>", html.EscapeString(p.what))
	if p.total > 0 {
		text += fmt.Sprintf(" %3.0f%% |%s%s|", 100*share, strings.Repeat("█", full), strings.Repeat("░", cells-full))
		page += fmt.Sprintf(` <span style="display: inline-block; width: 16em; height: 0.8em; background: rgba(128,128,128,0.3); border-radius: 0.3em">`+
			`<span style="display: inline-block; width: %.1f%%; height: 100%%; background: #3574c4; border-radius: 0.3em; vertical-align: top"></span></span>`+
			` <span>%.0f%%</span>`, 100*share, 100*share)
	}
	text += " " + facts
	page += fmt.Sprintf(" <span>%s</span>", html.EscapeString(facts))
	return Bundle{HTMLType: "<div>" + page + "</div>", Text: text}
}

// facts are count, speed, time and the note.
func (p *Progress) facts(share float64) string {
	took := p.now().Sub(p.begin)
	parts := []string{fmt.Sprint(p.done)}
	if p.total > 0 {
		parts[0] = fmt.Sprintf("%d/%d", p.done, p.total)
	}
	if took > 0 && p.done > 0 {
		speed := float64(p.done) / took.Seconds()
		if speed >= 1 {
			parts = append(parts, fmt.Sprintf("%.3g/s", speed))
		} else {
			parts = append(parts, fmt.Sprintf("%.3g s each", 1/speed))
		}
	}
	switch {
	case p.closed || p.total <= 0:
		parts = append(parts, "took "+duration(took))
	case share > 0 && share < 1:
		parts = append(parts, duration(time.Duration(float64(took)*(1-share)/share))+" left")
	}
	if p.note != "" {
		parts = append(parts, p.note)
	}
	return strings.Join(parts, ", ")
}

func duration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
