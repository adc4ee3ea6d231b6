package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// log keeps each measurement as soon as it is made.
type log struct {
	file     *os.File
	measured []Measurement
}

// settings is what measurements must agree in to stand in one table: the first line of the log.
func settings(o options, data Data) string {
	b, err := json.Marshal(map[string]any{
		"settings": fmt.Sprintf("%g s, %d+%d steps", o.seconds, o.warmup, o.least), "data": data.Digest, "default_malloc": o.defaultMalloc,
	})
	if err != nil {
		panic(err) // a map of strings
	}
	return string(b)
}

// openLog opens the log, empty unless an earlier one is to be continued.
func openLog(path, settings string, resume bool) (*log, error) {
	l := &log{}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	first, rest, _ := bytes.Cut(before, []byte("\n"))
	mode := os.O_TRUNC
	if resume && len(before) > 0 {
		if string(first) != settings {
			return nil, fmt.Errorf("resume %s: it was made with %s, now it is %s", path, first, settings)
		}
		lines := bufio.NewScanner(bytes.NewReader(rest))
		for lines.Scan() {
			var m Measurement
			if json.Unmarshal(lines.Bytes(), &m) == nil { // a last line may be cut off
				l.measured = append(l.measured, m)
			}
		}
		mode = os.O_APPEND
	}
	if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|mode, 0o644); err != nil {
		return nil, err
	}
	switch {
	case mode == os.O_TRUNC:
		_, err = fmt.Fprintln(l.file, settings)
	case before[len(before)-1] != '\n':
		_, err = fmt.Fprintln(l.file)
	}
	return l, err
}

func (l *log) add(m Measurement) error {
	l.measured = append(l.measured, m)
	return json.NewEncoder(l.file).Encode(m)
}

func (l *log) has(j job) bool {
	return slices.ContainsFunc(l.measured, func(m Measurement) bool {
		return m.Round == j.round && m.Config == j.config && m.Tool == j.tool.name
	})
}

func (l *log) Close() error { return l.file.Close() }

// job is one process.
type job struct {
	round  int // counted from 1
	config string
	tool   tool
}

// plan is the order of the processes: round by round, in each all tools on one
// configuration after another. Who begins changes with the round, so that no
// tool always runs on what the same other one left behind (heat, caches).
func plan(o options) []job {
	var jobs []job
	chosen := slices.DeleteFunc(tools(), func(t tool) bool { return !slices.Contains(o.tools, t.name) })
	for round := range o.rounds {
		for _, config := range o.configs {
			for i := range chosen {
				jobs = append(jobs, job{round + 1, config, chosen[(i+round)%len(chosen)]})
			}
		}
	}
	return jobs
}

// measureAll carries the plan out. A tool that fails on a configuration is left
// out of its further rounds; what failed is returned apart from what ends all.
func measureAll(ctx context.Context, o options, data Data, l *log, stderr io.Writer) (failures []error, err error) {
	jobs := slices.DeleteFunc(plan(o), l.has)
	took := map[string]time.Duration{} // by tool and configuration, or tool
	failed := map[string]bool{}
	for i, j := range jobs {
		key := j.tool.name + " " + j.config
		if failed[key] {
			continue
		}
		w, err := newWork(j.config, j.tool.name, data, o)
		if err != nil {
			return failures, err
		}
		began := time.Now()
		m, err := j.tool.measure(ctx, w)
		if ctx.Err() != nil {
			return failures, ctx.Err()
		}
		label := fmt.Sprintf("%d/%d round %d %s %s", i+1, len(jobs), j.round, j.config, j.tool.name)
		if err != nil {
			fmt.Fprintf(stderr, "%s FAILED: %v\n", label, err)
			failures, failed[key] = append(failures, err), true
			continue
		}
		m.Round = j.round
		if err := l.add(m); err != nil {
			return failures, fmt.Errorf("keep a measurement: %w", err)
		}
		took[key] = time.Since(began)
		took[j.tool.name] = time.Since(began)
		fmt.Fprintf(stderr, "%s: train %.0f/s, infer %.0f/s, first %.1f s, %d MB; %.0f s, %s left\n", label,
			m.TrainImagesPerS, m.InferImagesPerS, m.FirstStepS, m.PeakRSS>>20, took[key].Seconds(), left(jobs[i+1:], took))
	}
	return failures, nil
}

// left estimates how long jobs will take: as the same job last did, else as the
// tool's last one, else as the mean of all.
func left(jobs []job, took map[string]time.Duration) time.Duration {
	var mean, sum time.Duration
	for _, d := range took {
		mean += d / time.Duration(len(took))
	}
	for _, j := range jobs {
		d, ok := took[j.tool.name+" "+j.config]
		if !ok {
			d, ok = took[j.tool.name]
		}
		if !ok {
			d = mean
		}
		sum += d
	}
	return sum.Round(time.Second)
}
