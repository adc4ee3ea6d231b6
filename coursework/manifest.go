package coursework

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Manifest says what a submission holds. It is what a student signs.
type Manifest struct {
	Version    int       `json:"version"` // 1
	Assignment string    `json:"assignment"`
	Student    string    `json:"student"`
	Key        PublicKey `json:"key"`
	Made       time.Time `json:"made"` // by the student's clock, in whole seconds: of two submissions the later one counts
	Runs       []Run     `json:"runs"` // the earliest first
	Files      []File    `json:"files"`
}

// Run is a run of the tracker as a manifest claims it. Everything is computed
// anew from the database when the submission is collected.
type Run struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Kind   Kind      `json:"kind"`
	Start  time.Time `json:"start"`
	Digest string    `json:"digest"`           // the tracker's, over the whole run
	Recipe string    `json:"recipe,omitempty"` // SHA-256 of the recipe that it was trained by
	Data   []string  `json:"data"`             // digests of the images
	// Points is SHA-256 over every point with the time at which it was logged; ""
	// where there are none.
	Points string `json:"points,omitempty"`
	// Timings is SHA-256 over the points that measure the machine, to the last
	// bit: two trainings never share them. "" where there are none.
	Timings string `json:"timings,omitempty"`
	// Results are the latest values of all metrics that do not measure the machine.
	Results map[string]string `json:"results"`
}

// Kind says how a run came about, and so how it can be checked.
type Kind string

// A training can be made again by its recipe; a notebook's run is that of a
// session, whose cells are the student's own code; other runs were logged by hand.
const (
	Training        Kind = "training"
	NotebookSession Kind = "notebook"
	ByHand          Kind = "by hand"
)

// File is a file of a submission.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Names of files in a submission; artifacts lie where a tracker looks for them.
const (
	manifestName  = "manifest.json"
	signatureName = "manifest.sig"
	notebookName  = "notebook.ipynb"
	databaseName  = "runs.db"
)

var (
	artifactName = regexp.MustCompile(`^runs\.artifacts/[0-9a-f]{2}/[0-9a-f]{62}$`)
	runID        = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`) // a ULID; files are named by it
	hexDigest    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Bounds of a manifest. No honest one comes near.
const (
	maxManifest = 1 << 20 // bytes
	maxFiles    = 10_000
)

// purpose begins what is signed, so that no signature means anything elsewhere.
const purpose = "patchlab submission 1\n"

// parseManifest decodes a manifest and checks its signature before anything in
// it is used.
func parseManifest(text, signature []byte) (*Manifest, error) {
	var m Manifest
	if err := decodeStrictly(text, &m); err != nil {
		return nil, fmt.Errorf("its manifest: %w", err)
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("its manifest has version %d, this program knows 1: use a newer patchlab", m.Version)
	}
	signed, err := m.Key.verify(append([]byte(purpose), text...), signature)
	if err != nil {
		return nil, fmt.Errorf("its manifest: %w", err)
	}
	if !signed {
		return nil, errors.New("its signature is not that of its key: it was changed after it was signed")
	}
	if again, err := encode(m); err != nil || !bytes.Equal(again, text) {
		return nil, errors.New("its manifest is not written as patchlab writes it")
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("its manifest: %w", err)
	}
	return &m, nil
}

// check refuses what no submission of ours says.
func (m *Manifest) check() error {
	if err := checkName("student", m.Student); err != nil {
		return err
	}
	if err := checkName("assignment", m.Assignment); err != nil {
		return err
	}
	if len(m.Files) > maxFiles || len(m.Files) == 0 || m.Files[0].Name != notebookName {
		return fmt.Errorf("it lists %d files; allowed: 1 to %d, the notebook first", len(m.Files), maxFiles)
	}
	if hasRuns := len(m.Files) > 1; hasRuns != (len(m.Runs) > 0) || hasRuns && m.Files[1].Name != databaseName {
		return fmt.Errorf("it lists %d runs, which does not fit its files", len(m.Runs))
	}
	for _, r := range m.Runs {
		if !runID.MatchString(r.ID) {
			return fmt.Errorf("the run's ID %q is not a ULID of 26 characters", brief(r.ID))
		}
	}
	for i, f := range m.Files {
		switch {
		case f.Size < 0 || !hexDigest.MatchString(f.SHA256):
			return fmt.Errorf("the file %q has %d bytes and the digest %q; allowed: 0 or more, and 64 hexadecimal digits",
				brief(f.Name), f.Size, brief(f.SHA256))
		case i < 2:
		case !artifactName.MatchString(f.Name) || f.Name != artifactPath(f.SHA256):
			return fmt.Errorf("the name %q is not that of an artifact of its digest", brief(f.Name))
		case f.Name <= m.Files[i-1].Name && i > 2:
			return fmt.Errorf("the file %q is not in its place", brief(f.Name))
		}
	}
	return nil
}

// artifactPath is where a tracker looks for content beside runs.db.
func artifactPath(digest string) string {
	return strings.TrimSuffix(databaseName, ".db") + ".artifacts/" + digest[:2] + "/" + digest[2:]
}

// size is how many bytes the files have together; -1 where they are more than limit.
func (m *Manifest) size(limit int64) int64 {
	var sum int64
	for _, f := range m.Files {
		if f.Size > limit-sum {
			return -1
		}
		sum += f.Size
	}
	return sum
}
