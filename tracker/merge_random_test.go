package tracker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// copyModel is what one copy of a run must hold.
type copyModel struct {
	db        *DB
	points    map[string][]sampleBits // by metric, in the order of logging
	params    map[string]string
	artifacts map[string]bool
}

// has tells whether a holds every point of b, as often.
func hasAll(a, b []sampleBits) bool {
	count := map[sampleBits]int{}
	for _, p := range a {
		count[p]++
	}
	for _, p := range b {
		if count[p]--; count[p] < 0 {
			return false
		}
	}
	return true
}

// take is what merging from into c must do; false where it must be refused.
func (c *copyModel) take(from *copyModel) bool {
	for key, points := range from.points {
		if !hasAll(c.points[key], points) && !hasAll(points, c.points[key]) {
			return false
		}
	}
	for key, value := range from.params {
		if ours, has := c.params[key]; has && ours != value {
			return false
		}
	}
	for key, points := range from.points {
		if !hasAll(c.points[key], points) {
			c.points[key] = slices.Clone(points)
		}
	}
	maps.Copy(c.params, from.params)
	maps.Copy(c.artifacts, from.artifacts)
	return true
}

// TestMergesOfRandomHistories lets three copies of one run live apart, and
// merges them now and then: what one holds that took the other is all of both,
// or it is as it was.
func TestMergesOfRandomHistories(t *testing.T) {
	histories := 30
	if testing.Short() {
		histories = 8
	}
	done := map[string]int{}
	for seed := range histories {
		randomHistory(t, rand.New(rand.NewPCG(uint64(seed), 17)), done)
	}
	t.Logf("%v", done)
	for _, what := range []string{"updated", "unchanged", "refused"} {
		if done[what] == 0 {
			t.Errorf("no merge was %s: this test shows less than it should", what)
		}
	}
}

func randomHistory(t *testing.T, rng *rand.Rand, done map[string]int) {
	clock := ticking()
	var copies []*copyModel
	for range 3 {
		copies = append(copies, &copyModel{db: newDB(t, clock), points: map[string][]sampleBits{}, params: map[string]string{}, artifacts: map[string]bool{}})
	}
	run := start(t, copies[0].db, Spec{Name: "r"})
	must(t, run.Finish(Finished))
	id := run.ID()
	for _, c := range copies[1:] {
		merges(t, c.db, copies[0].db, Merged{Added: 1}, "")
	}
	for range 25 {
		c := copies[rng.IntN(3)]
		switch other := copies[rng.IntN(3)]; rng.IntN(6) {
		case 0, 1:
			c.log(t, rng, id)
		case 2:
			name, value := fmt.Sprint("p", rng.IntN(8)), fmt.Sprint(rng.IntN(20)/19)
			if _, has := c.params[name]; !has {
				must(t, c.db.SetParams(t.Context(), id, map[string]string{name: value}))
				c.params[name] = value
			}
		case 3:
			name := fmt.Sprint("a", rng.IntN(5))
			must(t, c.db.AddArtifact(t.Context(), id, name, strings.NewReader(fmt.Sprint(rng.IntN(3)))))
			c.artifacts[name] = true
		default:
			taken := c.take(other)
			got, err := c.db.Merge(t.Context(), other.db)
			must(t, err)
			if taken != (got.Refused == nil) {
				t.Fatalf("merging was refused: %v; it should be taken: %v", got.Refused, taken)
			}
			done["updated"] += got.Updated
			done["unchanged"] += got.Unchanged
			if !taken {
				done["refused"]++
			}
		}
		c.check(t, id)
	}
}

// log adds points to one of three metrics, sometimes such that another copy
// may have logged too.
func (c *copyModel) log(t *testing.T, rng *rand.Rand, id string) {
	run, err := c.db.Resume(t.Context(), id)
	must(t, err)
	key := fmt.Sprint("m", rng.IntN(3))
	for range rng.IntN(2*chunkPoints) + 1 {
		n := int64(len(c.points[key]))
		s := sample{step: n, time: n * 1_000_000, value: float64(n)}
		if rng.IntN(3000) == 0 { // here the ways part
			s.value = rng.Float64()
		}
		must(t, run.LogAt(time.UnixMicro(s.time), s.step, map[string]float64{key: s.value}))
		c.points[key] = append(c.points[key], s.bits())
	}
	must(t, run.Finish(Finished))
}

// check compares the copy with what it must hold.
func (c *copyModel) check(t *testing.T, id string) {
	t.Helper()
	must(t, c.db.Verify(t.Context(), id))
	info, err := c.db.Find(t.Context(), id)
	must(t, err)
	for key, points := range c.points {
		samples, err := c.db.samples(t.Context(), id, key)
		must(t, err)
		got := make([]sampleBits, len(samples))
		for i, s := range samples {
			got[i] = s.bits()
		}
		if len(got) != len(points) || !hasAll(got, points) || info.Metrics[key].Count != int64(len(points)) {
			t.Fatalf("metric %s has %d points, not the %d that it should have", key, len(got), len(points))
		}
	}
	artifacts, err := c.db.Artifacts(t.Context(), id)
	must(t, err)
	if len(info.Metrics) != len(c.points) || !maps.Equal(info.Params, c.params) || len(artifacts) != len(c.artifacts) {
		t.Fatalf("the run has %d metrics, parameters %v and %d artifacts, not %d, %v and %d",
			len(info.Metrics), info.Params, len(artifacts), len(c.points), c.params, len(c.artifacts))
	}
}
