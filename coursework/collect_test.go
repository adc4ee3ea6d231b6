package coursework

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patchlab/tracker"
)

// TestCollect: runs come into one database with their students' names, the
// notebook where nbgrader looks for it, and collecting again changes nothing.
func TestCollect(t *testing.T) {
	c := newClassroom(t)
	ada, bob := c.student("ada"), c.student("bob")
	id := ada.train("first", 3)
	ada.answer("func answer() int { return 41 }")
	bob.train("first", 4)
	a, b := ada.submit(), bob.submit()
	for i, want := range []Status{New, Unchanged} {
		for _, d := range c.collect(a, b) {
			if d.Status != want || d.Runs != 1 || d.Assignment != "hw" || d.Reason != "" {
				t.Errorf("round %d: %+v", i, d)
			}
		}
	}
	class, err := tracker.Open(c.Database(), tracker.ReadOnly())
	must(t, err)
	defer class.Close()
	runs, err := class.Runs(t.Context(), tracker.Query{Filter: "tags.student = 'ada' AND tags.assignment = 'hw'"})
	if err != nil || len(runs) != 1 || runs[0].ID != id {
		t.Errorf("ada's runs: %+v, %v", runs, err)
	}
	must(t, class.Verify(t.Context(), id))
	if got := read(t, c.path(submittedFolder, "ada", "hw", "hw.ipynb")); got != read(t, filepath.Join(ada.dir, "hw.ipynb")) {
		t.Error("the notebook is another")
	}
	if got := read(t, c.path(rosterFile)); got != "student,key\nada,"+string(ada.key.Public())+"\nbob,"+string(bob.key.Public())+"\n" {
		t.Errorf("the roster is\n%s", got)
	}

	// The later submission counts, in whatever order they arrive.
	second := ada.train("second", 5)
	later := filepath.Join(t.TempDir(), "later"+Extension)
	must(t, os.Rename(ada.submit(), later))
	latest := ada.submit("second")
	for _, step := range []struct {
		file string
		want Status
		runs int
	}{{latest, Replaces, 1}, {later, Older, 2}, {latest, Unchanged, 1}} {
		if got := c.collect(step.file)[0]; got.Status != step.want || got.Runs != step.runs {
			t.Errorf("%s: %+v", step.file, got)
		}
	}
	m, err := ReadManifest(c.submission("ada", "hw"), DefaultLimit)
	if err != nil || len(m.Runs) != 1 || m.Runs[0].ID != second {
		t.Errorf("kept: %+v, %v", m, err)
	}
	if got := read(t, c.path("collected.csv")); !strings.Contains(got, "unchanged,ada,hw,1,") {
		t.Errorf("collected.csv is\n%s", got)
	}
}

// TestRoster: a name belongs to the first key, or to the one that the teacher
// entered, and a key to one name.
func TestRoster(t *testing.T) {
	c := newClassroom(t)
	ada, eve, bob := c.student("ada"), c.student("eve"), c.student("bob")
	for _, s := range []*student{ada, eve, bob} {
		s.train("first", 3)
	}
	must(t, os.WriteFile(c.path(rosterFile), []byte("student,key\nbob\ncarl,"+string(eve.key.Public())+"\n"), 0o644))
	stranger := c.student("ada") // with another key
	stranger.train("better", 9)
	for _, step := range []struct {
		s      *student
		status Status
		reason string
	}{
		{ada, New, ""},
		{stranger, Refused, "it is signed with the key " + stranger.key.Public().Short() + ", and ada's is " + ada.key.Public().Short()},
		{eve, Refused, "it names eve, and is signed with the key of carl"},
		{bob, New, ""},
	} {
		if got := c.collect(step.s.submit())[0]; got.Status != step.status || !strings.HasPrefix(got.Reason, step.reason) {
			t.Errorf("%s: %+v", step.s.key.Student, got)
		}
	}
	if got := read(t, c.path(rosterFile)); !strings.Contains(got, "bob,"+string(bob.key.Public())) {
		t.Errorf("the roster is\n%s", got)
	}
	for text, want := range map[string]string{
		"student,key\nada\nada\n": "line 3: the student ada is there twice",
		"Ada\n":                   `line 1: the student "Ada"`,
		"ada,xyz\n":               `line 1: "xyz" is no public key`,
		"a," + string(ada.key.Public()) + "\nb," + string(ada.key.Public()): "line 2: a and b have one key",
	} {
		must(t, os.WriteFile(c.path(rosterFile), []byte(text), 0o644))
		if _, err := c.Collect(t.Context(), []string{ada.submit()}, CollectOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestNobodyChangesAnothersRun: who hands in a changed copy of another's run gets
// it listed, and the run stays as it is.
func TestNobodyChangesAnothersRun(t *testing.T) {
	c := newClassroom(t)
	ada, eve := c.student("ada"), c.student("eve")
	id := ada.train("first", 3)
	must(t, os.CopyFS(filepath.Join(eve.dir, "patchlab.artifacts"), os.DirFS(filepath.Join(ada.dir, "patchlab.artifacts"))))
	must(t, os.WriteFile(eve.db(), []byte(read(t, ada.db())), 0o600))
	db, err := tracker.Open(eve.db())
	must(t, err)
	must(t, errors.Join(db.Rename(t.Context(), id, "mine"), db.SetTags(t.Context(), id, map[string]string{TagStudent: "eve"}), db.Close()))
	all := c.collect(ada.submit(), eve.submit())
	if all[0].Status != New || all[1].Status != New || all[1].Reason != "runs that another student handed in before: 1" {
		t.Errorf("%+v", all)
	}
	class, err := tracker.Open(c.Database(), tracker.ReadOnly())
	must(t, err)
	defer class.Close()
	if info, err := class.Find(t.Context(), id); err != nil || info.Name != "first" || info.Tags[TagStudent] != "ada" {
		t.Errorf("ada's run is %q of %q, %v", info.Name, info.Tags[TagStudent], err)
	}
}

func TestCollectIsInterrupted(t *testing.T) {
	c := newClassroom(t)
	ada, bob := c.student("ada"), c.student("bob")
	ada.train("first", 3)
	bob.train("first", 3)
	files := []string{ada.submit(), bob.submit()}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Collect(ctx, files, CollectOptions{Each: func(Collected) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if left, err := filepath.Glob(c.path(".incoming-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if got := c.collect(files...); got[0].Status != Unchanged || got[1].Status != New {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestOneAtATime(t *testing.T) {
	c := newClassroom(t)
	unlock, err := c.lock()
	must(t, err)
	defer unlock()
	if _, err := c.Collect(t.Context(), nil, CollectOptions{}); err == nil || !strings.Contains(err.Error(), "another process is collecting") {
		t.Error(err)
	}
}

// TestCopies: what two students share is found, also where its name and its ID are
// others; what two honest students have in common is not.
func TestCopies(t *testing.T) {
	c := newClassroom(t)
	honest, same := c.student("ada"), c.student("bob") // both train by one recipe, with one seed
	honest.train("first", 3)
	same.train("first", 3)
	const short, long = "func answer() int { return 42 }", "func answer() int {\n\ttotal := 0\n\tfor i := range 42 {\n\t\ttotal += i - i + 1 // count them one by one, since that is what the exercise is about, and say so at some length, as whoever answers at his leisure does\n\t}\n\tfor total > 42 {\n\t\ttotal-- // which never happens\n\t}\n\treturn total\n}"
	honest.answer(short)
	same.answer(short)
	files := []string{honest.submit(), same.submit()}

	// What a run's points and times were, under another ID and name.
	imitate := func(s *student, values, times bool) {
		from, err := tracker.Open(honest.db(), tracker.ReadOnly())
		must(t, err)
		defer from.Close()
		info, err := from.Find(t.Context(), "first")
		must(t, err)
		into, err := tracker.Open(s.db())
		must(t, err)
		defer into.Close()
		spec := tracker.Spec{Experiment: "hw", Name: "my own"}
		if times {
			spec.Start = info.Start
		}
		run, err := into.Start(t.Context(), spec)
		must(t, err)
		for key := range info.Metrics {
			points, err := from.History(t.Context(), info.ID, key)
			must(t, err)
			for _, p := range points {
				at := p.Time
				if !times {
					at = at.Add(time.Hour)
				}
				if !values {
					p.Value += .5
				}
				must(t, run.LogAt(at, p.Step, map[string]float64{key: p.Value}))
			}
		}
		must(t, run.Finish(tracker.Finished))
	}
	for name, how := range map[string][2]bool{"eve": {true, true}, "fred": {true, false}, "gina": {false, true}} {
		s := c.student(name)
		imitate(s, how[0], how[1])
		files = append(files, s.submit())
	}
	for name, change := range map[string]func(*student){
		"hans": func(s *student) { s.answer(long); s.executed("2026-01-02T03:04:05.678901Z") },
		"ines": func(s *student) { s.answer(short + "\n"); s.executed("2026-01-02T03:04:05.678901Z") },
		"jack": func(s *student) { s.answer(strings.ReplaceAll(long, "\t", "    ")) },
		"kim":  func(s *student) { s.prints("0.123 s") },
		"lea":  func(s *student) { s.prints("0.123 s") },
	} {
		s := c.student(name)
		s.train("own", 3)
		change(s)
		files = append(files, s.submit())
	}
	for _, d := range c.collect(files...) {
		if d.Status != New {
			t.Errorf("%+v", d)
		}
	}
	copies, unread, err := c.Copies(t.Context())
	if err != nil || len(unread) > 0 {
		t.Fatal(unread, err)
	}
	var got []string
	for _, d := range copies {
		what, _, _ := strings.Cut(d.What, " (")
		if !d.Certain {
			what += "?"
		}
		got = append(got, strings.Join(d.Students, "+")+": "+what+": "+d.Evidence)
	}
	want := []string{
		"ada+eve: run first: every point was logged at the same instant",
		"ada+eve+fred: run first: the measured times are the same to the last bit",
		"ada+eve+gina: run first: they began at the same microsecond",
		"hans+ines: notebook: cells were executed at the same instants",
		"hans+jack: notebook?: the same answers",
		"kim+lea: notebook?: the same file, with its outputs",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if rows := strings.Count(read(t, c.path("copies.csv")), "\n"); rows != len(want)+1 {
		t.Errorf("copies.csv has %d lines", rows)
	}
}
