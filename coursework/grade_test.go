package coursework

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/compare/rerun"
	"patchlab/tracker"
)

// judging is a stand-in for training: cmd/patchlab tests the real one. It looks at
// the database that it is given, and answers by the run's name.
func judging(t *testing.T, asked *[]string) Rerun {
	return func(ctx context.Context, path, run string, tolerance float64) (rerun.Verdict, error) {
		db, err := tracker.Open(path)
		must(t, err)
		defer db.Close()
		runs, err := db.Runs(t.Context(), tracker.Query{}) // the limit is for what is slow on purpose
		must(t, err)
		if len(runs) != 1 || runs[0].ID != run || tolerance != .01 {
			t.Errorf("the database of %s has %+v; tolerance %g", run, runs, tolerance)
		}
		must(t, db.Verify(t.Context(), run))
		*asked = append(*asked, runs[0].Name)
		switch {
		case strings.HasPrefix(runs[0].Name, "honest"):
			return rerun.Verdict{Outcome: rerun.Reproduced, Sentence: "reproduced bit for bit"}, nil
		case strings.HasPrefix(runs[0].Name, "slow"):
			<-ctx.Done()
			return rerun.Verdict{}, ctx.Err()
		case strings.HasPrefix(runs[0].Name, "=odd"):
			return rerun.Verdict{}, errors.New("no images | of <it>")
		}
		return rerun.Verdict{Outcome: rerun.Differs, Sentence: "not reproduced: an epoch differs by 1"}, nil
	}
}

func TestGrade(t *testing.T) {
	c := newClassroom(t)
	var files []string
	for name, run := range map[string]string{"ada": "honest", "bob": "false", "eve": "=odd <script>", "gus": "slow"} {
		s := c.student(name)
		s.train(run, 3)
		files = append(files, s.submit())
	}
	c.collect(files...)
	must(t, os.WriteFile(c.path(rosterFile), []byte(read(t, c.path(rosterFile))+"zoe\n"), 0o644))
	must(t, os.Truncate(c.submission("bob", "hw"), 100)) // after it was collected
	if _, unread, err := c.Copies(t.Context()); err != nil || len(unread) != 1 || !strings.Contains(unread[0].Error(), "the submission of bob for hw") {
		t.Errorf("copies with a damaged submission: %v, %v", unread, err)
	}
	var asked []string
	o := GradeOptions{Rerun: judging(t, &asked), Random: seeded(), Limit: 200 * time.Millisecond}
	grades, err := c.Grade(t.Context(), "hw", o)
	must(t, err)
	got := map[string]string{}
	for _, g := range grades {
		got[g.Student] = fmt.Sprint(len(g.Runs), g.Problem)
		for _, k := range g.Checked {
			got[g.Student] += fmt.Sprint(" ", k.Outcome, ": ", k.Sentence)
		}
	}
	want := map[string]string{
		"ada": "1 reproduced: reproduced bit for bit",
		"bob": "0it is cut short: it was not copied to its end",
		"eve": "1 not rerun: no images | of <it>",
		"gus": "1 not rerun: it took more than 200ms",
		"zoe": "0",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("graded %v\nwant %v", got, want)
	}
	table := read(t, c.path("hw-grades.csv"))
	for _, line := range []string{"ada,2026-01-02T03:0", "bob,,0,0,0,0,0,0,,,,the submission cannot be read: it is cut short", "zoe,,0,0,0,0,0,0,,,,nothing was handed in", ",0.3,0.3333333333333333,,'=odd <script>: no images"} {
		if !strings.Contains(table, line) {
			t.Errorf("the grades lack %q:\n%s", line, table)
		}
	}
	page, text := read(t, c.path(feedbackFolder, "eve", "hw.html")), read(t, c.path(feedbackFolder, "eve", "hw.md"))
	if strings.Contains(page, "<script>") || !strings.Contains(page, "=odd &lt;script&gt;") || !strings.Contains(page, "no images | of &lt;it&gt;") {
		t.Errorf("the page is\n%s", page)
	}
	if !strings.Contains(text, `| =odd \<script\> | 0.3 | 0.3333 | no images \| of \<it\> |`) {
		t.Errorf("the text is\n%s", text)
	}

	// What has a verdict keeps it; what has none is tried again.
	asked = nil
	_, err = c.Grade(t.Context(), "hw", o)
	must(t, err)
	if strings.Join(asked, " ") != "=odd <script> slow" {
		t.Errorf("asked again: %v", asked)
	}
	if _, err := c.Grade(t.Context(), "hw2", o); err == nil || !strings.Contains(err.Error(), `no assignment "hw2"`) {
		t.Error(err)
	}
}

// TestGradeIsInterrupted: the verdicts so far are kept, and so is the sample.
func TestGradeIsInterrupted(t *testing.T) {
	c := newClassroom(t)
	var files []string
	for _, name := range []string{"ada", "bob"} {
		s := c.student(name)
		for i := range 4 {
			s.train(fmt.Sprintf("honest %d", i), 3)
		}
		files = append(files, s.submit())
	}
	c.collect(files...)
	var asked []string
	ctx, cancel := context.WithCancel(t.Context())
	o := GradeOptions{Rerun: judging(t, &asked), Random: seeded(), Sample: 2}
	o.Each = func(done, total int, k Checked) {
		if total != 4 || k.Student != "ada" {
			t.Errorf("%d of %d: %+v", done, total, k)
		}
		cancel()
	}
	if _, err := c.Grade(ctx, "hw", o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	sample := func() (names []string) {
		for line := range strings.Lines(read(t, c.path("hw-reruns.csv"))) {
			names = append(names, strings.Join(strings.SplitN(line, ",", 4)[:3], " "))
		}
		return names
	}
	before := sample()
	o.Each, o.Random = nil, nil // nothing is drawn any more
	o.Random = seeded()
	grades, err := c.Grade(t.Context(), "hw", o)
	if err != nil || len(asked) != 4 || grades[0].Count(rerun.Reproduced) != 2 || grades[1].Count(rerun.Reproduced) != 2 {
		t.Errorf("asked %v, %v", asked, err)
	}
	if fmt.Sprint(before) != fmt.Sprint(sample()) || len(before) != 5 {
		t.Errorf("the sample was %v and is %v", before, sample())
	}
	if left, err := filepath.Glob(c.path(".grading-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	o.Sample = -1
	if grades, err = c.Grade(t.Context(), "hw", o); err != nil || len(asked) != 8 || grades[0].Count(rerun.Reproduced) != 4 {
		t.Errorf("all: asked %v, %v", asked, err)
	}
}

// TestASubmissionIsDrawnFromAnew: who keeps the run that was checked and adds
// false ones does not escape.
func TestASubmissionIsDrawnFromAnew(t *testing.T) {
	c := newClassroom(t)
	ada := c.student("ada")
	ada.train("honest", 3)
	c.collect(ada.submit())
	var asked []string
	o := GradeOptions{Rerun: judging(t, &asked), Random: seeded()}
	if _, err := c.Grade(t.Context(), "hw", o); err != nil || len(asked) != 1 {
		t.Fatal(asked, err)
	}
	for range 3 {
		ada.train("false", 9)
	}
	c.collect(ada.submit())
	o.Sample = 4
	grades, err := c.Grade(t.Context(), "hw", o)
	if err != nil || len(grades[0].Checked) != 4 || grades[0].Count(rerun.Differs) != 3 || len(asked) != 4 {
		t.Errorf("checked %+v, asked %v, %v", grades[0].Checked, asked, err)
	}
}

// TestNotebookRunsAreNotExecuted: a session's cells are the student's own code.
func TestNotebookRunsAreNotExecuted(t *testing.T) {
	c := newClassroom(t)
	ada := c.student("ada")
	id := ada.train("session", 3)
	db, err := tracker.Open(ada.db())
	must(t, err)
	must(t, errors.Join(db.SetTags(t.Context(), id, map[string]string{"kind": "notebook"}), db.Close()))
	c.collect(ada.submit())
	var asked []string
	grades, err := c.Grade(t.Context(), "hw", GradeOptions{Rerun: judging(t, &asked), Random: seeded(), Sample: -1})
	if err != nil || len(asked) != 0 || grades[0].Runs[0].Kind != NotebookSession {
		t.Errorf("asked %v, %+v, %v", asked, grades, err)
	}
	if table := read(t, c.path("hw-grades.csv")); !strings.Contains(table, "no run is a training that could be checked") {
		t.Errorf("the grades are\n%s", table)
	}
}

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
