package sweeps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"patchlab/experiments/launch"
	"patchlab/experiments/sweep"
	"patchlab/save"
)

// Kubernetes is what manifests need, besides what trials ask of any cluster.
type Kubernetes struct {
	Image string `json:"image"` // which has patchlab
	Claim string `json:"claim"` // the PersistentVolumeClaim that holds the sweep's folder
	Mount string `json:"mount"` // where this machine and the pods mount it
}

// maxCompletions bounds the trials of a round on Kubernetes.
const maxCompletions = 1 << 16

// ManifestPath is the file that Render writes.
func (s *Sweep) ManifestPath() string { return s.Path("job.yaml") }

// Render merges what there is and writes the manifest of the trials that may be
// trained now; none where Step.Round has no tasks.
func (s *Sweep) Render(ctx context.Context, plan *sweep.Plan, turn Turn) (Step, error) {
	step, err := s.next(ctx, plan, turn, func(context.Context) (int, error) { return maxCompletions, nil })
	if err != nil || len(step.Round.Tasks) == 0 {
		return step, err
	}
	if err := s.saveRound(step.Round); err != nil {
		return step, err
	}
	manifest, err := s.manifest(step.Round)
	if err != nil {
		return step, errors.Join(err, os.Remove(s.roundPath(step.Round.Number)))
	}
	return step, save.Bytes(s.ManifestPath(), manifest)
}

// manifest is that of a round.
func (s *Sweep) manifest(r Round) ([]byte, error) {
	text, err := s.Cluster.text(launch.KubernetesTemplate)
	if err != nil {
		return nil, err
	}
	program := s.Cluster.Program
	j := launch.KubernetesJob{
		Name: s.Spec.Name, Job: dnsLabel(fmt.Sprintf("%s-%d", s.Spec.Name, r.Number)), Round: r.Number, Trials: len(r.Tasks), Parallel: s.Cluster.Parallel,
		Grace: s.Cluster.Grace, Cores: s.Cluster.Cores, Memory: s.Cluster.Memory, GPUs: s.Cluster.GPUs,
		Image: s.Kubernetes.Image, Claim: s.Kubernetes.Claim, Mount: s.Kubernetes.Mount,
		Command:      launch.List(program, "sweep", "task", s.Dir, "--round", strconv.Itoa(r.Number), "--index", "$(JOB_COMPLETION_INDEX)"),
		MergeCommand: launch.List(program, "sweep", "merge", s.Dir, "--wait"),
	}
	if j.Parallel == 0 {
		j.Parallel = j.Trials
	}
	return j.Manifest(text)
}

var notLabel = regexp.MustCompile(`[^a-z0-9-]+`)

// dnsLabel is a name as Kubernetes allows it, short enough for "-merge" and the
// index of a pod.
func dnsLabel(name string) string {
	label := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(label) > 50 {
		label = strings.Trim(label[len(label)-50:], "-")
	}
	return label
}
