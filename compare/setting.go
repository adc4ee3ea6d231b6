package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"patchlab/tracker"
)

// Setting is what has to be the same for two runs' numbers to stand side by
// side: times depend on all of it, accuracies on the data.
type Setting struct {
	Machine   string `json:"machine"`
	Backend   string `json:"backend"`
	Precision string `json:"precision"`
	Dataset   string `json:"dataset"` // name, digest and number of images
}

// Aspects are the names that --across takes, in the order of Setting's fields.
func Aspects() []string { return []string{"machine", "backend", "precision", "dataset"} }

func (s *Setting) field(aspect string) *string {
	switch aspect {
	case "machine":
		return &s.Machine
	case "backend":
		return &s.Backend
	case "precision":
		return &s.Precision
	default:
		return &s.Dataset
	}
}

// settingOf reads a run's setting. What was not recorded is said to be so: two
// unknowns are not known to be the same machine, but nothing tells them apart.
func settingOf(r tracker.RunInfo) Setting {
	return Setting{
		Machine:   cmp.Or(r.Environment["machine"], "machine not recorded"),
		Backend:   cmp.Or(r.Environment["backend"], "backend not recorded"),
		Precision: cmp.Or(r.Params["precision"], "float32"),
		Dataset:   datasetOf(r),
	}
}

// datasetOf names the data wholly: "cifar10 (45,000 train, 10,000 test, 3f2a91c0)".
func datasetOf(r tracker.RunInfo) string {
	name := r.Params["data"]
	var digests []string
	for _, in := range r.Inputs {
		name = cmp.Or(name, in.Name)
		digest, _, _ := strings.Cut(strings.TrimPrefix(in.Digest, "sha256:"), " ")
		digest = digest[:min(8, len(digest))]
		if digest != "" && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
	}
	slices.Sort(digests)
	var details []string
	for _, part := range [...]struct{ key, what string }{{"train_images", "train"}, {"test_images", "test"}} {
		if n := param(part.key)(r); n == n {
			details = append(details, Decimal(n, 0)+" "+part.what)
		}
	}
	details = append(details, digests...)
	name = cmp.Or(name, "data not recorded")
	if len(details) == 0 {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, strings.Join(details, ", "))
}

// String heads a table: the data, the machine, the backend, and the precision
// where it is not the usual one.
func (s Setting) String() string {
	parts := []string{s.Dataset, s.Machine, s.Backend}
	if s.Precision != "float32" {
		parts = append(parts, s.Precision)
	}
	return strings.Join(parts, " · ")
}

// without blanks the aspects that may be mixed, so that what is left names the
// table.
func (s Setting) without(across []string) Setting {
	for _, a := range across {
		*s.field(a) = ""
	}
	return s
}

// differing lists the aspects in which the settings are not all the same.
func differing(settings []Setting) []string {
	var out []string
	for _, a := range Aspects() {
		for _, s := range settings[min(1, len(settings)):] {
			if *s.field(a) != *settings[0].field(a) {
				out = append(out, a)
				break
			}
		}
	}
	return out
}

// touches reports whether a difference in this aspect changes a quantity of
// this kind.
func touches(aspect string, kind Kind) bool {
	switch kind {
	case Speed:
		return true
	case Accuracy:
		return aspect != "machine"
	}
	return false
}

// parseAcross checks the aspects; "all" stands for every one.
func parseAcross(across []string) ([]string, error) {
	var out []string
	for _, a := range across {
		switch {
		case a == "all":
			return Aspects(), nil
		case !slices.Contains(Aspects(), a):
			return nil, fmt.Errorf("cannot mix across %q; there are %s, all", a, strings.Join(Aspects(), ", "))
		case !slices.Contains(out, a):
			out = append(out, a)
		}
	}
	return out, nil
}

func compareSettings(a, b Setting) int {
	for _, aspect := range []string{"dataset", "machine", "backend", "precision"} {
		if c := strings.Compare(*a.field(aspect), *b.field(aspect)); c != 0 {
			return c
		}
	}
	return 0
}
