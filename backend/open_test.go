package backend

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// tinyNetwork computes tanh(x·w) and the gradient of its sum after w, on a backend.
func tinyNetwork(t *testing.T, b compute.Backend) []float32 {
	t.Helper()
	x := [][]float32{{0.5, -1, 2}, {1.5, 0.25, -0.75}}
	w := [][]float32{{0.1, 0.2}, {-0.3, 0.4}, {0.5, -0.6}}
	outputs, err := graph.CallOnceN(b, func(x, w *graph.Node) []*graph.Node {
		y := graph.Tanh(graph.Dot(x, w).Product())
		return []*graph.Node{y, graph.Gradient(graph.ReduceAllSum(y), w)[0]}
	}, x, w)
	if err != nil {
		t.Fatal(err)
	}
	return append(flat(t, outputs[0]), flat(t, outputs[1])...)
}

func flat(t *testing.T, x *tensors.Tensor) []float32 {
	t.Helper()
	values, err := tensors.CopyFlatData[float32](x)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// tinyWant returns tinyNetwork's result, computed here in float64.
func tinyWant() []float64 {
	x := [2][3]float64{{0.5, -1, 2}, {1.5, 0.25, -0.75}}
	w := [3][2]float64{{0.1, 0.2}, {-0.3, 0.4}, {0.5, -0.6}}
	var y [2][2]float64
	var g [3][2]float64
	for i := range 2 {
		for j := range 2 {
			for k := range 3 {
				y[i][j] += x[i][k] * w[k][j]
			}
			y[i][j] = math.Tanh(y[i][j])
			for k := range 3 {
				g[k][j] += x[i][k] * (1 - y[i][j]*y[i][j])
			}
		}
	}
	return []float64{y[0][0], y[0][1], y[1][0], y[1][1], g[0][0], g[0][1], g[1][0], g[1][1], g[2][0], g[2][1]}
}

func checkComputes(t *testing.T, b compute.Backend) {
	t.Helper()
	want := tinyWant()
	got := tinyNetwork(t, b)
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-6 {
			t.Errorf("value %d is %g, want %g", i, got[i], want[i])
		}
	}
}

func TestGoComputes(t *testing.T) {
	b, info, err := Open(context.Background(), Go, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if info.Name != "go" || info.Plugin != "" || info.Devices != 1 || !strings.Contains(info.Sentence, "as asked") {
		t.Errorf("info %+v", info)
	}
	checkComputes(t, b)
}

func TestXLAComputes(t *testing.T) {
	plugin := needPlugin(t)
	for _, kind := range []Kind{XLA, Auto} {
		t.Run(string(kind), func(t *testing.T) {
			if kind == Auto && hasNVIDIA() {
				t.Skip("auto may take this machine's GPU")
			}
			o, log := lonely(t)
			t.Setenv(pluginPathEnv, filepath.Dir(plugin))
			b, info, err := o.open(context.Background(), kind)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Finalize()
			if info.Name != "xla:cpu" || filepath.Dir(info.Plugin) != filepath.Dir(plugin) || !strings.HasPrefix(info.PluginVersion, "0.") {
				t.Errorf("info %+v", info)
			}
			if env := info.Environment(); env["backend"] != "xla:cpu" || env["plugin"] != info.Plugin || env["plugin_version"] != info.PluginVersion {
				t.Errorf("environment %v", env)
			}
			if log.String() != "" {
				t.Errorf("said %q", log)
			}
			checkComputes(t, b)
		})
	}
}

// A user's name in the path must not make a CPU plugin pass for one of NVIDIA's, nor cut the path; nor does what is
// done about it leave anything behind.
func TestXLAInMisleadingFolder(t *testing.T) {
	plugin := needPlugin(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for _, name := range []string{"nvidia", "a,b"} {
		o, _ := lonely(t)
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(plugin, filepath.Join(dir, cpuPluginFile)); err != nil {
			t.Fatal(err)
		}
		t.Setenv(pluginPathEnv, dir)
		b, info, err := o.open(context.Background(), XLA)
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, cpuPluginFile); info.Plugin != want {
			t.Errorf("plugin %s, want %s", info.Plugin, want)
		}
		leftovers(t, tmp)
		checkComputes(t, b)
		b.Finalize()
	}
}

func TestInstalledOpensAndCloses(t *testing.T) {
	needPlugin(t)
	info, err := Installed(context.Background(), XLA)
	if err != nil || info.Name != "xla:cpu" {
		t.Errorf("info %+v, %v", info, err)
	}
}

func TestOfflineFallsBackToGo(t *testing.T) {
	o, log := lonely(t)
	o.offline = true
	o.installers = []installer{{"forbidden", func(context.Context) (string, error) {
		t.Error("installed although offline")
		return "", errors.New("no")
	}}}
	b, info, err := o.open(context.Background(), Auto)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if info.Name != "go" {
		t.Errorf("opened %s, want go", info.Name)
	}
	checkSentence(t, info.Sentence)
	if xlaBuilt && !strings.Contains(info.Sentence, OfflineEnv) {
		t.Errorf("sentence %q does not name %s", info.Sentence, OfflineEnv)
	}
	if log.String() != "" {
		t.Errorf("said %q", log)
	}
	_, _, err = o.open(context.Background(), XLA)
	wantError(t, err, "opening XLA")
}

func checkSentence(t *testing.T, s string) {
	t.Helper()
	if !strings.HasPrefix(s, "Computing with ") || !strings.HasSuffix(s, ".") || strings.Contains(s, "\n") {
		t.Errorf("not a sentence: %q", s)
	}
}

func TestOfflineReadsTheEnvironment(t *testing.T) {
	for value, want := range map[string]bool{"": false, "0": false, "1": true, "yes": true} {
		t.Setenv(OfflineEnv, value)
		if Offline() != want {
			t.Errorf("%s=%q: Offline() = %v", OfflineEnv, value, !want)
		}
	}
}

func TestBrokenPlugins(t *testing.T) {
	if !xlaBuilt {
		t.Skip("built without XLA")
	}
	dir := t.TempDir()
	whole := library(t, filepath.Join(dir, "whole.so"), nullPlugin)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	foreign := append([]byte(nil), data...)
	foreign[18], foreign[19] = 8, 0 // e_machine: MIPS
	cases := map[string]struct {
		content []byte
		says    string
	}{
		"text":    {[]byte("not a library"), "not a shared library"},
		"empty":   {nil, "not a shared library"},
		"cut":     {data[:len(data)/3], ""},
		"foreign": {foreign, "EM_MIPS"},
		"null":    {data, "loading"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o, _ := lonely(t)
			o.offline = true
			path := write(t, filepath.Join(t.TempDir(), cpuPluginFile), string(c.content))
			t.Setenv(pluginPathEnv, filepath.Dir(path))
			_, _, err := o.open(context.Background(), XLA)
			wantError(t, err, path, pluginPathEnv, c.says)

			b, info, err := o.open(context.Background(), Auto)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Finalize()
			if info.Name == "go" {
				checkSentence(t, info.Sentence)
				if !strings.Contains(info.Sentence, path) {
					t.Errorf("sentence %q does not name %s", info.Sentence, path)
				}
			}
		})
	}
	t.Run("no symbol", func(t *testing.T) {
		path := library(t, filepath.Join(t.TempDir(), cpuPluginFile), "int other(void) { return 1; }\n")
		wantError(t, checkLibrary(path), "GetPjrtApi")
	})
	t.Run("folder", func(t *testing.T) { wantError(t, checkLibrary(t.TempDir()), "not a regular file") })
	t.Run("absent", func(t *testing.T) {
		err := checkLibrary(filepath.Join(t.TempDir(), "absent.so"))
		wantError(t, err, "no such file")
	})
}

func TestBrokenPluginIsPassedOver(t *testing.T) {
	plugin := needPlugin(t)
	o, log := lonely(t)
	bad := write(t, filepath.Join(t.TempDir(), cpuPluginFile), "not a library")
	t.Setenv(pluginPathEnv, filepath.Dir(bad)+":"+filepath.Dir(plugin))
	b, info, err := o.open(context.Background(), XLA)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if info.Plugin == bad || !strings.Contains(log.String(), bad) {
		t.Errorf("opened %s and said %q", info.Plugin, log)
	}
}

func TestCUDAWithoutPlugin(t *testing.T) {
	o, _ := lonely(t)
	t.Setenv("PATH", t.TempDir()) // no Python
	_, _, err := o.open(context.Background(), CUDA)
	wantError(t, err, "opening CUDA")
	if xlaBuilt {
		wantError(t, err, CUDAInstallCommand)
	}
}

func TestAutoNamesTheUnusedGPU(t *testing.T) {
	plugin := needPlugin(t)
	o, _ := lonely(t)
	bin := t.TempDir()
	write(t, filepath.Join(bin, "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA H200'\n")
	t.Setenv("PATH", bin) // a GPU, no Python
	t.Setenv(pluginPathEnv, filepath.Dir(plugin))
	b, info, err := o.open(context.Background(), Auto)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if info.Name != "xla:cpu" || !strings.Contains(info.Sentence, CUDAInstallCommand) {
		t.Errorf("info %+v", info)
	}
	checkSentence(t, info.Sentence)
}

func TestOpenEndsWithItsContext(t *testing.T) {
	o, _ := lonely(t)
	ctx, cancel := context.WithCancel(context.Background())
	o.installers = []installer{{"slow", func(ctx context.Context) (string, error) {
		cancel()
		return "", ctx.Err()
	}}}
	if !xlaBuilt {
		cancel()
	}
	if _, _, err := o.open(ctx, Auto); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	cancel()
}
