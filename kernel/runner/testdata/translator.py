"""What patchlab_papermill makes of parameters, by example."""

from patchlab_papermill import GoTranslator, ParameterError

CELL = '''import "time"

var (
	epochs = 3 // how many
	rate   = 1e-3
	limit  = 90 * time.Second
	layers = []int{64, 32}
	names  []string
	note   string
	on     = true
	small  int8
	neg    = -0.5
	wide   = uint16(3)
	odd    = compute()
)

const classes = 10
var a, b = 1, "x"
'''

TYPES = dict(epochs="int", rate="float64", limit="time.Duration", layers="[]int", names="[]string", note="string", on="bool",
             small="int8", neg="float64", wide="uint16", odd="compute", classes="int", a="int", b="string")


class Cell(dict):
    pass


def codify(**values):
    GoTranslator.inspect(Cell(source=CELL))
    return GoTranslator.codify(values)


found = {p.name: p.inferred_type_name for p in GoTranslator.inspect(Cell(source=CELL))}
assert found == TYPES, found
assert GoTranslator.inspect(Cell(source=CELL))[0].help == "how many"

for values, want in [
    (dict(epochs=16), "var epochs int = 16"),
    (dict(rate=1), "var rate float64 = 1.0"),
    (dict(rate="2"), "var rate float64 = 2.0"),
    (dict(layers=[1, 2]), "var layers []int = []int{1, 2}"),
    (dict(layers="1, 2"), "var layers []int = []int{1, 2}"),
    (dict(names=["a,b", "c\n"]), r'var names []string = []string{"a,b", "c\n"}'),
    (dict(note=7), 'var note string = "7"'),
    (dict(note='a="b" é'), r'var note string = "a=\"b\" \u00e9"'),
    (dict(on=False), "var on bool = false"),
    (dict(on="true"), "var on bool = true"),
    (dict(small=-128), "var small int8 = -128"),
    (dict(wide=65535), "var wide uint16 = 65535"),
    (dict(classes=7), "const classes int = 7"),
    (dict(b="y"), 'var b string = "y"'),
]:
    got = codify(**values)
    assert got == "// Parameters\n" + want + "\n", got
assert codify(limit="1m30s") == '// Parameters\nimport "time"\n\nvar limit time.Duration = 90000000000 * time.Nanosecond\n', codify(limit="1m30s")
assert "= -1500000 * time.Nanosecond" in codify(limit="-1.5ms")

for values, want in [
    (dict(epoch=3), "no parameter 'epoch'; allowed: epochs int, rate float64"),
    (dict(epochs=3.5), "parameter epochs (int) is '3.5'; allowed: a whole number from -9223372036854775808"),
    (dict(epochs=True), "a whole number"),
    (dict(small=128), "a whole number from -128 to 127"),
    (dict(wide=-1), "a whole number from 0 to 65535"),
    (dict(rate="fast"), "a finite number"),
    (dict(rate=float("nan")), "a finite number"),
    (dict(on="yes"), "allowed: true, false"),
    (dict(limit=90), "a duration such as 90s"),
    (dict(layers="1,x"), "a whole number"),
    (dict(odd=1), "can't be set"),
]:
    try:
        got = codify(**values)
    except ParameterError as e:
        assert want in str(e), (want, e)
    else:
        raise AssertionError(f"{values} gave {got}")

# Without a tagged cell the values say their types.
assert GoTranslator.codify(dict(n=1, x=1.5, t=True, s="x", l=[1, 2.5])) == (
    "// Parameters\nvar n int = 1\nvar x float64 = 1.5\nvar t bool = true\nvar s string = \"x\"\nvar l []float64 = []float64{1.0, 2.5}\n")
