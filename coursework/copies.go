package coursework

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// Copied is something that several students handed in.
type Copied struct {
	Assignments []string
	What        string // "run mixer-4 (01J…)" or "notebook"
	Evidence    string // what shows it
	Certain     bool   // it does not happen by chance
	Students    []string
}

// minAnswers is how many characters, white space aside, the answers of two
// notebooks have at least before their being equal is listed: short answers are
// equal because they are right.
const minAnswers = 200

// Copies lists what the latest submissions of different students share, of all
// assignments, and writes it into copies.csv. Two honest trainings by one recipe
// have the same losses and weights, to the last bit, so that these show nothing.
// What they never share is looked for instead:
//
//   - the identity of a run;
//   - every point with the microsecond at which it was logged;
//   - the measured times, such as those of steps, to the last bit;
//   - the microsecond at which a run began;
//   - of notebooks: the times at which cells were executed; and, which may be
//     chance, a file with outputs, and answers of some length that are equal but
//     for white space.
//
// A submission that cannot be read any more is said in unread and stops no other.
// It shows that something was handed in twice, not who made it. Who records wrong
// times by hand, or trains a copied recipe again, is not found.
func (c *Course) Copies(ctx context.Context) (copies []Copied, unread []error, err error) {
	assignments, err := c.Assignments()
	if err != nil {
		return nil, nil, err
	}
	var runs []handedRun
	for _, assignment := range assignments {
		students, err := c.handedIn(assignment)
		if err != nil {
			return nil, nil, err
		}
		a, err := c.Assignment(assignment)
		if err != nil {
			return nil, nil, err
		}
		var notebooks []handedNotebook
		given, err := c.given(a)
		if err != nil {
			unread = append(unread, fmt.Errorf("without the notebook that was handed out, notebooks are not compared: %w", err))
		}
		for _, student := range students {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			m, err := ReadManifest(c.submission(student, assignment), DefaultLimit)
			if err != nil {
				unread = append(unread, fmt.Errorf("the submission of %s for %s: %w", student, assignment, err))
				continue
			}
			for _, r := range m.Runs {
				runs = append(runs, handedRun{student, assignment, r})
			}
			if given == nil {
				continue
			}
			h, err := c.readAnswers(student, a, given)
			if err != nil {
				unread = append(unread, fmt.Errorf("the notebook of %s for %s: %w", student, assignment, err))
				continue
			}
			notebooks = append(notebooks, h)
		}
		copies = append(copies, sameNotebooks(assignment, notebooks)...)
	}
	copies = append(sameRuns(runs), copies...)
	rows := [][]string{{"assignments", "what", "evidence", "certain", "students"}}
	for _, d := range copies {
		rows = append(rows, []string{strings.Join(d.Assignments, " "), d.What, d.Evidence, fmt.Sprint(d.Certain), strings.Join(d.Students, " ")})
	}
	return copies, unread, c.writeTable(rows, "copies.csv")
}

// handedRun is a run in a student's submission.
type handedRun struct {
	student, assignment string
	Run
}

// sameRuns lists runs of several students, each group by the strongest evidence.
func sameRuns(runs []handedRun) (copies []Copied) {
	known := map[string]bool{}
	for _, sign := range []struct {
		evidence string
		of       func(Run) string
	}{
		{"the same run", func(r Run) string { return r.ID }},
		{"every point was logged at the same instant", func(r Run) string { return r.Points }},
		{"the measured times are the same to the last bit", func(r Run) string { return r.Timings }},
		{"they began at the same microsecond", func(r Run) string { return r.Start.Format(time.RFC3339Nano) }},
	} {
		groups := map[string][]handedRun{}
		for _, r := range runs {
			if value := sign.of(r.Run); value != "" {
				groups[value] = append(groups[value], r)
			}
		}
		for _, value := range slices.Sorted(maps.Keys(groups)) {
			d := Copied{Evidence: sign.evidence, Certain: true}
			var members []string
			for _, r := range groups[value] {
				d.Students = append(d.Students, r.student)
				d.Assignments = append(d.Assignments, r.assignment)
				members = append(members, r.student+" "+r.ID)
			}
			d.Students, d.Assignments = unique(d.Students), unique(d.Assignments)
			group := strings.Join(unique(members), "\n")
			if len(d.Students) < 2 || known[group] {
				continue
			}
			known[group] = true
			first := groups[value][0]
			d.What = fmt.Sprintf("run %s (%s)", first.Name, first.ID)
			copies = append(copies, d)
		}
	}
	return copies
}

func unique(texts []string) []string { return slices.Compact(slices.Sorted(slices.Values(texts))) }

// handedNotebook is what of a student's notebook is the student's own.
type handedNotebook struct {
	student  string
	digest   string   // of the file, where it has outputs
	executed []string // times of executions, to the microsecond
	answers  string   // the cells that the released notebook has not, without white space
}

// released is what every student was given.
type released struct {
	cells map[string]bool // their sources, without white space
	times map[string]bool
}

// given reads the notebook as it was released.
func (c *Course) given(a Assignment) (*released, error) {
	n, err := notebook.Read(c.path(releaseFolder, a.Name, a.Notebook))
	if err != nil {
		return nil, err
	}
	g := &released{cells: map[string]bool{}, times: map[string]bool{}}
	for _, cell := range n.Cells {
		g.cells[squeeze(cell.Source())] = true
		if at := executedAt(cell); at != "" {
			g.times[at] = true
		}
	}
	return g, nil
}

func (c *Course) readAnswers(student string, a Assignment, given *released) (h handedNotebook, err error) {
	text, err := os.ReadFile(c.path(submittedFolder, student, a.Name, a.Notebook))
	if err != nil {
		return h, err
	}
	n, err := notebook.Parse(text)
	if err != nil {
		return h, err
	}
	h = handedNotebook{student: student}
	var answers strings.Builder
	for _, cell := range n.Cells {
		if len(cell.Outputs()) > 0 {
			h.digest = digestOf(text)
		}
		if source := squeeze(cell.Source()); !given.cells[source] {
			answers.WriteString(source)
		}
		if at := executedAt(cell); at != "" && !given.times[at] {
			h.executed = append(h.executed, at)
		}
	}
	if answers.Len() >= minAnswers {
		h.answers = answers.String()
	}
	return h, nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// executedAt is when a cell was executed, as JupyterLab and our runner keep it.
func executedAt(c *notebook.Cell) string {
	at, _ := ordered.Text(c.Metadata().Object("execution").Get("iopub.execute_input"))
	return at
}

// squeeze leaves out white space.
func squeeze(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// sameNotebooks lists notebooks of an assignment that share what honest ones do not.
func sameNotebooks(assignment string, all []handedNotebook) (copies []Copied) {
	add := func(evidence string, certain bool, groups map[string][]string) {
		for _, value := range slices.Sorted(maps.Keys(groups)) {
			students := unique(groups[value])
			known := slices.ContainsFunc(copies, func(d Copied) bool { return slices.Equal(d.Students, students) })
			if len(students) > 1 && !known {
				copies = append(copies, Copied{[]string{assignment}, "notebook", evidence, certain, students})
			}
		}
	}
	files, executions, answers := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, h := range all {
		if h.digest != "" {
			files[h.digest] = append(files[h.digest], h.student)
		}
		for _, at := range h.executed {
			executions[at] = append(executions[at], h.student)
		}
		if h.answers != "" {
			answers[h.answers] = append(answers[h.answers], h.student)
		}
	}
	add("cells were executed at the same instants", true, executions)
	add("the same file, with its outputs", false, files)
	add("the same answers", false, answers)
	slices.SortStableFunc(copies, func(a, b Copied) int {
		return cmp.Compare(strings.Join(a.Students, " "), strings.Join(b.Students, " "))
	})
	return copies
}

var errNobody = errors.New("nobody has handed it in yet: patchlab coursework collect takes submissions in")
