package message

import "encoding/json"

// Bundle is data in several MIME types, by type. Values of JSON types are any JSON, the others strings.
type Bundle map[string]any

// The values of a reply's status.
const (
	StatusOK    = "ok"
	StatusError = "error"
	// StatusAborted answers requests that were queued behind a failed cell; clients of protocol 5 expect "aborted" there.
	StatusAborted = "aborted"
)

// The values of an execution state, the content of the type "status".
const (
	StateStarting = "starting"
	StateBusy     = "busy"
	StateIdle     = "idle"
)

// Error is the content of an "error" and of every reply whose status is StatusError. Traceback holds lines.
type Error struct {
	Status    string   `json:"status,omitempty"`
	Name      string   `json:"ename"`
	Value     string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// ExecuteRequest asks for a cell to be run.
type ExecuteRequest struct {
	Code            string            `json:"code"`
	Silent          bool              `json:"silent"`
	StoreHistory    *bool             `json:"store_history,omitempty"` // nil: true unless Silent
	UserExpressions map[string]string `json:"user_expressions,omitempty"`
	AllowStdin      *bool             `json:"allow_stdin,omitempty"`   // nil: true
	StopOnError     *bool             `json:"stop_on_error,omitempty"` // nil: true
}

// ExecuteReply tells how a cell ended. The error's fields are set where Status is StatusError.
type ExecuteReply struct {
	Status          string                     `json:"status"`
	ExecutionCount  int                        `json:"execution_count"`
	UserExpressions map[string]json.RawMessage `json:"user_expressions,omitempty"`
	Payload         []json.RawMessage          `json:"payload,omitempty"`
	Name            string                     `json:"ename,omitempty"`
	Value           string                     `json:"evalue,omitempty"`
	Traceback       []string                   `json:"traceback,omitempty"`
}

// CompleteRequest asks what fits at a position of a cell. Positions count Unicode code points.
type CompleteRequest struct {
	Code      string `json:"code"`
	CursorPos int    `json:"cursor_pos"`
}

// CompleteReply holds what may replace the code from CursorStart to CursorEnd.
type CompleteReply struct {
	Status      string         `json:"status"`
	Matches     []string       `json:"matches"`
	CursorStart int            `json:"cursor_start"`
	CursorEnd   int            `json:"cursor_end"`
	Metadata    map[string]any `json:"metadata"`
}

// InspectRequest asks what stands at a position of a cell.
type InspectRequest struct {
	Code        string `json:"code"`
	CursorPos   int    `json:"cursor_pos"`
	DetailLevel int    `json:"detail_level"` // 0, or 1 for more
}

// InspectReply describes it.
type InspectReply struct {
	Status   string         `json:"status"`
	Found    bool           `json:"found"`
	Data     Bundle         `json:"data"`
	Metadata map[string]any `json:"metadata"`
}

// IsCompleteRequest asks whether a cell can be run as it is.
type IsCompleteRequest struct {
	Code string `json:"code"`
}

// IsCompleteReply says "complete", "incomplete" (with the indentation of the next line), "invalid" or "unknown".
type IsCompleteReply struct {
	Status string `json:"status"`
	Indent string `json:"indent"`
}

// HistoryRequest asks for cells that were run: the last N ("tail"), those from Start to Stop, exclusively, of a Session
// ("range"; session 0 is the present one, -1 the one before), or those that match the glob Pattern ("search").
type HistoryRequest struct {
	Output  bool   `json:"output"`
	Raw     bool   `json:"raw"`
	Access  string `json:"hist_access_type"`
	Session int    `json:"session"`
	Start   int    `json:"start"`
	Stop    int    `json:"stop"`
	N       int    `json:"n"`
	Pattern string `json:"pattern"`
	Unique  bool   `json:"unique"`
}

// HistoryReply holds entries of three values: session, line number, and the input or [input, output].
type HistoryReply struct {
	Status  string   `json:"status"`
	History [][3]any `json:"history"`
}

// KernelInfoReply describes the kernel.
type KernelInfoReply struct {
	Status                string       `json:"status"`
	ProtocolVersion       string       `json:"protocol_version"`
	Implementation        string       `json:"implementation"`
	ImplementationVersion string       `json:"implementation_version"`
	LanguageInfo          LanguageInfo `json:"language_info"`
	Banner                string       `json:"banner"`
	Debugger              bool         `json:"debugger"`
	HelpLinks             []HelpLink   `json:"help_links"`
}

// LanguageInfo describes the language of the cells; notebooks keep it in their metadata.
type LanguageInfo struct {
	Name              string `json:"name"`
	Version           string `json:"version"`
	MIMEType          string `json:"mimetype"`
	FileExtension     string `json:"file_extension"`
	PygmentsLexer     string `json:"pygments_lexer,omitempty"`
	CodeMirrorMode    any    `json:"codemirror_mode,omitempty"` // a string or an object
	NBConvertExporter string `json:"nbconvert_exporter,omitempty"`
}

// HelpLink is an entry of a frontend's help menu.
type HelpLink struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// ShutdownRequest asks the kernel to end; ShutdownReply has the same content and a status.
type ShutdownRequest struct {
	Restart bool `json:"restart"`
}

// ShutdownReply tells that the kernel ends.
type ShutdownReply struct {
	Status  string `json:"status"`
	Restart bool   `json:"restart"`
}

// InputRequest asks the client for a line.
type InputRequest struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"`
}

// InputReply is the line.
type InputReply struct {
	Status string `json:"status,omitempty"`
	Value  string `json:"value"`
}

// CommInfoRequest asks for the open comms, all or those of one target.
type CommInfoRequest struct {
	TargetName string `json:"target_name,omitempty"`
}

// CommInfoReply holds the open comms by id.
type CommInfoReply struct {
	Status string              `json:"status"`
	Comms  map[string]CommInfo `json:"comms"`
}

// CommInfo is an open comm.
type CommInfo struct {
	TargetName string `json:"target_name"`
}

// Comm is the content of "comm_open" (with a target), "comm_msg" and "comm_close".
type Comm struct {
	ID           string          `json:"comm_id"`
	TargetName   string          `json:"target_name,omitempty"`
	TargetModule *string         `json:"target_module,omitempty"`
	Data         json.RawMessage `json:"data"`
}
