package exchange

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/encoding/protowire"

	"patchlab/tracker"
)

func newDB(t testing.TB) *tracker.DB {
	t.Helper()
	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func history(t *testing.T, db *tracker.DB, run, key string) []tracker.Point {
	t.Helper()
	info, err := db.Find(t.Context(), run)
	must(t, err)
	points, err := db.History(t.Context(), info.ID, key)
	must(t, err)
	return points
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// unknown is the time of points whose file tells none.
var unknown = time.UnixMicro(0)

// recorded makes a database with a finished run that has odd values.
func recorded(t *testing.T) (*tracker.DB, []tracker.RunInfo) {
	t.Helper()
	db := newDB(t)
	run, err := db.Start(t.Context(), tracker.Spec{Name: "odd, \"run\"", Experiment: "e", Params: map[string]string{"p": "v"}})
	must(t, err)
	for i, v := range []float64{1.5, math.NaN(), math.Inf(1), math.Inf(-1), 1.0 / 3, math.SmallestNonzeroFloat64} {
		must(t, run.LogAt(noon.Add(time.Duration(i)*time.Microsecond), int64(i), map[string]float64{"a/b c": v, "ключ": -v}))
	}
	must(t, run.AddArtifact("a.txt", strings.NewReader("content")))
	must(t, run.Finish(tracker.Finished))
	runs, err := db.Runs(t.Context(), tracker.Query{})
	must(t, err)
	return db, runs
}

func samePoints(t *testing.T, got, want []tracker.Point) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d points, not %d", len(got), len(want))
	}
	for i := range got {
		bothNaN := math.IsNaN(got[i].Value) && math.IsNaN(want[i].Value)
		if got[i].Step != want[i].Step || !got[i].Time.Equal(want[i].Time) || got[i].Value != want[i].Value && !bothNaN {
			t.Errorf("point %d is %v, not %v", i, got[i], want[i])
		}
	}
}

func TestCSVComesBack(t *testing.T) {
	from, runs := recorded(t)
	var file bytes.Buffer
	must(t, WriteCSV(t.Context(), &file, from, runs))
	text := file.String()
	into := newDB(t)
	for i, want := range []tracker.Merged{{Added: 1}, {Unchanged: 1}} {
		got, err := ImportCSV(t.Context(), into, strings.NewReader(text), "points.csv", noon)
		must(t, err)
		if got != want {
			t.Errorf("import %d did %+v, not %+v", i+1, got, want)
		}
	}
	for _, key := range []string{"a/b c", "ключ"} {
		samePoints(t, history(t, into, runs[0].ID, key), history(t, from, runs[0].ID, key))
	}
}

// Steps of any int64 and microseconds come through a CSV unchanged.
func TestCSVIsExact(t *testing.T) {
	into := newDB(t)
	const text = "step,time,loss\n9007199254740993,1.000001,0.5\n9223372036854775807,2,0.25\n3.0,3,1\n"
	if _, err := ImportCSV(t.Context(), into, strings.NewReader(text), "other.csv", noon); err != nil {
		t.Fatal(err)
	}
	runs, err := into.Runs(t.Context(), tracker.Query{})
	must(t, err)
	found := map[int64]int64{}
	for _, p := range history(t, into, runs[0].ID, "loss") {
		found[p.Step] = p.Time.UnixMicro()
	}
	for step, at := range map[int64]int64{1<<53 + 1: 1_000_001, math.MaxInt64: 2_000_000, 3: 3_000_000} {
		if got, ok := found[step]; !ok || got != at {
			t.Errorf("step %d has time %d µs (there: %v), want %d", step, got, ok, at)
		}
	}
	if _, err := ImportCSV(t.Context(), into, strings.NewReader("step,loss\n1.5,2\n"), "half.csv", noon); err == nil {
		t.Error("step 1.5 was taken")
	}
}

func TestParquetReadsBack(t *testing.T) {
	from, runs := recorded(t)
	var file bytes.Buffer
	must(t, WriteParquet(t.Context(), &file, from, runs))
	rows, err := parquet.Read[parquetPoint](bytes.NewReader(file.Bytes()), int64(file.Len()))
	must(t, err)
	if len(rows) != 12 || rows[0].Run != runs[0].ID || rows[0].Metric != "a/b c" || rows[4].Step != 4 || rows[4].Value != 1.0/3 ||
		!math.IsNaN(rows[1].Value) || rows[5].Time != noon.UnixMicro()+5 {
		t.Errorf("the rows are %+v", rows)
	}
}

func TestPlainTables(t *testing.T) {
	for name, test := range map[string]struct {
		text, key string
		want      []tracker.Point
	}{
		"steps":    {"step,loss,acc\n10,1.5,\n20,NaN,.5\n", "loss", []tracker.Point{{Step: 10, Time: unknown, Value: 1.5}, {Step: 20, Time: unknown, Value: math.NaN()}}},
		"missing":  {"step,loss,acc\n10,1.5,\n20,NA,.5\n", "acc", []tracker.Point{{Step: 20, Time: unknown, Value: .5}}},
		"no steps": {"loss\n3\n-inf\n", "loss", []tracker.Point{{Step: 0, Time: unknown, Value: 3}, {Step: 1, Time: unknown, Value: math.Inf(-1)}}},
		"times":    {"\ufeffwall_time,step,x\n1.5,7,8\n", "x", []tracker.Point{{Step: 7, Time: time.UnixMicro(1_500_000), Value: 8}}},
		"pandas":   {",x\n0,8\n1,9\n", "x", []tracker.Point{{Step: 0, Time: unknown, Value: 8}, {Step: 1, Time: unknown, Value: 9}}},
	} {
		db := newDB(t)
		_, err := ImportCSV(t.Context(), db, strings.NewReader(test.text), name, noon)
		must(t, err)
		t.Run(name, func(t *testing.T) { samePoints(t, history(t, db, name, test.key), test.want) })
	}
	for text, want := range map[string]string{
		"step,x\n1,2\n2,abc\n": `row 3, column "x": "abc" is not a number`,
		"step,x\n1.5,2\n":      "a step is a whole number",
		"time,x\n1e300,2\n":    "a time is in seconds since 1970",
		"time,x\nNaN,2\n":      "a time is in seconds since 1970",
		"":                     "it is empty",
		"step,x\n":             "it holds no values",
		"a,b\n1\n":             "wrong number of fields",
	} {
		if _, err := ImportCSV(t.Context(), newDB(t), strings.NewReader(text), "f.csv", noon); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKerasHistories(t *testing.T) {
	want := []tracker.Point{{Step: 1, Time: unknown, Value: .25}, {Step: 2, Time: unknown, Value: math.NaN()}, {Step: 3, Time: unknown, Value: math.Inf(-1)}}
	for name, text := range map[string]string{
		"json": `{"loss": [0.25, NaN, -Infinity], "val \"NaN\" loss": [1, 2, 3]}`,
		"csv":  "epoch,loss,val \"NaN\" loss\n0,0.25,1\n1,nan,2\n2,-inf,3\n",
	} {
		db := newDB(t)
		_, err := ImportKeras(t.Context(), db, strings.NewReader(strings.Replace(text, `,val "NaN" loss`, `,"val ""NaN"" loss"`, 1)), name, noon)
		must(t, err)
		samePoints(t, history(t, db, name, "loss"), want)
		if got := history(t, db, name, `val "NaN" loss`); len(got) != 3 || got[2].Value != 3 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := ImportKeras(t.Context(), newDB(t), strings.NewReader(`{"loss": 3}`), "x", noon); err == nil || !strings.Contains(err.Error(), "lists of numbers") {
		t.Errorf("a wrong history: %v", err)
	}
}

// record frames an event as event files do.
func record(event []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	out = binary.LittleEndian.AppendUint32(out, maskedChecksum(out))
	out = append(out, event...)
	return binary.LittleEndian.AppendUint32(out, maskedChecksum(event))
}

// scalarEvent builds an event with one old-style scalar and one as a tensor.
func scalarEvent(seconds float64, step int64, tag string, value float32) []byte {
	message := func(number protowire.Number, body []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), body)
	}
	simple := message(1, []byte(tag))
	simple = protowire.AppendFixed32(protowire.AppendTag(simple, 2, protowire.Fixed32Type), math.Float32bits(value))
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
	tensor = append(tensor, message(4, binary.LittleEndian.AppendUint32(nil, math.Float32bits(-value)))...)
	modern := append(message(1, []byte(tag+"_tensor")), message(8, tensor)...)
	event := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(seconds))
	event = protowire.AppendVarint(protowire.AppendTag(event, 2, protowire.VarintType), uint64(step))
	return append(event, message(5, append(message(1, simple), message(1, modern)...))...)
}

func TestEventFiles(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "exp", "train"), 0o700))
	path := filepath.Join(root, "exp", "train", "events.out.tfevents.1.host")
	var file []byte
	for i := range 5 {
		file = append(file, record(scalarEvent(1000.25+float64(i), int64(i), "loss", float32(i)))...)
	}
	must(t, os.WriteFile(path, append(file, 1, 2, 3), 0o600)) // the last record is cut short
	db := newDB(t)
	imports := func(want tracker.Merged) {
		t.Helper()
		got, err := ImportTensorBoard(t.Context(), db, root)
		must(t, err)
		if got != want {
			t.Errorf("the import did %+v, not %+v", got, want)
		}
	}
	imports(tracker.Merged{Added: 1})
	imports(tracker.Merged{Unchanged: 1})
	file = append(file, record(scalarEvent(1010, 5, "loss", 5))...)
	must(t, os.WriteFile(path, file, 0o600))
	imports(tracker.Merged{Updated: 1})
	got := history(t, db, "exp/train", "loss_tensor")
	if len(got) != 6 || got[3].Value != -3 || got[3].Step != 3 || !got[0].Time.Equal(time.UnixMicro(1000_250_000)) {
		t.Errorf("the history is %v", got)
	}
	file[len(file)/2] ^= 1
	must(t, os.WriteFile(path, file, 0o600))
	if _, err := ImportTensorBoard(t.Context(), db, root); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

func FuzzEvents(f *testing.F) {
	whole := append(record(scalarEvent(1, 2, "loss", 3)), record([]byte{})...)
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add(scalarEvent(math.NaN(), -1, "x", 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = readEvents(bytes.NewReader(data), func(event) error { return nil })
		// Checksums keep chance from reaching the messages: go there directly.
		if e, err := decodeEvent(data); err == nil {
			for _, s := range e.scalars {
				if s.tag == "" {
					t.Fatal("a scalar without a name")
				}
			}
		}
		n := 0
		err := readEvents(io.MultiReader(bytes.NewReader(record(data)), bytes.NewReader(record(data))), func(event) error { n++; return nil })
		if err == nil && n != 2 {
			t.Fatalf("%d of 2 records were read", n)
		}
	})
}

// TestRealEventFile reads what TensorBoard's own writer (tensorboard.summary.Writer,
// 2.21) wrote: 20 steps of 1/(i+1), and of -i at steps 10i but NaN at 30.
func TestRealEventFile(t *testing.T) {
	db := newDB(t)
	merged, err := ImportTensorBoard(t.Context(), db, "testdata/tensorboard")
	must(t, err)
	if merged != (tracker.Merged{Added: 1}) {
		t.Errorf("the import did %+v", merged)
	}
	loss, odd := history(t, db, "exp/train", "loss"), history(t, db, "exp/train", "odd/name ä")
	if len(loss) != 20 || loss[2].Value != float64(float32(1)/3) || loss[19].Step != 19 || loss[0].Time.Year() < 2026 {
		t.Errorf("the loss is %v", loss)
	}
	if len(odd) != 20 || !math.IsNaN(odd[3].Value) || odd[19].Value != -19 || odd[19].Step != 190 {
		t.Errorf("the other is %v", odd)
	}
}
