package coursework

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"patchlab/compare/rerun"
	"patchlab/tracker"
)

// NotRerun is the outcome of a run that could not be trained again, beside those of
// package compare. It is no verdict: the next grading tries again.
const NotRerun rerun.Outcome = "not rerun"

// Rerun trains a run of a database again by its recipe, records the new run beside
// it, and judges. The recipe is a student's: who reruns bounds time and memory.
// [Command] is one.
type Rerun func(ctx context.Context, db, run string, tolerance float64) (rerun.Verdict, error)

// GradeOptions change how an assignment is graded.
type GradeOptions struct {
	Rerun  Rerun
	Sample int           // of each student's trainings; the assignment's where 0, all where negative
	Limit  time.Duration // of one rerun; none where 0
	Random *rand.Rand    // chooses the sample
	Each   func(done, total int, r Checked)
}

// Checked is a run of the sample.
type Checked struct {
	Student    string
	Submission string // SHA-256 of the file
	Run        Run
	rerun.Verdict
	Seconds float64
}

// Grade is what is known about one student's work.
type Grade struct {
	Student string
	Made    time.Time // zero where nothing was handed in
	Runs    []Run
	Checked []Checked
	Copied  []Copied
	// Problem says why the submission could not be read; "" where it could.
	Problem string
}

// Count is how many checked runs had an outcome.
func (g Grade) Count(o rerun.Outcome) (n int) {
	for _, c := range g.Checked {
		if c.Outcome == o {
			n++
		}
	}
	return n
}

// Grade trains a sample of each student's runs again, and writes
// ASSIGNMENT-grades.csv, ASSIGNMENT-reruns.csv and the feedback of each student.
// The sample is drawn once and kept; verdicts are kept after each rerun, so that
// grading goes on where it was interrupted. What cannot be read or rerun is said in
// the grades, and never stops the others. Reruns are recorded below grading, away
// from the runs of the class.
func (c *Course) Grade(ctx context.Context, assignment string, o GradeOptions) (grades []Grade, err error) {
	a, err := c.Assignment(assignment)
	if err != nil {
		return nil, err
	}
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	students, err := c.handedIn(assignment)
	if err != nil {
		return nil, err
	}
	if len(students) == 0 {
		return nil, fmt.Errorf("the assignment %s: %w", assignment, errNobody)
	}
	if o.Sample == 0 {
		o.Sample = a.Sample
	}
	g := grading{course: c, assignment: a, options: o}
	if g.ledger, err = c.readLedger(assignment); err != nil {
		return nil, err
	}
	for _, student := range students {
		g.grades = append(g.grades, g.draw(student))
	}
	if err := g.ledger.write(c, assignment); err != nil { // the sample stays what it is, whatever happens
		return nil, err
	}
	if err := g.rerunAll(ctx); err != nil {
		return nil, err
	}
	copies, _, err := c.Copies(ctx) // what cannot be read is said in the grades
	if err != nil {
		return nil, err
	}
	if err := g.complete(copies); err != nil {
		return nil, err
	}
	return g.grades, g.write()
}

// grading is one call of Grade.
type grading struct {
	course     *Course
	assignment Assignment
	options    GradeOptions
	ledger     *ledger
	grades     []Grade
}

// draw reads what a student claims, and draws from each submission anew: who has
// seen which runs were checked gains nothing by handing in again. A run that has a
// verdict keeps it.
func (g *grading) draw(student string) Grade {
	grade := Grade{Student: student}
	m, err := ReadManifest(g.submission(student), DefaultLimit)
	var digest string
	if err == nil {
		_, digest, err = digestFile(g.submission(student))
	}
	if err != nil {
		grade.Problem = err.Error()
		return grade
	}
	grade.Made, grade.Runs = m.Made, m.Runs
	var open []Run
	drawn := 0
	for _, r := range m.Runs {
		switch {
		case g.ledger.find(student, digest, r) != nil:
			drawn++
		case r.Kind == Training:
			open = append(open, r)
		}
	}
	want := len(open)
	if g.options.Sample >= 0 {
		want = min(want, max(0, g.options.Sample-drawn))
	}
	for _, at := range g.options.Random.Perm(len(open))[:want] {
		c := Checked{Student: student, Submission: digest, Run: open[at]}
		if before := g.ledger.find(student, "", open[at]); before != nil && before.settled() {
			c.Verdict, c.Seconds = before.Verdict, before.Seconds
		}
		g.ledger.checked = append(g.ledger.checked, c)
	}
	for _, r := range m.Runs { // in their own order, not that of the draw
		if c := g.ledger.find(student, digest, r); c != nil {
			c.Run = r
			grade.Checked = append(grade.Checked, *c)
		}
	}
	return grade
}

func (g *grading) submission(student string) string {
	return g.course.submission(student, g.assignment.Name)
}

// rerunAll gives every run of the sample that has none a verdict.
func (g *grading) rerunAll(ctx context.Context) error {
	total, done := 0, 0
	for _, grade := range g.grades {
		for _, c := range grade.Checked {
			if !c.settled() {
				total++
			}
		}
	}
	for i := range g.grades {
		for k := range g.grades[i].Checked {
			checked := &g.grades[i].Checked[k]
			if checked.settled() {
				continue
			}
			start := time.Now()
			verdict, err := g.rerun(ctx, *checked)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				verdict = rerun.Verdict{Outcome: NotRerun, Sentence: err.Error()}
			}
			checked.Verdict, checked.Seconds = verdict, time.Since(start).Seconds()
			*g.ledger.find(checked.Student, checked.Submission, checked.Run) = *checked
			if err := g.ledger.write(g.course, g.assignment.Name); err != nil {
				return err
			}
			done++
			if g.options.Each != nil {
				g.options.Each(done, total, *checked)
			}
		}
	}
	return nil
}

func (c Checked) settled() bool { return c.Outcome != "" && c.Outcome != NotRerun }

// rerun unpacks a submission, and trains one of its runs again in a database of
// its own.
func (g *grading) rerun(ctx context.Context, c Checked) (v rerun.Verdict, err error) {
	dir, err := os.MkdirTemp(g.course.dir, ".grading-")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir)
	s, err := open(ctx, g.submission(c.Student), DefaultLimit, dir)
	if err != nil {
		return v, err
	}
	folder := g.course.path(gradingFolder, c.Student, g.assignment.Name)
	db := filepath.Join(folder, c.Run.ID+".db")
	if err := g.begin(ctx, s, folder, db, c.Run); err != nil {
		return v, err
	}
	if g.options.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.options.Limit)
		defer cancel()
	}
	v, err = g.options.Rerun(ctx, db, c.Run.ID, g.assignment.Tolerance)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it took more than %v", g.options.Limit)
	}
	return v, err
}

// begin makes the database of a rerun anew: what an interrupted one left goes.
func (g *grading) begin(ctx context.Context, s *submission, folder, path string, r Run) (err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(folder, r.ID+".*"))
	for _, old := range left {
		err = errors.Join(err, os.RemoveAll(old))
	}
	if err != nil {
		return err
	}
	into, err := tracker.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	from, err := tracker.Open(s.database(), tracker.ReadOnly())
	if err != nil {
		return err
	}
	merged, err := into.Merge(ctx, from, r.ID)
	return errors.Join(err, merged.Refused, from.Close())
}

// complete adds what was copied, and who handed nothing in.
func (g *grading) complete(copies []Copied) error {
	for i := range g.grades {
		for _, d := range copies {
			if slices.Contains(d.Students, g.grades[i].Student) && slices.Contains(d.Assignments, g.assignment.Name) {
				g.grades[i].Copied = append(g.grades[i].Copied, d)
			}
		}
	}
	enrolled, err := g.course.readRoster()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, grade := range g.grades {
		there[grade.Student] = true
	}
	for _, e := range enrolled {
		if !there[e.student] {
			g.grades = append(g.grades, Grade{Student: e.student})
		}
	}
	return nil
}
