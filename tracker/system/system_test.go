package system

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
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
	stop := Watch(run, time.Hour)
	stop()
	fmt.Println(len(run.samples), "sample")
	// Output: 1 sample
}

func TestSamplesAreTrue(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the machine is sampled on Linux only")
	}
	run := &recorder{}
	stop := Watch(run, 20*time.Millisecond)
	busy := time.Now()
	for time.Since(busy) < 300*time.Millisecond {
	}
	stop()
	if len(run.samples) < 3 {
		t.Fatalf("%d samples in 300 ms", len(run.samples))
	}
	highest := 0.
	for _, s := range run.samples[1:] {
		for _, key := range []string{"system/system_memory_usage_megabytes", "system/process_memory_megabytes"} {
			if s[key] < 1 {
				t.Errorf("%s is %v", key, s[key])
			}
		}
		for key, v := range s {
			if v < 0 {
				t.Errorf("%s is %v", key, v)
			}
		}
		highest = max(highest, s["system/cpu_utilization_percentage"])
	}
	if highest < 20/float64(runtime.NumCPU()) || highest > 100.5 {
		t.Errorf("while a loop kept one of %d CPUs busy, at most %.0f%% were used", runtime.NumCPU(), highest)
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
