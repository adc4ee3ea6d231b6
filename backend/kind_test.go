package backend

import (
	"context"
	"flag"
	"testing"
)

func TestParseKind(t *testing.T) {
	for in, want := range map[string]Kind{"": Auto, "auto": Auto, "XLA": XLA, " go ": Go, "cuda": CUDA} {
		if got, err := ParseKind(in); err != nil || got != want {
			t.Errorf("ParseKind(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, kind := range Kinds() {
		if got, err := ParseKind(kind.String()); err != nil || got != kind {
			t.Errorf("kind %q does not survive its own text: %q, %v", kind, got, err)
		}
	}
	_, err := ParseKind("tpu")
	wantError(t, err, `"tpu"`, "auto, xla, go or cuda")
}

func TestKindIsAFlag(t *testing.T) {
	kind := Auto
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(&lines{})
	flags.Var(&kind, "backend", "")
	if err := flags.Parse([]string{"-backend", "go"}); err != nil || kind != Go {
		t.Errorf("kind %q, %v, want go", kind, err)
	}
	wantError(t, flags.Parse([]string{"-backend", "gpu"}), `"gpu"`)
	if kind != Go {
		t.Errorf("a refused value changed the kind to %q", kind)
	}
}

func TestOpenRefusesUnknownKind(t *testing.T) {
	_, _, err := Open(context.Background(), "tpu", nil)
	wantError(t, err, `"tpu"`, "auto, xla, go or cuda")
}
