package coursework

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"patchlab/compare/rerun"
)

// ledger holds the sample of an assignment and the verdicts so far. It is a table
// that people read, ASSIGNMENT-reruns.csv.
type ledger struct{ checked []Checked }

var ledgerHeader = []string{"student", "submission", "run", "digest", "name", "outcome", "verdict", "seconds"}

func ledgerFile(assignment string) string { return assignment + "-reruns.csv" }

func (c *Course) readLedger(assignment string) (*ledger, error) {
	path := c.path(ledgerFile(assignment))
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &ledger{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err == nil && (len(rows) == 0 || !slices.Equal(rows[0], ledgerHeader)) {
		err = fmt.Errorf("its columns are not %s", strings.Join(ledgerHeader, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("%s keeps the sample and cannot be read; bring it back, or remove it to draw and check anew: %w", path, err)
	}
	l := &ledger{}
	for _, row := range rows[1:] {
		c := Checked{Student: row[0], Submission: row[1], Run: Run{ID: row[2], Digest: row[3], Name: row[4]},
			Verdict: rerun.Verdict{Outcome: rerun.Outcome(row[5]), Sentence: row[6]}}
		if !slices.Contains([]rerun.Outcome{"", rerun.Reproduced, rerun.Within, rerun.Differs, NotRerun}, c.Outcome) {
			return nil, fmt.Errorf("%s: the outcome %q; allowed: %s, %s, %s, %s, or none yet", path, row[5], rerun.Reproduced, rerun.Within, rerun.Differs, NotRerun)
		}
		if c.Seconds, err = strconv.ParseFloat(row[7], 64); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		l.checked = append(l.checked, c)
	}
	return l, nil
}

// find finds a run in the sample of a student's submission, or of any with "".
func (l *ledger) find(student, submission string, r Run) *Checked {
	for i := range l.checked {
		c := &l.checked[i]
		if c.Student == student && (submission == "" || c.Submission == submission) && c.Run.ID == r.ID && c.Run.Digest == r.Digest {
			return c
		}
	}
	return nil
}

func (l *ledger) write(c *Course, assignment string) error {
	rows := [][]string{ledgerHeader}
	for _, k := range l.checked {
		rows = append(rows, []string{k.Student, k.Submission, k.Run.ID, k.Run.Digest, k.Run.Name,
			string(k.Outcome), k.Sentence, strconv.FormatFloat(k.Seconds, 'f', 1, 64)})
	}
	return c.writeTable(rows, ledgerFile(assignment))
}
