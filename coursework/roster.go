package coursework

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// rosterFile holds a line a student: the name, and the public key if it is known.
const rosterFile = "roster.csv"

// roster says whose key is whose. A student without a key gets the one of the
// first submission; a teacher who knows the keys enters them before.
type roster []enrolled

type enrolled struct {
	student string
	key     PublicKey
}

func (c *Course) readRoster() (r roster, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", c.path(rosterFile), err)
		}
	}()
	file, err := os.Open(c.path(rosterFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := csv.NewReader(file)
	lines.FieldsPerRecord = -1 // a name alone will do
	for first := true; ; first = false {
		line, err := lines.Read()
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return nil, err
		}
		student := strings.TrimSpace(strings.TrimPrefix(line[0], "\ufeff"))
		if first && student == "student" {
			continue
		}
		row, _ := lines.FieldPos(0)
		if err := checkName("student", student); err != nil {
			return nil, fmt.Errorf("line %d: %w", row, err)
		}
		e := enrolled{student: student}
		if len(line) > 1 {
			e.key = PublicKey(strings.TrimSpace(line[1]))
		}
		if e.key != "" {
			if _, err := e.key.decode(); err != nil {
				return nil, fmt.Errorf("line %d: %w", row, err)
			}
		}
		if err := r.mayEnrol(e); err != nil {
			return nil, fmt.Errorf("line %d: %w", row, err)
		}
		r = append(r, e)
	}
}

func (r roster) mayEnrol(e enrolled) error {
	for _, other := range r {
		if other.student == e.student {
			return fmt.Errorf("the student %s is there twice", e.student)
		}
		if other.key != "" && other.key == e.key {
			return fmt.Errorf("%s and %s have one key", other.student, e.student)
		}
	}
	return nil
}

// check refuses a submission that is signed by another's key.
func (r roster) check(m *Manifest) error {
	for _, e := range r {
		switch {
		case e.student == m.Student && e.key != "" && e.key != m.Key:
			return fmt.Errorf("it is signed with the key %s, and %s's is %s: if the key was lost and this is %s's new one, enter it in %s",
				m.Key.Short(), m.Student, e.key.Short(), m.Student, rosterFile)
		case e.student != m.Student && e.key == m.Key:
			return fmt.Errorf("it names %s, and is signed with the key of %s", m.Student, e.student)
		}
	}
	return nil
}

// with is the roster with the key of a submission that passed check, and whether
// that is new.
func (r roster) with(m *Manifest) (roster, bool) {
	at := slices.IndexFunc(r, func(e enrolled) bool { return e.student == m.Student })
	switch {
	case at < 0:
		return append(slices.Clone(r), enrolled{m.Student, m.Key}), true
	case r[at].key == "":
		r = slices.Clone(r)
		r[at].key = m.Key
		return r, true
	}
	return r, false
}

func (c *Course) writeRoster(r roster) error {
	rows := [][]string{{"student", "key"}}
	for _, e := range r {
		rows = append(rows, []string{e.student, string(e.key)})
	}
	return c.writeTable(rows, rosterFile)
}
