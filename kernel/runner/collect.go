package runner

import (
	"strings"

	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// collector turns what a kernel publishes into a notebook's outputs, cell by
// cell.
type collector struct {
	outputs  []*notebook.Output
	texts    map[*notebook.Output]*strings.Builder // of the cell's streams
	displays map[string][]*notebook.Output         // by display ID, of the whole notebook
	clear    bool                                  // before the next output
	count    int                                   // the cell's execution count
	next     int                                   // the count that the next cell is to have; 0: the kernel's
	shift    int                                   // from the kernel's counts to the notebook's
	times    map[string]string                     // when what was published, by JupyterLab's names
	widgets  widgets
}

func newCollector() *collector {
	return &collector{displays: map[string][]*notebook.Output{}, widgets: widgets{}}
}

// begin forgets the last cell's outputs.
func (c *collector) begin() {
	c.outputs, c.clear, c.count = nil, false, 0
	c.texts, c.times = map[*notebook.Output]*strings.Builder{}, map[string]string{}
}

// handle takes in a message of the IOPub channel, or the reply.
func (c *collector) handle(m *message.Message) {
	v, err := ordered.Parse(m.Body)
	content, ok := v.(*ordered.Object)
	if err != nil || !ok {
		return
	}
	switch m.Header.Type {
	case message.TypeStatus:
		c.times["iopub.status."+content.Text("execution_state")] = m.Header.Date
	case message.TypeExecuteReply:
		c.times["shell.execute_reply"] = m.Header.Date
	case message.TypeExecuteInput:
		c.times["iopub.execute_input"] = m.Header.Date
		c.counted(content)
	case message.TypeStream:
		c.stream(content.Text("name"), content.Text("text"))
	case message.TypeDisplayData:
		c.show(notebook.Display, content)
	case message.TypeExecuteResult:
		c.counted(content)
		c.show(notebook.Result, content)
	case message.TypeUpdateDisplayData:
		c.update(content)
	case message.TypeError:
		var lines []string
		for _, line := range content.Items("traceback") {
			text, _ := ordered.Text(line)
			lines = append(lines, text)
		}
		c.add(notebook.NewError(content.Text("ename"), content.Text("evalue"), lines))
	case message.TypeClearOutput:
		if content.Get("wait") == ordered.Scalar("true") {
			c.clear = true
		} else {
			c.outputs = nil
		}
	case message.TypeCommOpen, message.TypeCommMessage:
		c.widgets.handle(content, m.Buffers)
	}
}

func (c *collector) counted(content *ordered.Object) {
	if n, ok := ordered.Int(content.Get("execution_count")); ok {
		if c.next > 0 {
			c.shift, c.next = c.next-int(n), 0
		}
		c.count = int(n) + c.shift
	}
}

// add appends an output, in the place of those that a clear_output was to
// remove.
func (c *collector) add(o *notebook.Output) {
	if c.clear {
		c.outputs, c.clear = nil, false
	}
	c.outputs = append(c.outputs, o)
}

// stream appends text to the last output if that is the same stream.
func (c *collector) stream(name, text string) {
	if c.clear {
		c.outputs, c.clear = nil, false
	}
	if n := len(c.outputs); n > 0 && c.outputs[n-1].Type() == notebook.Stream && c.outputs[n-1].Name() == name {
		c.texts[c.outputs[n-1]].WriteString(text)
		return
	}
	o := notebook.NewStream(name, "")
	c.texts[o] = &strings.Builder{}
	c.texts[o].WriteString(text)
	c.add(o)
}

func (c *collector) show(kind string, content *ordered.Object) {
	c.update(content)
	o := notebook.NewData(kind, content.Object("data"), content.Object("metadata"), c.count)
	c.add(o)
	if id := content.Object("transient").Text("display_id"); id != "" {
		c.displays[id] = append(c.displays[id], o)
	}
}

// update gives every output with the display ID of content its data.
func (c *collector) update(content *ordered.Object) {
	for _, o := range c.displays[content.Object("transient").Text("display_id")] {
		data, _ := ordered.Clone(content.Object("data")).(*ordered.Object)
		metadata, _ := ordered.Clone(content.Object("metadata")).(*ordered.Object)
		o.SetData(data, metadata)
	}
}

// finish returns the cell's outputs so far.
func (c *collector) finish() []*notebook.Output {
	for _, o := range c.outputs {
		if b, ok := c.texts[o]; ok {
			o.SetText(overwrite(b.String()))
		}
	}
	return c.outputs
}

// overwrite leaves of each line what a terminal would show of it, so that a
// progress bar is stored once: a carriage return discards what stands before it
// on the line, a backspace the character before it, as JupyterLab stores it.
func overwrite(text string) string {
	if !strings.ContainsAny(text, "\r\b") {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.Contains(line, "\b") {
			var kept []rune
			for _, r := range line {
				if r == '\b' && len(kept) > 0 && kept[len(kept)-1] != '\b' {
					kept = kept[:len(kept)-1]
				} else {
					kept = append(kept, r)
				}
			}
			line = string(kept)
		}
		for at := len(line) - 2; at >= 0; at-- {
			if line[at] == '\r' && line[at+1] != '\n' {
				line = line[at+1:]
				break
			}
		}
		lines[i] = line
	}
	return strings.Join(lines, "")
}
