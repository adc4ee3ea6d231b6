package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchlab/datasets"
)

// Two claims are measured as a user would, and found again the second time.
func TestClaims(t *testing.T) {
	dir := t.TempDir()
	report := filepath.Join(dir, "claims.md")
	args := []string{"claims", "--images", "640", "--tests", "50", "--epochs", "1", "--seeds", "2", "--data", "shapes", "--db", filepath.Join(dir, "claims.db"), "-o", report, "--only", "heads,background", "--backend", "go"}
	out := must(t, args...)
	for _, want := range []string{"[1/2] More heads learn different patterns.", "divergence of two heads gained by training (bits)", "The report is in "} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if len([]rune(line)) > 81 && !strings.Contains(line, dir) {
			t.Errorf("a line of more than 80 columns: %s", line)
		}
	}
	first, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if again := must(t, args...); strings.Count(again, "measured before") != 2 {
		t.Errorf("measured again:\n%s", again)
	}
	second, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Errorf("the report changed:\n%s\n%s", first, second)
	}
}

// A claim that needs no images is measured without any, one that does is refused.
func TestClaimsWithoutImages(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATCHLAB_OFFLINE", "1")
	t.Setenv("XDG_CACHE_HOME", dir)
	report := filepath.Join(dir, "claims.md")
	args := []string{"claims", "--steps", "2", "--seeds", "2", "--db", filepath.Join(dir, "claims.db"), "-o", report, "--backend", "go", "--only"}
	if _, _, err := execute(t, append(args, "bottleneck,heads")...); !errors.Is(err, datasets.ErrUnavailable) {
		t.Errorf("heads without images: %v", err)
	}
	if out := must(t, append(args, "bottleneck")...); !strings.Contains(out, "what attention gains on long") {
		t.Errorf("the bottleneck without images:\n%s", out)
	}
	if text, err := os.ReadFile(report); err != nil || !strings.Contains(string(text), "Images: none, since") {
		t.Errorf("the report says (%v):\n%.400s", err, text)
	}
}

func TestClaimsRefuse(t *testing.T) {
	for want, args := range map[string][]string{
		`claim "attention"; allowed: bottleneck, background`: {"--only", "attention"},
		"--only names no claim; allowed: bottleneck":         {"--only", ""},
		"1 seeds; allowed: 2 or more":                        {"--seeds", "1"},
		"--quick and --images exclude each other":            {"--quick", "--images", "0"},
		"0 epochs; allowed: 1 or more":                       {"--epochs", "0"},
		`data "folder:pets"; allowed: cifar10`:               {"--data", "folder:pets", "--quick"},
	} {
		_, said, err := execute(t, append([]string{"claims", "--db", filepath.Join(t.TempDir(), "c.db")}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) || said != "" { // before a backend is opened
			t.Errorf("%v: error %v after %q, want one with %q", args, err, said, want)
		}
	}
}

func TestModernFlags(t *testing.T) {
	out := must(t, "train", "--dry-run", "--model", "vit-lite-7-4", "--recipe-name", "modern", "--epochs", "20", "--cutmix", "0", "--rand-augment", "1,5", "--ema", ".99")
	for _, want := range []string{`"warmup": 1,`, `"mixup": 0.8`, `"operations": 1`, `"magnitude": 5`, `"ema": 0.99`, `"stochastic_depth": 0.1`, `"kernels_only": true`} {
		if !strings.Contains(out, want) {
			t.Errorf("the recipe lacks %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "cutmix") {
		t.Errorf("--cutmix 0 leaves CutMix on:\n%s", out)
	}
	if out := must(t, "train", "--dry-run", "--model", "mixer-4", "--warmup", "2", "--crop", "4"); strings.Contains(out, "plateau") || !strings.Contains(out, `"crop": 4`) {
		t.Errorf("a warm-up replaces the plateau:\n%s", out)
	}
	file := filepath.Join(t.TempDir(), "recipe.json")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := must(t, "train", "--dry-run", "--recipe", file); again != out {
		t.Errorf("the recipe read from a file is\n%s, it was\n%s", again, out)
	}
	for want, args := range map[string][]string{
		`recipe name "timm"; allowed: course, modern`:   {"--recipe-name", "timm"},
		`--rand-augment "9"; allowed: operations`:       {"--rand-augment", "9"},
		"--mix-probability 0.5 mixes nothing":           {"--mix-probability", ".5"},
		"--recipe and --recipe-name both name a recipe": {"--recipe", file, "--recipe-name", "modern"},
	} {
		_, _, err := execute(t, append([]string{"train", "--dry-run"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", args, err, want)
		}
	}
}
