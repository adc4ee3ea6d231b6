package message

// Status is the content of a "status": what the kernel is doing.
type Status struct {
	State string `json:"execution_state"`
}

// ExecuteInput shows everybody the cell that is about to run.
type ExecuteInput struct {
	Code           string `json:"code"`
	ExecutionCount int    `json:"execution_count"`
}

// Stream is text that a cell wrote to "stdout" or "stderr".
type Stream struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Notice marks, with true in a display's metadata, what is said of the kernel's state and not by the cell: it is no
// difference between two runs of a notebook.
const Notice = "patchlab_notice"

// DisplayData is the content of "display_data" and "update_display_data".
type DisplayData struct {
	Data      Bundle         `json:"data"`
	Metadata  map[string]any `json:"metadata"`
	Transient *Transient     `json:"transient,omitempty"`
}

// Transient is what a frontend needs and no notebook keeps: the name by which a display is updated.
type Transient struct {
	DisplayID string `json:"display_id,omitempty"`
}

// ExecuteResult is the value of a cell.
type ExecuteResult struct {
	ExecutionCount int            `json:"execution_count"`
	Data           Bundle         `json:"data"`
	Metadata       map[string]any `json:"metadata"`
	Transient      *Transient     `json:"transient,omitempty"`
}

// ClearOutput clears what a cell has shown, at once or (Wait) when it next shows something.
type ClearOutput struct {
	Wait bool `json:"wait"`
}

// Welcome is the content of "iopub_welcome", which tells a client that its subscription holds.
type Welcome struct {
	Subscription string `json:"subscription"`
}
