package exchange

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"patchlab/tracker"
	"patchlab/tracker/mlflow"
)

// timeFormat keeps the microseconds that the tracker keeps.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// csvHeader is the first row of WriteCSV's files.
var csvHeader = []string{"run", "name", "experiment", "metric", "step", "time", "value"}

// WriteCSV writes every point of the runs, one a row, under the header
// run,name,experiment,metric,step,time,value. Values have the shortest form
// that reads back the same; those that are not finite are NaN, +Inf and -Inf.
func WriteCSV(ctx context.Context, w io.Writer, db *tracker.DB, runs []tracker.RunInfo) error {
	out := csv.NewWriter(w)
	err := out.Write(csvHeader)
	if err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	for _, run := range runs {
		for _, key := range sortedKeys(run.Metrics) {
			points, err := db.History(ctx, run.ID, key)
			if err != nil {
				return err
			}
			for _, p := range points {
				err := out.Write([]string{run.ID, run.Name, run.Experiment, key, strconv.FormatInt(p.Step, 10),
					p.Time.UTC().Format(timeFormat), formatFloat(p.Value)})
				if err != nil {
					return fmt.Errorf("writing CSV: %w", err)
				}
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// jsonTime is a time that JSON can carry, also beyond the year 9999, where
// points of clients stand that count in other units.
type jsonTime time.Time

func (t jsonTime) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.999999Z"`), nil
}

// jsonRun is a run as WriteJSON writes it.
type jsonRun struct {
	ID          string                 `json:"id"`
	Experiment  string                 `json:"experiment"`
	Name        string                 `json:"name"`
	Parent      string                 `json:"parent,omitempty"`
	Status      string                 `json:"status"`
	Deleted     bool                   `json:"deleted,omitempty"`
	Start       jsonTime               `json:"start"`
	End         *jsonTime              `json:"end,omitempty"`
	Digest      string                 `json:"digest,omitempty"`
	Note        string                 `json:"note,omitempty"`
	Params      map[string]string      `json:"params"`
	Tags        map[string]string      `json:"tags"`
	Environment map[string]string      `json:"environment"`
	Inputs      []tracker.Input        `json:"inputs,omitempty"`
	Artifacts   []jsonArtifact         `json:"artifacts,omitempty"`
	Metrics     map[string][]jsonPoint `json:"metrics"`
}

type jsonArtifact struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

type jsonPoint struct {
	Step  int64        `json:"step"`
	Time  jsonTime     `json:"time"`
	Value mlflow.Float `json:"value"`
}

// WriteJSON writes the runs with all their content but the artifacts' bytes,
// as one array of objects, a run a line.
func WriteJSON(ctx context.Context, w io.Writer, db *tracker.DB, runs []tracker.RunInfo) error {
	out := bufio.NewWriter(w)
	for i, run := range runs {
		object, err := toJSON(ctx, db, run)
		if err != nil {
			return err
		}
		line, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("writing run %s as JSON: %w", run.ID, err)
		}
		lead := ",\n"
		if i == 0 {
			lead = "["
		}
		out.WriteString(lead)
		out.Write(line)
	}
	if len(runs) == 0 {
		out.WriteString("[")
	}
	out.WriteString("]\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

func toJSON(ctx context.Context, db *tracker.DB, run tracker.RunInfo) (jsonRun, error) {
	object := jsonRun{ID: run.ID, Experiment: run.Experiment, Name: run.Name, Parent: run.Parent, Status: run.Status.String(), Deleted: run.Deleted,
		Start: jsonTime(run.Start), Digest: run.Digest, Note: run.Note, Params: run.Params, Tags: run.Tags,
		Environment: run.Environment, Inputs: run.Inputs, Metrics: map[string][]jsonPoint{}}
	if !run.End.IsZero() {
		object.End = (*jsonTime)(&run.End)
	}
	artifacts, err := db.Artifacts(ctx, run.ID)
	if err != nil {
		return object, err
	}
	for _, a := range artifacts {
		object.Artifacts = append(object.Artifacts, jsonArtifact(a))
	}
	for key := range run.Metrics {
		points, err := db.History(ctx, run.ID, key)
		if err != nil {
			return object, err
		}
		list := make([]jsonPoint, len(points))
		for i, p := range points {
			list[i] = jsonPoint{p.Step, jsonTime(p.Time), mlflow.Float(p.Value)}
		}
		object.Metrics[key] = list
	}
	return object, nil
}

// WriteRunsCSV writes one row a run: its fields, then its parameters, tags and
// latest metrics, each in a column such as params.model; empty where absent.
func WriteRunsCSV(w io.Writer, runs []tracker.RunInfo) error {
	params, tags, metrics := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range runs {
		for k := range r.Params {
			params[k] = true
		}
		for k := range r.Tags {
			tags[k] = true
		}
		for k := range r.Metrics {
			metrics[k] = true
		}
	}
	header := []string{"id", "experiment", "name", "status", "start", "end"}
	for _, part := range []struct {
		prefix string
		keys   map[string]bool
	}{{"params.", params}, {"tags.", tags}, {"metrics.", metrics}} {
		for _, k := range sortedKeys(part.keys) {
			header = append(header, part.prefix+k)
		}
	}
	out := csv.NewWriter(w)
	out.Write(header)
	for _, r := range runs {
		end := ""
		if !r.End.IsZero() {
			end = r.End.Format(timeFormat)
		}
		row := []string{r.ID, r.Experiment, r.Name, r.Status.String(), r.Start.Format(timeFormat), end}
		for _, k := range sortedKeys(params) {
			row = append(row, r.Params[k])
		}
		for _, k := range sortedKeys(tags) {
			row = append(row, r.Tags[k])
		}
		for _, k := range sortedKeys(metrics) {
			value := ""
			if m, ok := r.Metrics[k]; ok {
				value = formatFloat(m.Value)
			}
			row = append(row, value)
		}
		out.Write(row)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}
