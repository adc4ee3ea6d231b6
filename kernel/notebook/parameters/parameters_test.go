package parameters_test

import (
	"encoding/json"
	"strings"
	"testing"

	"patchlab/kernel/jupytertest"
	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/gocell"
	"patchlab/kernel/notebook/ordered"
	"patchlab/kernel/notebook/parameters"
)

const declared = `import "time"

var (
	epochs = 3
	rate   = 1e-3
	limit  = 90 * time.Second
	layers = []int{64, 32}
	names  []string
	note   string
	on     = true
	small  int8
	neg    = -0.5
	wide   = uint16(3)
	every  time.Duration
	waits  []time.Duration
	odd    = compute()
	table  map[string]int
)

const classes = 10`

func goNotebook(source string) *notebook.Notebook {
	n := notebook.New("patchlab", "Patchlab (Go)", "go")
	n.Insert(0, notebook.NewCell(notebook.Markdown, "# Title"))
	if source != "" {
		n.Insert(1, notebook.NewCell(notebook.Code, source, parameters.Tag))
	}
	return n
}

func inject(n *notebook.Notebook, texts ...string) (*ordered.Object, []string, error) {
	var list []parameters.Assignment
	for _, text := range texts {
		a, err := parameters.ParseAssignment(text)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, a)
	}
	return parameters.Inject(n, list)
}

func TestGoTypes(t *testing.T) {
	n := goNotebook(declared)
	values, _, err := inject(n, "epochs=0x10", "rate=1", "limit=1.5h", "layers=1, 2", `names=["a,b", "c\n"]`, "note=a=\"b\"", "on=false",
		"small=-128", "neg=2", "wide=65535", "every=250ms", "waits=1s,2m", "classes=7")
	if err != nil {
		t.Fatal(err)
	}
	want := `// Parameters
import "time"

var epochs int = 16
var rate float64 = 1.0
var limit time.Duration = 90 * time.Minute
var layers []int = []int{1, 2}
var names []string = []string{"a,b", "c\n"}
var note string = "a=\"b\""
var on bool = false
var small int8 = -128
var neg float64 = 2.0
var wide uint16 = 65535
var every time.Duration = 250 * time.Millisecond
var waits []time.Duration = []time.Duration{1 * time.Second, 2 * time.Minute}
const classes int = 7
`
	cell := n.Cells[2]
	if cell.Source() != want || !cell.Tagged(parameters.InjectedTag) {
		t.Errorf("got %v\n%s", cell.Tags(), cell.Source())
	}
	if _, err := gocell.Split(cell.Source()); err != nil {
		t.Error(err)
	}
	wantValues := `{"classes":7,"epochs":16,"every":"250ms","layers":[1,2],"limit":"1.5h","names":["a,b","c\n"],"neg":2.0,"note":"a=\"b\"","on":false,"rate":1.0,"small":-128,"waits":["1s","2m"],"wide":65535}`
	if got := string(ordered.Append(nil, values, "")); got != wantValues {
		t.Errorf("values %s", got)
	}
	if _, _, err := inject(n, "epochs=4"); err != nil || len(n.Cells) != 3 || n.Cells[2].Source() != "// Parameters\nvar epochs int = 4\n" {
		t.Errorf("a second time: %v, %d cells\n%s", err, len(n.Cells), n.Cells[2].Source())
	}
}

func TestWrongParametersAreExplained(t *testing.T) {
	all := "allowed: epochs int, rate float64, limit time.Duration, layers []int, names []string, note string, on bool, small int8, neg float64, wide uint16, every time.Duration, waits []time.Duration, classes int"
	for text, want := range map[string]string{
		"epoch=3":    `no parameter "epoch"; ` + all,
		"epochs=3.5": `parameter epochs (int) is "3.5"; allowed: a whole number from -9223372036854775808`,
		"epochs=":    `parameter epochs (int) is ""; allowed: a whole number`,
		"small=128":  `a whole number from -128 to 127`,
		"wide=-1":    `a whole number from 0 to 65535`,
		"rate=fast":  `parameter rate (float64) is "fast"; allowed: a finite number`,
		"rate=NaN":   `allowed: a finite number`,
		"on=yes":     `allowed: true, false`,
		"limit=90":   `allowed: a duration such as 90s`,
		"layers=1,x": `parameter layers ([]int) is "1,x"; allowed: a list with each value a whole number`,
		`names=["a"`: `allowed: a JSON list, or values between commas`,
		"odd=1":      `parameter odd has the type of an expression, which can't be set`,
		"table=1":    `parameter table has the type map[string]int, which can't be set`,
		"epochs":     `parameter "epochs"; allowed: name=value`,
		"=3":         `parameter "=3"; allowed: name=value`,
	} {
		n := goNotebook(declared)
		if _, _, err := inject(n, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n  want %s", text, err, want)
		}
		if len(n.Cells) != 2 {
			t.Errorf("%s: a cell was injected nevertheless", text)
		}
	}
	if _, _, err := inject(goNotebook(declared), "epochs=1", "epochs=2"); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Error(err)
	}
	if _, _, err := inject(goNotebook("var x = ("), "x=1"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Error(err)
	}
	n := notebook.New("ir", "R", "R")
	if _, _, err := inject(n, "x=1"); err == nil || !strings.Contains(err.Error(), `language "r"; allowed: go, python`) {
		t.Error(err)
	}
}

func TestWithoutTaggedCell(t *testing.T) {
	n := goNotebook("")
	if _, _, err := inject(n, "a=1", "b=1.5", "c=true", "d=x y"); err != nil {
		t.Fatal(err)
	}
	want := "// Parameters\nvar a int = 1\nvar b float64 = 1.5\nvar c bool = true\nvar d string = \"x y\"\n"
	if n.Cells[0].Source() != want {
		t.Errorf("first cell:\n%s", n.Cells[0].Source())
	}
}

// A file gives the same as the command line, and what it quotes is text.
func TestYAML(t *testing.T) {
	n := goNotebook(declared)
	list, err := parameters.ParseYAML([]byte("# small\nepochs: 16\nrate: 1\nlimit: 1.5h\nlayers: [1, 2]\nnames:\n- a,b\n- 'c'\nnote: &n \"3\"\non: false\nwaits: [1s, 2m]\nneg: 1e-7\n"))
	if err != nil {
		t.Fatal(err)
	}
	list = parameters.Override(list, []parameters.Assignment{{Name: "epochs", Text: "4"}, {Name: "classes", Text: "7"}})
	if _, _, err := parameters.Inject(n, list); err != nil {
		t.Fatal(err)
	}
	want := "// Parameters\nimport \"time\"\n\nvar epochs int = 4\nvar rate float64 = 1.0\nvar limit time.Duration = 90 * time.Minute\nvar layers []int = []int{1, 2}\n" +
		"var names []string = []string{\"a,b\", \"c\"}\nvar note string = \"3\"\nvar on bool = false\nvar waits []time.Duration = []time.Duration{1 * time.Second, 2 * time.Minute}\n" +
		"var neg float64 = 1e-07\nconst classes int = 7\n"
	if got := n.Cells[2].Source(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for text, want := range map[string]string{
		"- 1":                              "line 1 is no mapping; allowed: lines such as",
		"epochs: [1":                       "did not find expected ',' or ']'",
		"epochs: 1\nepochs: 2":             `mapping key "epochs" already defined`,
		`{"epochs": {"a": 1}}`:             `parameter epochs (int) is "{\"a\":1}"; allowed: a text, a number`,
		"note:":                            `parameter note (string) is "null"; allowed: a text`,
		"epochs: 3.5":                      `parameter epochs (int) is "3.5"; allowed: a whole number`,
		"epoch: 1":                         `no parameter "epoch"; allowed: epochs int`,
		"a: &a [x]\nb: &b [*a, *a]\nc: *d": "unknown anchor 'd'",
	} {
		list, err := parameters.ParseYAML([]byte(text))
		if err == nil {
			_, _, err = parameters.Inject(goNotebook(declared), list)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\n  want %s", text, err, want)
		}
	}
	untyped := goNotebook("")
	list, err = parameters.ParseYAML([]byte(`{"a": 1, "b": "1", "c": true}`))
	if err == nil {
		_, _, err = parameters.Inject(untyped, list)
	}
	if err != nil || untyped.Cells[0].Source() != "// Parameters\nvar a int = 1\nvar b string = \"1\"\nvar c bool = true\n" {
		t.Errorf("%v\n%s", err, untyped.Cells[0].Source())
	}
}

// What a file gives a Python notebook is what papermill's -f gives it.
func TestPythonYAMLIsPapermills(t *testing.T) {
	const text = "a: 1\nb: '1'\nc: [1, x, 2.5, null, true]\nd: {k: [1], \"é\": n}\ne: 2026-01-02\nf: .nan\ng: -.inf\nh: \"q\\\"\\n\"\ni: 1.5e+3\n"
	list, err := parameters.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n := notebook.New("python3", "Python", "python")
	if _, _, err := parameters.Inject(n, list); err != nil {
		t.Fatal(err)
	}
	want := jupytertest.Python(t, `
import builtins, sys, yaml
from papermill.utils import *
from papermill.iorw import NoDatesSafeLoader
from papermill.translators import PythonTranslator
real = builtins.__import__
def without_black(name, *a, **k):
    if name == "black": raise ImportError
    return real(name, *a, **k)
builtins.__import__ = without_black
print(PythonTranslator.codify(yaml.load(sys.argv[1], Loader=NoDatesSafeLoader)), end="")
`, text)
	if got := n.Cells[0].Source(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The injected cell of a Python notebook is papermill's, byte for byte.
func TestPythonIsPapermills(t *testing.T) {
	texts := []string{"a=1", "b=1_000", "c=-2.50", "d=1e-7", "e=1e22", "f=True", "g=None", "h=nan", "i=-inf", "j=text", "k=it's \"é漢😀\"\\\t\n\x01", "l=", "m= 7 ", "n=0x10", "o=1e400",
		"p=123456789012345678901234567890", "q=_1", "r=false", "s=1__0", "t=.5", "u=infinity", "v=0.1", "w=100000.0"}
	n := notebook.New("python3", "Python", "python")
	n.Insert(0, notebook.NewCell(notebook.Code, "a = 0\nb: int = 1", parameters.Tag))
	values, warnings, err := inject(n, texts...)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != len(texts)-2 {
		t.Errorf("%d warnings: %v", len(warnings), warnings)
	}
	list, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	out := jupytertest.Python(t, `
import json, sys
from papermill.cli import _resolve_type
from papermill.translators import PythonTranslator
import builtins
real = builtins.__import__
def without_black(name, *a, **k):
    if name == "black": raise ImportError
    return real(name, *a, **k)
builtins.__import__ = without_black
values = {}
for text in json.loads(sys.argv[1]):
    name, value = text.split("=", 1)
    values[name] = _resolve_type(value)
print(json.dumps([PythonTranslator.codify(values), json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))]))
`, string(list))
	var want [2]string
	if err := json.Unmarshal([]byte(out), &want); err != nil {
		t.Fatal(err)
	}
	if got := n.Cells[1].Source(); got != want[0] {
		t.Errorf("got\n%s\nwant\n%s", got, want[0])
	}
	if got := string(ordered.Append(nil, values, "")); got != want[1] {
		t.Errorf("got\n%s\nwant\n%s", got, want[1])
	}
}
