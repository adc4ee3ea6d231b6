package runner

import (
	"time"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// record keeps in the metadata what papermill and JupyterLab keep there: status
// and times of cells and notebook.
type record struct {
	run   *run
	began time.Time
	cell  time.Time
}

// Values of a cell's metadata.papermill.status.
const (
	pending   = "pending"
	running   = "running"
	completed = "completed"
	failed    = "failed"
)

// stamp is a time as papermill writes it.
func stamp(t time.Time) ordered.Value {
	return ordered.String(t.UTC().Format("2006-01-02T15:04:05.000000+00:00"))
}

// begin describes a run that has done nothing yet and empties the cells that it
// will run.
func (c *record) begin() {
	c.began = c.run.Now()
	meta := c.run.n.Metadata().Sub("papermill")
	parameters := c.run.Parameters
	if parameters == nil {
		parameters = &ordered.Object{}
	}
	for _, key := range []string{"default_parameters", "environment_variables"} {
		meta.Sub(key)
	}
	meta.Set("parameters", parameters)
	meta.Set("input_path", ordered.String(c.run.Input))
	meta.Set("output_path", ordered.String(c.run.Output))
	meta.Set("start_time", stamp(c.began))
	for _, key := range []string{"end_time", "duration", "exception"} {
		meta.Set(key, ordered.Null)
	}
	for _, cell := range c.run.cells[c.run.kept:] {
		cell.SetOutputs(nil)
		cell.SetCount(0)
		cell.Metadata().Delete("execution")
		c.cellStatus(cell, pending, ordered.Null)
		for _, key := range []string{"start_time", "end_time", "duration"} {
			cell.Metadata().Sub("papermill").Set(key, ordered.Null)
		}
	}
}

// end describes a run that has ended, with an error or nil.
func (c *record) end(err error) {
	now := c.run.Now()
	meta := c.run.n.Metadata().Sub("papermill")
	meta.Set("end_time", stamp(now))
	meta.Set("duration", ordered.Float(now.Sub(c.began).Seconds()))
	if err != nil {
		meta.Set("exception", ordered.Scalar("true"))
	}
}

func (c *record) cellStatus(cell *notebook.Cell, status string, exception ordered.Value) {
	meta := cell.Metadata().Sub("papermill")
	meta.Set("status", ordered.String(status))
	meta.Set("exception", exception)
}

func (c *record) cellBegins(cell *notebook.Cell) {
	c.cell = c.run.Now()
	c.cellStatus(cell, running, ordered.Scalar("false"))
	cell.Metadata().Sub("papermill").Set("start_time", stamp(c.cell))
}

func (c *record) cellEnds(cell *notebook.Cell, bad bool) {
	now := c.run.Now()
	meta := cell.Metadata().Sub("papermill")
	meta.Set("end_time", stamp(now))
	meta.Set("duration", ordered.Float(now.Sub(c.cell).Seconds()))
	if bad {
		c.cellStatus(cell, failed, ordered.Scalar("true"))
	} else {
		c.cellStatus(cell, completed, ordered.Scalar("false"))
	}
	times := &ordered.Object{}
	for name, date := range c.run.collector.times {
		times.Set(name, ordered.String(date))
	}
	cell.Metadata().Set("execution", times)
}
