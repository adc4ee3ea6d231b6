package check_test

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"patchlab/kernel/message"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/check"
	"patchlab/kernel/notebook/ordered"
)

func one(source string, tags []string, outputs ...*notebook.Output) *notebook.Notebook {
	n := notebook.New("k", "K", "go")
	n.Insert(0, notebook.NewCell(notebook.Code, source, tags...))
	n.Cells[0].SetOutputs(outputs)
	return n
}

func data(t *testing.T, text string) *notebook.Output {
	t.Helper()
	v, err := ordered.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return notebook.NewData(notebook.Display, v.(*ordered.Object), nil, 0)
}

// notice is what the kernel says of itself below a cell.
func notice(t *testing.T) *notebook.Output {
	t.Helper()
	o := data(t, `{"text/plain": "Go compiles"}`)
	metadata := &ordered.Object{}
	metadata.Set(message.Notice, ordered.Scalar("true"))
	o.SetData(nil, metadata)
	return o
}

func picture(t *testing.T, size int, off ...uint8) *notebook.Output {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, size, size))
	for i := range m.Pix {
		m.Pix[i] = []uint8{200, 200, 200, 255}[i%4]
	}
	for i, d := range off {
		m.SetRGBA(i, 0, color.RGBA{200 - d, 200, 200, 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return data(t, `{"image/png": "`+base64.StdEncoding.EncodeToString(b.Bytes())+`\n"}`)
}

func TestCompare(t *testing.T) {
	out, errs := func(s string) *notebook.Output { return notebook.NewStream("stdout", s) }, func(s string) *notebook.Output { return notebook.NewStream("stderr", s) }
	failure := func(name, value string) *notebook.Output {
		return notebook.NewError(name, value, []string{"at 0x" + value})
	}
	type outputs = []*notebook.Output
	for name, c := range map[string]struct {
		tags      []string
		want, got outputs
		lines     string
	}{
		"same":               {nil, outputs{out("a\nb\n")}, outputs{out("a\nb\n")}, ""},
		"cut otherwise":      {nil, outputs{out("a\nb\n"), errs("e"), out("c\n")}, outputs{out("a\n"), out("b\nc\n"), errs("e")}, ""},
		"a line":             {nil, outputs{out("1\n2\n3\n4\n5\n6\n7\n")}, outputs{out("1\n2\n3\nx\n5\n6\n7\n")}, "@ stdout| 2| 3|-4|+x| 5| 6"},
		"newline":            {nil, outputs{out("a\n")}, outputs{out("a")}, "@ stdout|-a|+a (no newline at the end)"},
		"blank line":         {nil, outputs{out("a\n\nb\n")}, outputs{out("a\nb\n")}, "@ stdout| a|-| b"},
		"space":              {nil, outputs{out("a \n")}, outputs{out("a\n")}, `@ stdout|-"a "|+a`},
		"missing":            {nil, outputs{out("a\n")}, nil, "@ stdout is missing|-a"},
		"new":                {nil, outputs{out("a\n")}, outputs{out("a\n"), errs("warning\n")}, "@ stderr is new|+warning"},
		"skipped":            {[]string{"skip-check"}, outputs{out("a\n")}, nil, ""},
		"nondeterministic":   {[]string{"nondeterministic"}, outputs{out("a\n")}, outputs{out("b\n")}, ""},
		"times":              {[]string{"timing"}, outputs{out("took 1.5s, 30 ms and 1m30.2s for 5 cells\n")}, outputs{out("took 2s, 7 µs and 200ms for 5 cells\n")}, ""},
		"times, no tag":      {nil, outputs{out("1.5s\n")}, outputs{out("2s\n")}, "@ stdout|-1.5s|+2s"},
		"not only times":     {[]string{"timing"}, outputs{out("1.5s 5\n")}, outputs{out("2s 6\n")}, "@ stdout|-<time> 5|+<time> 6"},
		"error":              {nil, outputs{failure("E", "1")}, outputs{failure("E", "2")}, "@ error|-E: 1 (no newline at the end)|+E: 2 (no newline at the end)"},
		"error, expected":    {[]string{"raises-exception"}, outputs{failure("E", "1")}, outputs{failure("E", "2")}, ""},
		"notice":             {nil, outputs{notice(t)}, nil, ""},
		"JSON":               {nil, outputs{data(t, `{"application/json": {"a": 1, "b": [1.0]}}`)}, outputs{data(t, `{"application/json": {"b": [1], "a": 1}}`)}, ""},
		"HTML":               {nil, outputs{data(t, `{"text/html": "<b>", "text/plain": "b"}`)}, outputs{data(t, `{"text/html": "<i>", "text/plain": "b"}`)}, "@ output text/html|-<b> (no newline at the end)|+<i> (no newline at the end)"},
		"type":               {nil, outputs{data(t, `{"text/plain": "b"}`)}, outputs{data(t, `{"text/html": "b"}`)}, "@ output text/html is new|+b|@ output text/plain is missing|-b"},
		"picture, close":     {nil, outputs{picture(t, 50)}, outputs{picture(t, 50, 1, 2, 90)}, ""},
		"picture, far":       {nil, outputs{picture(t, 50)}, outputs{picture(t, 50, 9, 90, 90, 3, 2)}, "@ output image/png: 4 of 2500 pixels differ by more than 2 of 255 levels, by up to 90"},
		"picture, size":      {nil, outputs{picture(t, 50)}, outputs{picture(t, 51)}, "@ output image/png: the picture had (50,50) pixels and has (51,51)"},
		"picture, unread":    {nil, outputs{picture(t, 50)}, outputs{data(t, `{"image/png": "aGk="}`)}, "@ output image/png: the new picture can't be read: image: unknown format"},
		"an output too much": {nil, outputs{data(t, `{"text/plain": "x"}`)}, outputs{data(t, `{"text/plain": "x"}`), data(t, `{"text/plain": "y"}`)}, "@ output is new|+y"},
	} {
		differences, err := check.Compare(one("f()", c.tags, c.want...), one("f()", c.tags, c.got...), check.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(differences) > 0 {
			got = strings.Join(differences[0].Lines, "|")
		}
		if got != c.lines {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.lines)
		}
	}
}

func TestLongDifferencesAreCut(t *testing.T) {
	long := strings.Repeat("x\n", 5000)
	differences, err := check.Compare(one("f()", nil, notebook.NewStream("stdout", long)), one("f()", nil, notebook.NewStream("stdout", strings.ReplaceAll(long, "x", "y"))), check.Options{})
	if err != nil || len(differences) != 1 || len(differences[0].Lines) > 70 || !strings.Contains(differences[0].Lines[61], "more lines") {
		t.Errorf("%v, %v", differences, err)
	}
	if _, err := check.Compare(one("a", nil), notebook.New("k", "K", "go"), check.Options{}); err == nil {
		t.Error("other notebooks were compared")
	}
}
