package exchange

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchlab/tracker"
)

// point is one value read from a file.
type point struct {
	key   string
	at    time.Time
	step  int64
	value float64
}

// ImportCSV imports a table as one run of that name: a row a step, the first
// row the metrics' names. A column step, epoch or one without a name holds the
// steps, else they count from 0; a column time or wall_time holds seconds
// since 1970. Empty cells and NA are no value.
//
// A run's identity is the name and the content of its file: importing a file
// again changes nothing, wherever and whenever that happens. So where a file
// has no times, the run starts at start, but its points are at time 0.
//
// A file that WriteCSV wrote returns as the runs that it came from, with their
// points and names only; to runs that are here already it adds points that are
// missing, and nothing else.
func ImportCSV(ctx context.Context, db *tracker.DB, src io.Reader, name string, start time.Time) (tracker.Merged, error) {
	content, err := io.ReadAll(src)
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("reading %s: %w", name, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")))).ReadAll()
	if err == nil && len(rows) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if slices.Equal(rows[0], csvHeader) {
		return importOwnCSV(ctx, db, rows[1:], name)
	}
	points, err := tablePoints(rows)
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return importPoints(ctx, db, points, name, "csv", start, content)
}

// maxSeconds bounds times, so that 64 bits hold their microseconds.
const maxSeconds = 9e12

// tablePoints reads a table with a row a step.
func tablePoints(rows [][]string) ([]point, error) {
	header := rows[0]
	stepColumn, timeColumn := -1, -1
	for i, name := range header {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "step", "epoch", "":
			if stepColumn < 0 {
				stepColumn = i
			}
		case "time", "wall_time", "timestamp":
			timeColumn = i
		}
	}
	var points []point
	for r, row := range rows[1:] {
		fail := func(column int, err error) error {
			return fmt.Errorf("row %d, column %q: %q is not a number: %w", r+2, header[column], row[column], err)
		}
		step, at := int64(r), time.UnixMicro(0)
		if stepColumn >= 0 {
			var err error
			if step, err = parseStep(row[stepColumn]); err != nil {
				return nil, fail(stepColumn, err)
			}
		}
		if timeColumn >= 0 {
			seconds, err := strconv.ParseFloat(strings.TrimSpace(row[timeColumn]), 64)
			if err == nil && !(math.Abs(seconds) < maxSeconds) {
				err = errors.New("a time is in seconds since 1970")
			}
			if err != nil {
				return nil, fail(timeColumn, err)
			}
			at = time.UnixMicro(int64(math.Round(seconds * 1e6)))
		}
		for i, cell := range row {
			cell = strings.TrimSpace(cell)
			if i == stepColumn || i == timeColumn || cell == "" || cell == "NA" {
				continue
			}
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				return nil, fail(i, err)
			}
			points = append(points, point{header[i], at, step, v})
		}
	}
	return points, nil
}

// parseStep reads a whole number: exactly, whatever its size, or as a decimal
// such as 3.0, which spreadsheets write.
func parseStep(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if step, err := strconv.ParseInt(text, 10, 64); err == nil {
		return step, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (v != math.Trunc(v) || math.Abs(v) > 1<<53) {
		err = errors.New("a step is a whole number of 64 bits")
	}
	return int64(v), err
}

// importOwnCSV brings back what WriteCSV wrote: points only.
func importOwnCSV(ctx context.Context, db *tracker.DB, rows [][]string, file string) (tracker.Merged, error) {
	type run struct {
		spec   tracker.Spec
		points []point
	}
	var order []string
	runs := map[string]*run{}
	for i, row := range rows {
		step, err1 := strconv.ParseInt(row[4], 10, 64)
		at, err2 := time.Parse(timeFormat, row[5])
		value, err3 := strconv.ParseFloat(row[6], 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return tracker.Merged{}, fmt.Errorf("reading %s: row %d: %w", file, i+2, err)
		}
		r := runs[row[0]]
		if r == nil {
			r = &run{spec: tracker.Spec{ID: row[0], Name: row[1], Experiment: row[2], Start: at}}
			runs[row[0]] = r
			order = append(order, row[0])
		}
		if at.Before(r.spec.Start) {
			r.spec.Start = at
		}
		r.points = append(r.points, point{row[3], at, step, value})
	}
	return importing(ctx, db, func(s *staging) error {
		for _, id := range order {
			if err := s.addPoints(runs[id].spec, runs[id].points); err != nil {
				return fmt.Errorf("importing %s: %w", file, err)
			}
		}
		return nil
	})
}

// addPoints stages a run of a file that may be here already. When it began and
// how it ended here is not for a file to say.
func (s *staging) addPoints(spec tracker.Spec, points []point) error {
	end := spec.Start
	for _, p := range points {
		if p.at.After(end) {
			end = p.at
		}
	}
	r := imported{Spec: spec, status: tracker.Finished, end: end, points: logging(points)}
	old, found, err := s.here(spec.ID)
	switch {
	case err != nil:
		return err
	case found && old.End.IsZero():
		s.refused = append(s.refused, fmt.Errorf("run %s has not ended here: points are added to it when it has", spec.ID))
		return nil
	case found:
		r.Start, r.status, r.end = old.Start, old.Status, old.End
	}
	return s.add(r)
}

// logging logs these points.
func logging(points []point) func(log func(string, time.Time, int64, float64) error) error {
	return func(log func(string, time.Time, int64, float64) error) error {
		for _, p := range points {
			if err := log(p.key, p.at, p.step, p.value); err != nil {
				return err
			}
		}
		return nil
	}
}

// ImportKeras imports the history of a Keras training as one run: the JSON
// object of lists that History.history is, or the table that CSVLogger writes.
// Steps are the epochs, counted from 1.
func ImportKeras(ctx context.Context, db *tracker.DB, src io.Reader, name string, start time.Time) (tracker.Merged, error) {
	content, err := io.ReadAll(src)
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("reading %s: %w", name, err)
	}
	var points []point
	if strings.HasPrefix(strings.TrimSpace(string(content)), "{") {
		points, err = historyPoints(content)
	} else {
		var rows [][]string
		if rows, err = csv.NewReader(bytes.NewReader(content)).ReadAll(); err == nil && len(rows) > 0 {
			points, err = tablePoints(rows)
		}
		for i := range points {
			points[i].step++
		}
	}
	if err != nil {
		return tracker.Merged{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return importPoints(ctx, db, points, name, "keras", start, content)
}

// historyPoints reads {"loss": [1.2, …], "val_loss": […]}. Python's json writes
// NaN and Infinity, which are no JSON, so these become texts first.
func historyPoints(content []byte) ([]point, error) {
	var history map[string][]json.RawMessage
	if err := json.Unmarshal(quoteNonFinite(content), &history); err != nil {
		return nil, fmt.Errorf("it is not an object of lists of numbers such as {\"loss\": [0.5]}: %w", err)
	}
	var points []point
	for _, key := range sortedKeys(history) {
		for i, raw := range history[key] {
			v, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
			if err != nil {
				return nil, fmt.Errorf("value %d of %q is %s, not a number", i+1, key, raw)
			}
			points = append(points, point{key, time.UnixMicro(0), int64(i) + 1, v})
		}
	}
	return points, nil
}

// quoteNonFinite puts NaN, Infinity and -Infinity outside of texts in quotes.
func quoteNonFinite(content []byte) []byte {
	var out []byte
	inText := false
	for i := 0; i < len(content); i++ {
		c := content[i]
		if c == '"' {
			inText = !inText
		}
		if inText && c == '\\' && i+1 < len(content) {
			out = append(out, c, content[i+1])
			i++
			continue
		}
		quoted := false
		for _, word := range []string{"NaN", "-Infinity", "Infinity"} {
			if !inText && bytes.HasPrefix(content[i:], []byte(word)) {
				out = append(append(append(out, '"'), word...), '"')
				i += len(word) - 1
				quoted = true
				break
			}
		}
		if !quoted {
			out = append(out, c)
		}
	}
	return out
}

// importPoints makes one run of a file; its content is its identity.
func importPoints(ctx context.Context, db *tracker.DB, points []point, name, source string, start time.Time,
	content []byte) (tracker.Merged, error) {
	if len(points) == 0 {
		return tracker.Merged{}, fmt.Errorf("importing %s: it holds no values", name)
	}
	if !points[0].at.Equal(time.UnixMicro(0)) {
		start = points[0].at
		for _, p := range points {
			if p.at.Before(start) {
				start = p.at
			}
		}
	}
	spec := tracker.Spec{ID: identity(source, name, string(content)), Start: start, Name: name, Experiment: "imported",
		Tags: map[string]string{"source": source}}
	return importing(ctx, db, func(s *staging) error {
		if err := s.addPoints(spec, points); err != nil {
			return fmt.Errorf("importing %s: %w", name, err)
		}
		return nil
	})
}
