package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"patchlab/experiments/sweep"
	"patchlab/lab/sweeps"
)

// settings are what a sweep says, by the flags or keys that say it.
func settings(s sweep.Spec) map[string]string {
	all := map[string]string{
		"seeds": strings.Trim(fmt.Sprint(s.Seeds), "[]"), "search": string(s.Search), "metric": string(s.Metric),
		"search-seed": fmt.Sprint(s.SearchSeed),
	}
	if s.Candidates > 0 {
		all["candidates"] = fmt.Sprint(s.Candidates)
	}
	if h := s.EarlyStopping; h != nil {
		all["early-stopping"] = fmt.Sprintf("%d,%d", h.MinEpochs, h.Reduction)
	}
	maps.Copy(all, s.Train)
	for _, p := range s.Parameters {
		all[p.Name] = p.String()
	}
	return all
}

// changes says in what settings differ from others, such as "epochs 5 instead of 9".
func changes(now, before map[string]string) []string {
	keys := maps.Clone(now)
	maps.Copy(keys, before)
	said := func(value string) string {
		if value == "" {
			return "the default"
		}
		return value
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if now[key] != before[key] {
			all = append(all, fmt.Sprintf("%s %s instead of %s", key, said(now[key]), said(before[key])))
		}
	}
	return all
}

// overruled says which settings of a file flags stand in for. What the file
// leaves out is the flags' alone.
func overruled(now, file map[string]string) []string {
	left := settings(sweep.Default())
	silent := func(key, _ string) bool { return file[key] == left[key] }
	now, file = maps.Clone(now), maps.Clone(file)
	maps.DeleteFunc(now, silent)
	maps.DeleteFunc(file, silent)
	return changes(now, file)
}

// sayUncounted says which trials are recorded already and do not count, and why.
func sayUncounted(w io.Writer, path string, trials []sweep.Trial, runs sweeps.Runs, uncounted map[string]string) {
	count := map[string]int{}
	for _, t := range trials {
		if _, counts := runs[t.Digest]; !counts && uncounted[t.Digest] != "" {
			count[uncounted[t.Digest]]++
		}
	}
	for _, why := range slices.Sorted(maps.Keys(count)) {
		are := "are"
		if count[why] == 1 {
			are = "is"
		}
		fmt.Fprintln(w, wrapped("", fmt.Sprintf("Of %s, %d %s recorded in %s %s: not counted here, and trained anew.",
			counted(len(trials), "trial"), count[why], are, path, why)))
	}
}
