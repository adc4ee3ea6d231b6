package tracker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newDB opens a database in a folder of its own.
func newDB(t testing.TB, opts ...Option) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "lab.db"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func start(t testing.TB, db *DB, spec Spec) *Run {
	t.Helper()
	run, err := db.Start(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ticking is a clock that is a second later each time it is asked.
func ticking() Option {
	var asked atomic.Int64
	return WithClock(func() time.Time { return time.Unix(1_700_000_000+asked.Add(1), 0) })
}

// sameBits compares values as exactly as the tracker keeps them.
func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

func TestValuesComeBackExactly(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{})
	values := []float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0x7ff8000000000abc), math.Inf(1), math.Inf(-1),
		math.MaxFloat64, math.SmallestNonzeroFloat64, -1.5, 1e-300, math.Pi}
	steps := []int64{math.MaxInt64, math.MinInt64, 0, -1, 7, 7, 3, math.MinInt64, 1 << 40, 2, math.MaxInt64}
	at := time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	for i, v := range values {
		must(t, run.LogAt(at.Add(time.Duration(i*i)*time.Microsecond), steps[i], map[string]float64{"a/b c·ключ": v}))
	}
	must(t, run.Flush())
	got, err := db.History(t.Context(), run.ID(), "a/b c·ключ")
	must(t, err)
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case steps[a] < steps[b]:
			return -1
		case steps[a] > steps[b]:
			return 1
		}
		return 0
	})
	if len(got) != len(values) {
		t.Fatalf("%d points came back, %d were logged", len(got), len(values))
	}
	for n, i := range order {
		want := at.Add(time.Duration(i*i) * time.Microsecond)
		if got[n].Step != steps[i] || !sameBits(got[n].Value, values[i]) || !got[n].Time.Equal(want) {
			t.Errorf("point %d: got %v, want step %d, %v at %v", n, got[n], steps[i], values[i], want)
		}
	}
	info, err := db.Find(t.Context(), run.ID())
	must(t, err)
	m := info.Metrics["a/b c·ключ"]
	if m.Value != math.Pi || m.Step != math.MaxInt64 || m.Min != -1.5 || m.Max != math.MaxFloat64 || m.Count != int64(len(values)) {
		t.Errorf("the latest value is %+v", m)
	}
}

func TestSealingKeepsEveryPoint(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{})
	rng := rand.New(rand.NewPCG(1, 2))
	var want []float64
	for len(want) < 3210 {
		for range rng.IntN(700) + 1 {
			v := rng.NormFloat64()
			want = append(want, v)
			must(t, run.Log(int64(len(want)), map[string]float64{"loss": v}))
		}
		must(t, run.Flush())
	}
	check := func() {
		t.Helper()
		got, err := db.History(t.Context(), run.ID(), "loss")
		must(t, err)
		if len(got) != len(want) {
			t.Fatalf("%d points came back, %d were logged", len(got), len(want))
		}
		for i := range got {
			if got[i].Step != int64(i+1) || !sameBits(got[i].Value, want[i]) {
				t.Fatalf("point %d came back as %v", i, got[i])
			}
		}
	}
	check()
	must(t, run.Finish(Finished))
	check()
	var hot, chunks int
	must(t, db.readers.QueryRow(`SELECT (SELECT count(*) FROM hot), (SELECT count(*) FROM chunk)`).Scan(&hot, &chunks))
	if hot != 0 || chunks != (len(want)+chunkPoints-1)/chunkPoints {
		t.Errorf("%d hot rows and %d chunks after the end", hot, chunks)
	}
}

func TestFieldsAndLifeCycle(t *testing.T) {
	db := newDB(t)
	parent := start(t, db, Spec{Name: "sweep"})
	run := start(t, db, Spec{
		Experiment: "vision <1>", Name: "a \"quoted\"\\name", Parent: parent.ID(),
		Params:      map[string]string{"model": "mixer-4", "odd": "line\nbreak \\ \" <&> \u2028 日本"},
		Tags:        map[string]string{"course": "vision"},
		Environment: map[string]string{"cpu": "x"},
		Inputs:      []Input{{Name: "cifar10", Digest: "abc", Context: "train"}},
	})
	must(t, run.SetParams(map[string]string{"model": "mixer-4", "extra": ""}))
	if err := run.SetParams(map[string]string{"model": "vit-1"}); err == nil || !strings.Contains(err.Error(), `"mixer-4" already`) {
		t.Errorf("changing a parameter: %v", err)
	}
	must(t, run.SetTags(map[string]string{"course": "math"}))
	must(t, run.SetNote("# Done"))
	must(t, run.Finish(Failed))
	if err := run.Log(1, map[string]float64{"x": 1}); !errors.Is(err, ErrFinished) {
		t.Errorf("logging into a finished run: %v", err)
	}
	info, err := db.Find(t.Context(), run.ID()[:22])
	must(t, err)
	if info.Params["odd"] != "line\nbreak \\ \" <&> \u2028 日本" || info.Params["extra"] != "" || info.Tags["course"] != "math" ||
		info.Note != "# Done" || info.Status != Failed || info.Environment["cpu"] != "x" || info.Parent != parent.ID() ||
		info.Inputs[0].Digest != "abc" || info.Experiment != "vision <1>" || info.End.Before(info.Start) {
		t.Errorf("the run came back as %+v", info)
	}
	must(t, db.Delete(t.Context(), run.ID()))
	runs, err := db.Runs(t.Context(), Query{})
	must(t, err)
	if len(runs) != 1 || runs[0].Name != "sweep" {
		t.Errorf("%d runs are listed after a deletion", len(runs))
	}
	must(t, db.Restore(t.Context(), run.ID()))
	runs, err = db.Runs(t.Context(), Query{Experiment: "vision <1>"})
	must(t, err)
	if len(runs) != 1 {
		t.Errorf("%d runs are listed after a restoration", len(runs))
	}
	again, err := db.Resume(t.Context(), run.ID())
	must(t, err)
	must(t, again.Log(1, map[string]float64{"x": 1}))
	must(t, again.Finish(Finished))
	if _, err := db.Resume(t.Context(), parent.ID()); err == nil {
		t.Error("a run that is being written was resumed")
	}
}

func TestArtifacts(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{Name: "r"})
	content := strings.Repeat("content ", 10000)
	must(t, run.AddArtifact("plots/loss.txt", strings.NewReader(content)))
	must(t, run.AddArtifact("copy.txt", strings.NewReader(content)))
	for _, bad := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "a\\b", ".", "..", "a\x00b"} {
		if err := run.AddArtifact(bad, strings.NewReader("x")); err == nil {
			t.Errorf("the name %q was accepted", bad)
		}
	}
	list, err := db.Artifacts(t.Context(), run.ID())
	must(t, err)
	if len(list) != 2 || list[0].SHA256 != list[1].SHA256 || list[0].Size != int64(len(content)) {
		t.Fatalf("artifacts: %+v", list)
	}
	r, err := db.OpenArtifact(t.Context(), run.ID(), "plots/loss.txt")
	must(t, err)
	got, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	if string(got) != content {
		t.Error("the content changed")
	}
	must(t, db.Delete(t.Context(), run.ID()))
	g, err := db.GC(t.Context(), 0)
	must(t, err)
	if g.Runs != 1 || g.Files != 1 || g.Bytes != int64(len(content)) {
		t.Errorf("garbage: %+v", g)
	}
	must(t, run.Log(1, map[string]float64{"x": 1}))
	if err := run.Flush(); err == nil {
		t.Error("a removed run took points")
	}
}

func TestManyGoroutinesLog(t *testing.T) {
	db := newDB(t)
	run := start(t, db, Spec{})
	const goroutines, steps = 8, 2000
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range int64(steps) {
				if err := run.Log(i, map[string]float64{fmt.Sprint("m", g): float64(i), "shared": float64(g)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	must(t, run.Finish(Finished))
	info, err := db.Find(t.Context(), "latest")
	must(t, err)
	if info.Metrics["shared"].Count != goroutines*steps || info.Metrics["m3"].Value != steps-1 {
		t.Errorf("metrics: %+v", info.Metrics)
	}
}
