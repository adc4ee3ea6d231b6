package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"patchlab/kernel/cell/record"
	"patchlab/kernel/notebook"
	"patchlab/tracker"
)

func TestCommands(t *testing.T) {
	b := open(t)
	b.session.Begin(1, "")
	for _, c := range []struct{ line, want, err string }{
		{"%patchlab", "the session has no run; allowed are", ""},
		{"%patchlab end", "", "the session has no run"},
		{`%patchlab run "two words" lr=0.1`, "run two words (01", ""},
		{`%patchlab run "two words" lr=0.2`, "", `"lr"`},
		{"%patchlab status", "goes on in " + b.db, ""},
		{`%patchlab run a b`, "", `"b" is no parameter=value`},
		{`%patchlab run "a`, "", "a quote is not closed"},
		{`%patchlab fly`, "", `"fly" is unknown; allowed are`},
		{`%patchlab end happily`, "", `a run cannot end as "happily", allowed are failed, finished, killed`},
		{`%patchlab end failed`, "run two words (01", ""},
	} {
		said, err := b.session.Command(c.line)
		if !strings.Contains(said, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v; want %q, %q", c.line, said, err, c.want, c.err)
		}
	}
	b.session.End(true)
	if _, info := b.only(); info.Status != tracker.Failed || info.Params["lr"] != "0.1" {
		t.Errorf("the run is %v with %v", info.Status, info.Params)
	}
}

func TestNotebookOutputs(t *testing.T) {
	message := func(kind, content string) record.Message {
		return record.Message{Type: kind, Content: json.RawMessage(content)}
	}
	text := record.Notebook(nil, []record.Cell{{Count: 4, Source: "a\nb", Status: "error", Outputs: []record.Message{
		message("stream", `{"name":"stdout","text":"gone"}`),
		message("clear_output", `{"wait":true}`),
		message("stream", `{"name":"stdout","text":"one "}`),
		message("stream", `{"name":"stdout","text":"two"}`),
		message("stream", `{"name":"stderr","text":"three"}`),
		message("display_data", `{"data":{"text/plain":"old"},"metadata":{},"transient":{"display_id":"x"}}`),
		message("execute_result", `{"data":{"text/plain":"4"},"metadata":{}}`),
		message("update_display_data", `{"data":{"text/plain":"new"},"metadata":{},"transient":{"display_id":"x"}}`),
		message("error", `{"ename":"E","evalue":"v","traceback":["l1","l2"]}`),
		message("stream", `not JSON`),
	}}})
	n, err := notebook.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range n.Cells[0].Outputs() {
		plain, _ := o.MIME("text/plain")
		name, value, lines := o.Failure()
		got = append(got, fmt.Sprint(o.Type(), o.Name(), o.Text(), plain, name, value, lines))
	}
	want := "[streamstdoutone two[] streamstderrthree[] display_datanew[] execute_result4[] errorEv[l1 l2]]"
	if fmt.Sprint(got) != want || n.Cells[0].Source() != "a\nb" || !bytes.Contains(text, []byte(`"name": "patchlab"`)) {
		t.Errorf("outputs %v, want %s", got, want)
	}
}

// Of a curve that changes for hours the last picture is written down, and so is what comes after it.
func TestUpdatesAreWrittenDownOnce(t *testing.T) {
	b := open(t)
	b.session.Begin(1, "train()")
	big := strings.Repeat("x", 1<<20)
	show := func(kind, id string, n int) {
		b.session.Message(kind, fmt.Appendf(nil, `{"data":{"text/plain":"%s%d"},"metadata":{},"transient":{"display_id":"%s"}}`, big, n, id))
	}
	show("display_data", "bar", 0)
	show("display_data", "curve", 0)
	for n := range 50 {
		show("update_display_data", "bar", n)
		show("update_display_data", "curve", n)
	}
	show("display_data", "bar", 100) // from here on its updates are of this one
	show("update_display_data", "bar", 101)
	b.session.Message("stream", json.RawMessage(`{"name":"stdout","text":"done"}`))
	cells, err := b.session.Cells()
	if err != nil {
		t.Fatal(err)
	}
	n, err := notebook.Parse(record.Notebook(nil, cells))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range n.Cells[0].Outputs() {
		plain, _ := o.MIME("text/plain")
		got = append(got, strings.ReplaceAll(plain, "x", "")+o.Text())
	}
	if fmt.Sprint(got) != "[49 49 101 done]" {
		t.Errorf("outputs %v", got)
	}
}
