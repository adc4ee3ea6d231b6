package system

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"patchlab/tracker"
)

type recorder struct {
	mu      sync.Mutex
	samples []map[string]float64
}

func (r *recorder) Log(step int64, values map[string]float64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if step != int64(len(r.samples)) {
		return fmt.Errorf("sample %d comes as %d", len(r.samples), step)
	}
	r.samples = append(r.samples, values)
	return nil
}

func ExampleWatch() {
	run := &recorder{}
	stop := Watch(run, nil, time.Hour)
	stop()
	fmt.Println(len(run.samples), "sample")
	// Output: 1 sample
}

// A resumed run counts its samples on.
func TestSamplesGoOnAfterAResume(t *testing.T) {
	db, err := tracker.Open(filepath.Join(t.TempDir(), "lab.db"))
	must(t, err)
	defer db.Close()
	run, err := db.Start(t.Context(), tracker.Spec{})
	must(t, err)
	must(t, run.Log(700, map[string]float64{"step_loss": 1})) // counts something else
	const sampled = "system/system_memory_usage_percentage"
	for i := range 3 {
		info, err := db.Find(t.Context(), run.ID())
		must(t, err)
		Watch(run, info.Metrics, time.Hour)()
		must(t, run.Finish(tracker.Failed))
		points, err := db.History(t.Context(), run.ID(), sampled)
		must(t, err)
		if len(points) != i+1 || points[i].Step != int64(i) {
			t.Errorf("after sample %d there are %v", i, points)
		}
		run, err = db.Resume(t.Context(), run.ID())
		must(t, err)
	}
	must(t, run.Finish(tracker.Finished))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSamplesAreTrue keeps one CPU busy until samples say so.
func TestSamplesAreTrue(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the machine is sampled on Linux only")
	}
	run := &recorder{}
	stop := Watch(run, nil, 20*time.Millisecond)
	seen := func() (samples []map[string]float64) {
		run.mu.Lock()
		defer run.mu.Unlock()
		return slices.Clone(run.samples)
	}
	own := func(s map[string]float64) bool {
		return s["system/process_cpu_percentage"] >= 10/float64(runtime.NumCPU())
	}
	for began := time.Now(); len(seen()) < 4 || !slices.ContainsFunc(seen(), own); {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("in two minutes no sample says that a loop keeps a CPU busy: %v", seen())
		}
	}
	stop()
	for _, s := range seen()[1:] {
		for _, key := range []string{"system/system_memory_usage_megabytes", "system/process_memory_megabytes"} {
			if s[key] < 1 {
				t.Errorf("%s is %v", key, s[key])
			}
		}
		for key, v := range s {
			if v < 0 || strings.HasSuffix(key, "percentage") && key != "system/process_cpu_percentage" && v > 100.5 {
				t.Errorf("%s is %v", key, v)
			}
		}
	}
}

func TestSamplingCostsLittle(t *testing.T) {
	s := newSampler()
	defer s.close()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	const samples = 200
	for range samples {
		s.sample()
	}
	each := (used() - before) / samples
	t.Logf("a sample costs %v of CPU time", each)
	if limit := time.Second / 100; each > limit { // 1% of an interval of one second
		t.Errorf("a sample costs %v, more than %v", each, limit)
	}
}
