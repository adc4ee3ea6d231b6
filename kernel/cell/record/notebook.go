package record

import (
	"strings"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// Notebook is a notebook of executed cells, in their order, with outputs and times as JupyterLab writes them. What was
// executed earlier, which may be nil, stands before them.
func Notebook(earlier *notebook.Notebook, cells []Cell) []byte {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	if earlier != nil {
		n = earlier.Clone()
	}
	for _, c := range cells {
		var tags []string
		if commandsOnly(c.Source) { // what they say differs from run to run
			tags = append(tags, "skip-check")
		}
		if c.Status == "error" {
			tags = append(tags, "raises-exception") // it may fail again without ending the rest
		}
		made := notebook.NewCell(notebook.Code, c.Source, tags...)
		n.Insert(len(n.Cells), made)
		made.SetCount(c.Count)
		made.SetOutputs(outputs(c))
		times := &ordered.Object{}
		times.Set("iopub.execute_input", ordered.String(c.Started.Format(time.RFC3339Nano)))
		times.Set("shell.execute_reply", ordered.String(c.Started.Add(time.Duration(c.Seconds*float64(time.Second))).Format(time.RFC3339Nano)))
		made.Metadata().Set("execution", times)
	}
	return n.Bytes()
}

// commandsOnly tells whether a cell has nothing but lines that are the session's.
func commandsOnly(source string) bool {
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, Magic) {
			return false
		}
	}
	return strings.TrimSpace(source) != ""
}

// outputs are what was published, as a notebook keeps it: streams joined, what is replaced in place once.
func outputs(c Cell) []*notebook.Output {
	var all []*notebook.Output
	displays := map[string]*notebook.Output{}
	clear := false
	texts := map[*notebook.Output]*strings.Builder{}
	add := func(o *notebook.Output) {
		if clear {
			all, clear = nil, false
		}
		all = append(all, o)
	}
	for _, m := range c.Outputs {
		parsed, err := ordered.Parse(m.Content)
		content, ok := parsed.(*ordered.Object)
		if err != nil || !ok {
			continue
		}
		id := content.Object("transient").Text("display_id")
		switch m.Type {
		case message.TypeStream:
			last := len(all) - 1
			if clear || last < 0 || texts[all[last]] == nil || all[last].Name() != content.Text("name") {
				add(notebook.NewStream(content.Text("name"), ""))
				last = len(all) - 1
				texts[all[last]] = &strings.Builder{}
			}
			texts[all[last]].WriteString(content.Text("text"))
		case message.TypeDisplayData, message.TypeExecuteResult:
			kind := notebook.Display
			if m.Type == message.TypeExecuteResult {
				kind = notebook.Result
			}
			o := notebook.NewData(kind, content.Object("data"), content.Object("metadata"), c.Count)
			add(o)
			if id != "" {
				displays[id] = o
			}
		case message.TypeUpdateDisplayData:
			if o := displays[id]; o != nil {
				o.SetData(content.Object("data"), content.Object("metadata"))
			}
		case message.TypeError:
			var lines []string
			for _, line := range content.Items("traceback") {
				text, _ := ordered.Text(line)
				lines = append(lines, text)
			}
			add(notebook.NewError(content.Text("ename"), content.Text("evalue"), lines))
		case message.TypeClearOutput:
			if clear = content.Get("wait") == ordered.Scalar("true"); !clear {
				all = nil
			}
		}
	}
	for _, o := range all {
		if text := texts[o]; text != nil {
			o.SetText(strings.ToValidUTF8(text.String(), "�"))
		}
	}
	return all
}
