package system

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"patchlab/tracker"
)

// prefix begins the names of all metrics that are sampled.
const prefix = "system/"

// Logger takes samples in; *tracker.Run is one.
type Logger interface {
	Log(step int64, values map[string]float64) error
}

// Watch samples the machine at once and then at every interval, until stop is
// called, which waits for the sampling to end. What can't be read is left out,
// and a sample that can't be logged is lost: a run does not fail for it.
//
// latest are the metrics that the run has already: the samples of a resumed
// run are numbered on from those before; nil: there are none.
func Watch(run Logger, latest map[string]tracker.Metric, interval time.Duration) (stop func()) {
	first := int64(0)
	for name, m := range latest {
		if strings.HasPrefix(name, prefix) {
			first = max(first, m.Step+1)
		}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s := newSampler()
		defer s.close()
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for step := first; ; step++ {
			if values := s.sample(); len(values) > 0 {
				_ = run.Log(step, values)
			}
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	var once sync.Once
	return func() { once.Do(func() { close(done) }); <-ended }
}

// sampler keeps what rates are computed from.
type sampler struct {
	busy, total float64 // clock ticks of all CPUs at the last sample
	own         float64 // of this process
	gpus        *nvml
}

func newSampler() *sampler {
	s := &sampler{gpus: openNVML()}
	s.busy, s.total = cpuTicks()
	s.own = ownTicks()
	return s
}

func (s *sampler) close() { s.gpus.close() }

// sample reads the machine: percentages over the time since the last sample,
// megabytes of 1e6 bytes.
func (s *sampler) sample() map[string]float64 {
	values := map[string]float64{}
	busy, total := cpuTicks()
	own := ownTicks()
	if d := total - s.total; d > 0 {
		values[prefix+"cpu_utilization_percentage"] = 100 * (busy - s.busy) / d
		values[prefix+"process_cpu_percentage"] = 100 * (own - s.own) / d
	}
	s.busy, s.total, s.own = busy, total, own
	if total, available, ok := memory(); ok {
		values[prefix+"system_memory_usage_megabytes"] = (total - available) / 1e6
		values[prefix+"system_memory_usage_percentage"] = 100 * (total - available) / total
	}
	if resident, ok := ownMemory(); ok {
		values[prefix+"process_memory_megabytes"] = resident / 1e6
	}
	for i, g := range s.gpus.read() {
		device := fmt.Sprintf("%sgpu_%d_", prefix, i)
		values[device+"utilization_percentage"] = g.utilization
		values[device+"memory_usage_megabytes"] = g.memory / 1e6
		values[device+"power_usage_watts"] = g.power
	}
	return values
}

// cpuTicks reads the busy and all clock ticks of all CPUs since boot.
func cpuTicks() (busy, total float64) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(strings.TrimPrefix(line, "cpu")) {
		n, _ := strconv.ParseFloat(field, 64)
		if i >= 8 {
			break // time of guests is part of the user's
		}
		total += n
		if i != 3 && i != 4 { // idle, waiting for the disk
			busy += n
		}
	}
	return busy, total
}

// ownTicks reads this process's clock ticks.
func ownTicks() float64 {
	text, _ := os.ReadFile("/proc/self/stat")
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return user + system
}

// memory reads the machine's memory in bytes.
func memory() (total, available float64, ok bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "MemTotal:":
			total = n * 1024
		case "MemAvailable:":
			available = n * 1024
		}
	}
	return total, available, total > 0
}

// ownMemory reads this process's resident memory in bytes.
func ownMemory() (float64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err == nil
}
