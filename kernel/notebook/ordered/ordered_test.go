package ordered_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"patchlab/kernel/notebook/ordered"
)

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{
		"{}", "[]", `""`, "null", "-0.10e+5", "NaN",
		"{\n \"b\": 1,\n \"a\": [\n  1.50,\n  \"\\u00e9 é \\ud83d\\ude00 \\ud800\",\n  {\n   \"x\": []\n  }\n ],\n \"b\": -Infinity\n}",
	} {
		v, err := ordered.Parse([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := string(ordered.Append(nil, v, " ")); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
		if got := string(ordered.Append(nil, ordered.Clone(v), " ")); got != text {
			t.Errorf("the clone of %q is %q", text, got)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                  `line 1, column 1: "end of text" where a value belongs`,
		"{\n \"a\": 1,\n}":  `line 3, column 1: "}" where a member's name belongs`,
		"[1 2]":             `line 1, column 4: "2" where "]" belongs`,
		"[\"a]":             `line 1, column 2: a string without end`,
		"[01]":              `line 1, column 2: "01" where a value belongs`,
		"[\"\\x\"]":         `line 1, column 2: a string with an escape that JSON does not know`,
		"\"a\nb\"":          `line 1, column 3: control character 0x0a in a string`,
		"{} x":              `line 1, column 4: unexpected "x" after the value`,
		"[\"\xff\"]":        `line 1, column 3: byte 0xff is not UTF-8`,
		"<html>":            `line 1, column 1: "<" where a value belongs`,
		"\"\\":              `line 1, column 1: a string without end`,
		"{\"a\" 1}":         `line 1, column 6: "1" where ":" belongs`,
		"[nul]":             `line 1, column 2: "nul" where a value belongs`,
		"{\"a\":tru\n}":     `line 1, column 6: "tru" where a value belongs`,
		"[[1,2],[3,4]":      `line 1, column 13: "end of text" where "]" belongs`,
		"{\"a\":[\n1,\n\n]": `line 4, column 1: "]" where a value belongs`,
	} {
		_, err := ordered.Parse([]byte(text))
		var syntax *ordered.SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("%q: %v\n  want %s", text, err, want)
		}
	}
	if _, err := ordered.Parse([]byte(strings.Repeat("[", 100_000))); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("a hundred thousand brackets: %v", err)
	}
}

func TestSetKeepsOrder(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:             `{"m":1}`,
		`{"a":0,"z":0}`:  `{"a":0,"m":1,"z":0}`,
		`{"z":0,"a":0}`:  `{"z":0,"a":0,"m":1}`,
		`{"m":0,"a":0}`:  `{"m":1,"a":0}`,
		`{"a":"\u0061"}`: `{"a":"\u0061","m":1}`,
	} {
		v, err := ordered.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v.(*ordered.Object).Set("m", ordered.Scalar("1"))
		if got := string(ordered.Append(nil, v, "")); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

func TestFrom(t *testing.T) {
	v, err := ordered.From(map[string]any{"s": "a\x01\"\\é\u2028", "f": 1., "g": 1e-7, "n": nil, "l": []any{1, true, math.Inf(1)}, "t": []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"f":1.0,"g":1e-07,"l":[1,true,Infinity],"n":null,"s":"a\u0001\"\\é` + "\u2028" + `","t":["x"]}`
	if got := string(ordered.Append(nil, v, "")); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := ordered.From(map[string]any{"c": make(chan int)}); err == nil {
		t.Error("a channel became JSON")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"{\"a\":[1,\"x\\u0041\",null]}", "NaN", "[[],{}]", "\"\\ud800\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ordered.Parse(data)
		if err != nil {
			return
		}
		once := ordered.Append(nil, v, " ")
		again, err := ordered.Parse(once)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", data, once, err)
		}
		if twice := ordered.Append(nil, again, " "); string(twice) != string(once) {
			t.Fatalf("%q, then %q", once, twice)
		}
	})
}
