package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The manifest is valid by the schemas that Kubernetes publishes, and what its pods
// run trains and merges; here as processes, for want of a cluster.
func TestSweepOnKubernetes(t *testing.T) {
	validator, err := filepath.Abs("../../.venv/kubernetes/bin/kubernetes-validate")
	if err != nil {
		t.Fatal(err)
	}
	inSweepFolder(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := slices.DeleteFunc(smallSweep("--launcher", "kubernetes", "--try", "learning-rate=0.001,0.002,0.003", "--early-stopping", "1,3", "--epochs", "4",
		"--image", "registry.example/patchlab:1", "--claim", "sweeps", "--gpus", "1", "--parallel", "2", "--program", exe),
		func(s string) bool { return s == "--db" || s == "lab.db" })
	if out := must(t, args...); !strings.Contains(out, "kubectl apply -f") {
		t.Errorf("rendering printed %s", out)
	}
	manifest, err := os.ReadFile("small.sweep/job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"completionMode: Indexed", "completions: 3", "parallelism: 2", `nvidia.com/gpu: "1"`, "claimName: sweeps"} {
		if !strings.Contains(string(manifest), want) {
			t.Errorf("the manifest lacks %s", want)
		}
	}
	for round, trials := range []int{3, 1, 1} { // one epoch each, the best until epoch 3, then to its end
		for index := range trials {
			must(t, "sweep", "task", "small.sweep", "--round", strconv.Itoa(round+1), "--index", strconv.Itoa(index))
		}
		must(t, "sweep", "merge", "small", "--wait")
		must(t, "sweep", "resume", "small")
	}
	count := map[string]int{}
	for _, row := range sweepRows(t, "small") {
		count[row.State]++
	}
	if count["finished"] != 1 || count["dropped"] != 2 {
		t.Errorf("the trials are %v", count)
	}

	for _, bad := range [][]string{{"--memory", "much"}, {"--claim", ""}, {"--mount", "/elsewhere"}} {
		if _, _, err := execute(t, append(slices.Clone(args), bad...)...); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}

	if _, err := os.Stat(validator); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI must validate the manifest: %v", err)
		}
		t.Skipf("the manifest is not validated: %v (make deps installs what does)", err)
	}
	for _, version := range []string{"1.33", "1.37"} {
		out, err := exec.Command(validator, "--strict", "-k", version, "small.sweep/job.yaml").CombinedOutput()
		if err != nil || strings.Count(string(out), "passed") != 2 {
			t.Errorf("Kubernetes %s: %v\n%s", version, err, out)
		}
	}
	broken := strings.Replace(string(manifest), "completions: 3", "completions: three", 1)
	if err := os.WriteFile("broken.yaml", []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(validator, "--strict", "-k", "1.37", "broken.yaml").CombinedOutput(); err == nil {
		t.Errorf("a broken manifest is valid:\n%s", out)
	}
}
