package launch

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"text/template"
)

// KubernetesTemplate is the manifest as a template of package text/template, to
// be filled in with a [KubernetesJob]. Users edit copies of it.
//
//go:embed templates/kubernetes.yaml
var KubernetesTemplate string

// KubernetesJob is what a manifest is filled in with.
type KubernetesJob struct {
	Name             string // of the sweep
	Job              string // of the Job, a DNS label
	Round            int
	Trials, Parallel int
	// Grace is how many seconds a pod has for its checkpoint after SIGTERM.
	Grace        int
	Cores        int
	Memory, GPUs string // such as 4Gi and 1
	Image        string
	// Claim is the PersistentVolumeClaim that is mounted at Mount.
	Claim, Mount string
	// Commands are JSON lists.
	Command, MergeCommand string
}

// List is a command as YAML and JSON have it.
func List(words ...string) string {
	b, err := json.Marshal(words)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(b)
}

// Manifest fills the template in.
func (j KubernetesJob) Manifest(text string) ([]byte, error) {
	t, err := template.New("manifest").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the template of the manifest: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, j); err != nil {
		return nil, fmt.Errorf("the template of the manifest: %w", err)
	}
	return b.Bytes(), nil
}
