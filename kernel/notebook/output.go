package notebook

import (
	"strings"

	"patchlab/kernel/notebook/ordered"
)

// Types of outputs.
const (
	Stream  = "stream"         // text on stdout or stderr
	Display = "display_data"   // something shown
	Result  = "execute_result" // the cell's value
	Error   = "error"          // what ended the cell
)

// Output is one output of a code cell.
type Output struct{ obj *ordered.Object }

// NewStream returns what a cell wrote on the stream ("stdout" or "stderr").
func NewStream(stream, text string) *Output {
	o := newOutput(Stream)
	o.obj.Set("name", ordered.String(stream))
	o.SetText(text)
	return o
}

// NewData returns a Display or a Result (whose execution count is n) with the
// same content by MIME type. data and metadata become the output's.
func NewData(kind string, data, metadata *ordered.Object, n int) *Output {
	o := newOutput(kind)
	if kind == Result {
		o.obj.Set("execution_count", count(n))
	}
	o.SetData(data, metadata)
	return o
}

// NewError returns the error that ended a cell.
func NewError(name, value string, traceback []string) *Output {
	o := newOutput(Error)
	o.obj.Set("ename", ordered.String(name))
	o.obj.Set("evalue", ordered.String(value))
	o.obj.Set("traceback", ordered.Strings(traceback...))
	return o
}

func newOutput(kind string) *Output {
	o := &Output{&ordered.Object{}}
	o.obj.Set("output_type", ordered.String(kind))
	return o
}

// Type is Stream, Display, Result or Error.
func (o *Output) Type() string { return o.obj.Text("output_type") }

// Name is a stream's name.
func (o *Output) Name() string { return o.obj.Text("name") }

// Text is what was written on a stream.
func (o *Output) Text() string {
	text, _ := joined(o.obj.Get("text"))
	return text
}

// SetText replaces what was written on a stream.
func (o *Output) SetText(text string) { o.obj.Set("text", ordered.Strings(splitLines(text)...)) }

// SetData replaces a Display's or a Result's content.
func (o *Output) SetData(data, metadata *ordered.Object) {
	if data == nil {
		data = &ordered.Object{}
	}
	if metadata == nil {
		metadata = &ordered.Object{}
	}
	for _, mime := range data.Keys() {
		if text, ok := ordered.Text(data.Get(mime)); ok && splits(mime) {
			data.Set(mime, ordered.Strings(splitLines(text)...))
		}
	}
	ordered.Sort(data)
	ordered.Sort(metadata)
	o.obj.Set("data", data)
	o.obj.Set("metadata", metadata)
}

// MIMEs are the types in which a Display or a Result offers its content.
func (o *Output) MIMEs() []string { return o.obj.Object("data").Keys() }

// MIME returns the content of that type: text, base64 for pictures, JSON text
// for types that hold JSON. False where there is none.
func (o *Output) MIME(mime string) (string, bool) {
	v := o.obj.Object("data").Get(mime)
	if v == nil {
		return "", false
	}
	if text, ok := joined(v); ok && !holdsJSON(mime) {
		return text, true
	}
	return string(ordered.Append(nil, v, "")), true
}

// MIMEMetadata is what the output says about its content of that type (for
// instance a picture's width), or about all of it; nil where there is nothing.
func (o *Output) MIMEMetadata(mime string) *ordered.Object {
	if sub := o.obj.Object("metadata").Object(mime); sub != nil {
		return sub
	}
	return o.obj.Object("metadata")
}

// Marked reports whether the output's metadata has the key, as true.
func (o *Output) Marked(key string) bool {
	return o.obj.Object("metadata").Get(key) == ordered.Scalar("true")
}

// Failure is an Error's name, value and traceback.
func (o *Output) Failure() (name, value string, traceback []string) {
	for _, v := range o.obj.Items("traceback") {
		line, _ := ordered.Text(v)
		traceback = append(traceback, line)
	}
	return o.obj.Text("ename"), o.obj.Text("evalue"), traceback
}

// SetCount sets a Result's execution count.
func (o *Output) SetCount(n int) { o.obj.Set("execution_count", count(n)) }

// splits says whether nbformat splits that type's text into lines.
func splits(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml"
}

func holdsJSON(mime string) bool {
	return mime == "application/json" || strings.HasPrefix(mime, "application/") && strings.HasSuffix(mime, "+json")
}

// joined is a text that may be a list of its lines.
func joined(v ordered.Value) (string, bool) {
	if a, ok := v.(*ordered.Array); ok {
		var b strings.Builder
		for _, item := range a.Items {
			line, ok := ordered.Text(item)
			if !ok {
				return "", false
			}
			b.WriteString(line)
		}
		return b.String(), true
	}
	return ordered.Text(v)
}

// splitLines cuts text after each line's end, as Python's
// str.splitlines(keepends=True), with which nbformat cuts: beside \n, \r and
// \r\n also \v, \f, U+001C to U+001E, U+0085, U+2028 and U+2029 end a line.
func splitLines(text string) []string {
	var lines []string
	start := 0
	for i, c := range text {
		end := 0
		switch c {
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e:
			end = i + 1
		case '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				continue
			}
			end = i + 1
		case 0x85:
			end = i + 2
		case 0x2028, 0x2029:
			end = i + 3
		default:
			continue
		}
		lines = append(lines, text[start:end])
		start = end
	}
	if start < len(text) {
		lines = append(lines, text[start:])
	}
	return lines
}
