package backend

import (
	"fmt"
	"strings"
)

// Kind says which compute backend is wanted.
type Kind string

// The kinds that [Open] knows.
const (
	// Auto takes the fastest that works: CUDA where an NVIDIA GPU and a plugin are both there, else XLA on the
	// CPU, else the pure-Go backend.
	Auto Kind = "auto"
	// XLA demands XLA on the CPU.
	XLA Kind = "xla"
	// Go demands GoMLX's pure-Go backend, which needs no plugin.
	Go Kind = "go"
	// CUDA demands XLA on an NVIDIA GPU.
	CUDA Kind = "cuda"
)

// Kinds lists every kind, in the order in which help texts name them.
func Kinds() []Kind { return []Kind{Auto, XLA, Go, CUDA} }

// ParseKind reads a kind as a user writes it; letter case does not matter and nothing at all means [Auto].
func ParseKind(s string) (Kind, error) {
	switch kind := Kind(strings.ToLower(strings.TrimSpace(s))); kind {
	case "":
		return Auto, nil
	case Auto, XLA, Go, CUDA:
		return kind, nil
	}
	return "", fmt.Errorf("unknown backend %q: it must be auto, xla, go or cuda", s)
}

// Set makes *Kind a flag value; it accepts what [ParseKind] accepts.
func (k *Kind) Set(s string) error {
	kind, err := ParseKind(s)
	if err == nil {
		*k = kind
	}
	return err
}

// String returns the kind as a user writes it.
func (k Kind) String() string { return string(k) }

// Type names the flag's kind of value in help texts.
func (k Kind) Type() string { return "auto|xla|go|cuda" }

// Info tells what [Open] opened.
type Info struct {
	// Name is "xla:cpu", "xla:cuda" or "go".
	Name string `json:"name"`
	// Plugin is the absolute path of the PJRT plugin; empty for the pure-Go backend.
	Plugin string `json:"plugin,omitempty"`
	// PluginVersion is the version of the PJRT C API that the plugin reports, such as "0.115"; empty for the
	// pure-Go backend.
	PluginVersion string `json:"plugin_version,omitempty"`
	// Source says in words where the plugin was found, such as "Patchlab's cache folder".
	Source string `json:"source,omitempty"`
	// Devices counts the devices that the backend computes on.
	Devices int `json:"devices"`
	// Sentence says in one sentence what was chosen and, where something faster could be had, how.
	Sentence string `json:"sentence"`
}

// Environment returns what a run records about its backend: the keys backend, plugin and plugin_version.
func (i Info) Environment() map[string]string {
	return map[string]string{"backend": i.Name, "plugin": i.Plugin, "plugin_version": i.PluginVersion}
}
