package mlflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ModelTag begins the tags in which records of logged models are kept. Clients
// neither see nor set them.
const ModelTag = "patchlab.model."

// Model is what is kept of a logged model.
type Model struct {
	Name    string            `json:"name"`
	Type    string            `json:"type,omitempty"`
	Status  string            `json:"status"`            // one of ModelStatuses
	Origin  string            `json:"origin,omitempty"`  // its ID where it was imported from
	Deleted bool              `json:"deleted,omitempty"` // hidden from searches
	Created int64             `json:"created"`           // milliseconds since 1970
	Updated int64             `json:"updated"`
	Tags    map[string]string `json:"tags"`
	Params  map[string]string `json:"params"`
}

// ModelReady is the status of a model whose files are all there.
const ModelReady = "LOGGED_MODEL_READY"

// ModelStatuses are the names of statuses, in the order of MLflow's numbers.
func ModelStatuses() []string {
	return []string{"LOGGED_MODEL_STATUS_UNSPECIFIED", "LOGGED_MODEL_PENDING", ModelReady, "LOGGED_MODEL_UPLOAD_FAILED"}
}

// NewModelID makes the ID of a model of a run; unique is at least 8 letters or
// digits that no other model of the run has.
func NewModelID(run, unique string) string {
	return "m-" + strings.ToLower(run) + strings.ToLower(unique[:8])
}

// RunOfModel is the ID of the run that a model's ID names.
func RunOfModel(id string) (run string, ok bool) {
	const length = len("m-") + 26 + 8
	if len(id) != length || !strings.HasPrefix(id, "m-") {
		return "", false
	}
	for _, r := range id[2:] {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9') {
			return "", false
		}
	}
	return strings.ToUpper(id[2 : 2+26]), true
}

// ModelFolder is where a model's files lie among the artifacts of its run.
func ModelFolder(id string) string { return ".models/" + id }

// ModelOf is the ID of the model that an artifact belongs to, and the name of
// the file within it.
func ModelOf(artifact string) (id, name string, ok bool) {
	rest, ok := strings.CutPrefix(artifact, ".models/")
	if !ok {
		return "", "", false
	}
	id, name, _ = strings.Cut(rest, "/")
	return id, name, true
}

// Encode writes the record as its tag holds it.
func (m Model) Encode() (string, error) {
	text, err := json.Marshal(m)
	return string(text), err
}

// decodeModel reads a record.
func decodeModel(text string) (Model, error) {
	m := Model{Tags: map[string]string{}, Params: map[string]string{}}
	err := json.Unmarshal([]byte(text), &m)
	if err == nil && !slices.Contains(ModelStatuses(), m.Status) {
		err = fmt.Errorf("its status is %.60q", m.Status)
	}
	if err == nil && (m.Tags == nil || m.Params == nil) {
		err = errors.New("it has no tags or parameters")
	}
	if err != nil {
		return m, fmt.Errorf("reading the record of a logged model: %w", err)
	}
	return m, nil
}

// Models reads the records among the tags of a run. Tags of other forms, which
// only a hand that edits tags leaves there, are passed over.
func Models(run string, tags map[string]string) map[string]Model {
	found := map[string]Model{}
	for key, text := range tags {
		id, ok := strings.CutPrefix(key, ModelTag)
		if !ok {
			continue
		}
		if owner, ok := RunOfModel(id); !ok || owner != run {
			continue
		}
		if m, err := decodeModel(text); err == nil {
			found[id] = m
		}
	}
	return found
}

// Reserved tells whether a tag is kept for what the server itself records.
func Reserved(tag string) bool {
	return strings.HasPrefix(tag, ModelTag) || strings.HasPrefix(tag, EnvironmentTag)
}
