package coursework

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"patchlab/compare/rerun"
)

// write writes the grades and the feedback.
func (g *grading) write() error {
	rows := [][]string{{"student", "made", "runs", "checked", "reproduced", "within_tolerance", "not_reproduced", "not_rerun"}}
	for _, claim := range g.assignment.Claims {
		rows[0] = append(rows[0], "best_"+claim)
	}
	rows[0] = append(rows[0], "shared_with", "remarks")
	for _, grade := range g.grades {
		rows = append(rows, g.row(grade))
	}
	if err := g.course.writeTable(rows, g.assignment.Name+"-grades.csv"); err != nil {
		return err
	}
	for _, grade := range g.grades {
		if err := g.course.writeFeedback(g.assignment, grade); err != nil {
			return fmt.Errorf("the feedback of %s: %w", grade.Student, err)
		}
	}
	return nil
}

func (g *grading) row(grade Grade) []string {
	row := []string{grade.Student, "", strconv.Itoa(len(grade.Runs)), strconv.Itoa(len(grade.Checked))}
	if !grade.Made.IsZero() {
		row[1] = grade.Made.Format(time.RFC3339)
	}
	for _, o := range []rerun.Outcome{rerun.Reproduced, rerun.Within, rerun.Differs, NotRerun} {
		row = append(row, strconv.Itoa(grade.Count(o)))
	}
	for _, claim := range g.assignment.Claims {
		row = append(row, best(claim, grade.Runs))
	}
	var shared []string
	for _, d := range grade.Copied {
		for _, student := range d.Students {
			if student != grade.Student {
				shared = append(shared, student)
			}
		}
	}
	return append(row, strings.Join(unique(shared), " "), strings.Join(g.remarks(grade), "; "))
}

// best is the best claim of a student: the smallest where it is a loss or an
// error, else the largest; "" where there is none.
func best(metric string, runs []Run) string {
	smaller := strings.Contains(metric, "loss") || strings.Contains(metric, "error")
	found, text := 0., ""
	for _, r := range runs {
		v, err := strconv.ParseFloat(r.Results[metric], 64)
		if err == nil && v == v && (text == "" || smaller == (v < found) && v != found) {
			found, text = v, r.Results[metric]
		}
	}
	return text
}

// remarks are what a person should look at.
func (g *grading) remarks(grade Grade) (all []string) {
	switch {
	case grade.Problem != "":
		return []string{"the submission cannot be read: " + grade.Problem}
	case grade.Made.IsZero():
		return []string{"nothing was handed in"}
	case len(grade.Runs) < g.assignment.Runs:
		all = append(all, fmt.Sprintf("%d of the %d runs that are asked for", len(grade.Runs), g.assignment.Runs))
	}
	if len(grade.Checked) == 0 && g.assignment.Sample > 0 {
		all = append(all, "no run is a training that could be checked")
	}
	for _, c := range grade.Checked {
		if c.Outcome == rerun.Differs || c.Outcome == NotRerun {
			all = append(all, fmt.Sprintf("%s: %s", c.Run.Name, c.Sentence))
		}
	}
	return all
}
