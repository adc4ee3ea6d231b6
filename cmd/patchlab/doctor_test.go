package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/kernel/spec"
)

// bare gives the test a machine without anything: an empty home and cache folder and an empty PATH, whose folder is
// returned.
func bare(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "XDG_CACHE_HOME": t.TempDir(), "PATH": bin, "PJRT_PLUGIN_LIBRARY_PATH": "",
		backend.OfflineEnv: "1", envDataDir: "", "CC": "", "CGO_ENABLED": "",
	} {
		t.Setenv(name, value)
	}
	return bin
}

// program puts a shell script onto the PATH.
func program(t *testing.T, bin, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// fakeGo answers "go env NAME".
func fakeGo(t *testing.T, bin, version, cgo string) {
	t.Helper()
	program(t, bin, "go", `case "$2" in GOVERSION) echo `+version+`;; CC) echo "cc -m64";; CGO_ENABLED) echo `+cgo+`;; esac`)
}

// call runs a command alone and returns what it prints.
func call(t *testing.T, cmd *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// diagnose runs the doctor and returns its parts by name.
func diagnose(t *testing.T, args ...string) (parts map[string]part, ok bool, err error) {
	t.Helper()
	out, err := call(t, newDoctorCommand(), append(args, "--json")...)
	var report struct {
		OK      bool
		Machine backend.Machine
		Parts   []part
	}
	if jsonErr := json.Unmarshal([]byte(out), &report); jsonErr != nil {
		t.Fatalf("%v: %s", jsonErr, out)
	}
	if report.Machine.Cores < 1 || report.OK != (err == nil) {
		t.Errorf("machine %+v, ok %v, error %v", report.Machine, report.OK, err)
	}
	parts = map[string]part{}
	for _, p := range report.Parts {
		parts[p.Name] = p
	}
	return parts, report.OK, err
}

func wantPart(t *testing.T, p part, status, detail, mend string) {
	t.Helper()
	if p.Status != status || !strings.Contains(p.Detail, detail) || !strings.Contains(p.Mend, mend) || (mend == "") != (p.Mend == "") {
		t.Errorf("part %+v\nwant status %q, detail with %q, mended with %q", p, status, detail, mend)
	}
}

func TestDoctorOnABareMachine(t *testing.T) {
	bin := bare(t)
	program(t, bin, "apt-get", "exit 1")
	parts, ok, err := diagnose(t)
	if ok || err == nil || !strings.Contains(err.Error(), "Go, C compiler") {
		t.Errorf("ok %v, error %v", ok, err)
	}
	for _, name := range []string{"GPU", "data", "kernel", "git", "python"} {
		if !parts[name].Optional {
			t.Errorf("%s is not optional", name)
		}
	}
	wantPart(t, parts["Go"], partMissing, "no go on PATH", "https://go.dev/dl/go1.")
	wantPart(t, parts["GPU"], partNone, "no NVIDIA GPU", "")
	wantPart(t, parts["data"], partMissing, "no CIFAR-10 here", " setup")
	wantPart(t, parts["kernel"], partMissing, "no Jupyter", "pip install jupyterlab")
	if runtime.GOOS == "linux" {
		wantPart(t, parts["C compiler"], partMissing, "no cc on PATH", "apt-get install -y build-essential")
		wantPart(t, parts["git"], partMissing, "no git on PATH; runs record no commit", "apt-get install -y git")
		wantPart(t, parts["python"], partMissing, "no python3 on PATH", "python3-pip")
	}
	text, _ := call(t, newDoctorCommand())
	fits(t, regexp.MustCompile(`mend it with: .*`).ReplaceAllString(text, "")) // a command is for copying
	for _, want := range []string{
		"missing  Go          no go on PATH",
		"                     mend it with: curl -fsSL https://go.dev/dl/go1.",
		"none     GPU         (optional) no NVIDIA GPU",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

func TestDoctorLooksAtPrograms(t *testing.T) {
	bin := bare(t)
	fakeGo(t, bin, "go1.26.9", "1")
	program(t, bin, "cc", "echo 'cc 14.2'; echo more")
	program(t, bin, "git", "echo git version 2.50")
	program(t, bin, "python3", "echo 'pip 25.1 from /some where (python 3.11)'")
	program(t, bin, "jupyter", `echo '{"kernelspecs": {"patchlab": {"resource_dir": "/kernels/patchlab"}}}'`)
	parts, _, _ := diagnose(t)
	wantPart(t, parts["Go"], partOK, "go1.26.9", "")
	wantPart(t, parts["C compiler"], partOK, "cc 14.2", "")
	wantPart(t, parts["git"], partOK, "git version 2.50", "")
	wantPart(t, parts["python"], partOK, "pip 25.1 (python 3.11)", "")
	wantPart(t, parts["kernel"], partOK, "/kernels/patchlab", "")

	fakeGo(t, bin, "go1.25.4", "0")
	program(t, bin, "python3", "exit 1")
	program(t, bin, "jupyter", `echo '{"kernelspecs": {"python3": {"resource_dir": "/kernels/python3"}}}'`)
	parts, _, _ = diagnose(t)
	wantPart(t, parts["Go"], partMissing, "go1.25.4 is too old; Patchlab needs go1.26", "https://go.dev/dl/")
	wantPart(t, parts["C compiler"], partBroken, "CGO_ENABLED=0", "go env -w CGO_ENABLED=1")
	wantPart(t, parts["kernel"], partMissing, "no kernel named patchlab", " kernel install")
	if parts["python"].Status != partMissing || !strings.Contains(parts["python"].Detail, "python3 -m pip --version: exit status 1") {
		t.Errorf("python %+v", parts["python"])
	}
	program(t, bin, "cc", "exit 3")
	program(t, bin, "jupyter", "echo not JSON")
	t.Setenv("CGO_ENABLED", "0")
	parts, _, _ = diagnose(t)
	if p := parts["C compiler"]; p.Status != partBroken || !strings.Contains(p.Detail, "cc --version: exit status 3") {
		t.Errorf("C compiler %+v", p)
	}
	wantPart(t, parts["kernel"], partBroken, "jupyter kernelspec list", "")
}

func TestDoctorLooksIntoTheKernel(t *testing.T) {
	bin := bare(t)
	kernels := t.TempDir()
	module := t.TempDir()
	if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte("module m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := spec.Spec{Executable: filepath.Join(module, "go.mod"), Tools: t.TempDir(), Go: t.TempDir(), Module: module}
	for _, f := range []string{filepath.Join(s.Go, "go"), filepath.Join(s.Tools, "gonb"), filepath.Join(s.Tools, "gopls"), filepath.Join(s.Tools, "goimports")} {
		if err := os.WriteFile(f, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	folder, _, err := spec.Install(kernels, s)
	if err != nil {
		t.Fatal(err)
	}
	program(t, bin, "jupyter", `echo '{"kernelspecs": {"patchlab": {"resource_dir": "`+folder+`"}}}'`)
	parts, _, _ := diagnose(t)
	wantPart(t, parts["kernel"], partOK, folder+", notebooks import "+module, "")
	if err := os.RemoveAll(module); err != nil {
		t.Fatal(err)
	}
	parts, _, _ = diagnose(t)
	wantPart(t, parts["kernel"], partBroken, "the module is gone: "+module, " kernel install")
}

func TestDoctorLooksAtTheGPU(t *testing.T) {
	bin := bare(t)
	program(t, bin, "nvidia-smi", "echo NVIDIA H200")
	parts, _, _ := diagnose(t)
	if p := parts["GPU"]; p.Status == partNone && p.Mend == "" {
		t.Skip("built without XLA")
	}
	wantPart(t, parts["GPU"], partMissing, "NVIDIA H200, but no CUDA plugin", backend.CUDAInstallCommand)
}

func TestDoctorLooksAtThePlugin(t *testing.T) {
	info, err := backend.Installed(t.Context(), backend.XLA)
	if err != nil {
		t.Skip("no XLA plugin is installed (run: patchlab setup)")
	}
	bin := bare(t)
	fakeGo(t, bin, "go1.26.9", "1")
	program(t, bin, "cc", "echo cc 14.2")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", filepath.Dir(info.Plugin))
	parts, ok, err := diagnose(t)
	if !ok || err != nil {
		t.Errorf("everything needed is there, but ok is %v, error %v", ok, err)
	}
	wantPart(t, parts["XLA plugin"], partOK, "PJRT API "+info.PluginVersion, "")

	dir := t.TempDir()
	broken := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	if err := os.WriteFile(broken, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
	parts, _, err = diagnose(t)
	if err == nil || err.Error() != "needed but not ok: XLA plugin" {
		t.Errorf("error %v", err)
	}
	wantPart(t, parts["XLA plugin"], partBroken, broken, " setup")
}

// writeCIFAR writes CIFAR-10's binary layout: six files of n records, each a label and 3 × 32 × 32 bytes.
func writeCIFAR(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	folder := filepath.Join(dir, "cifar-10-batches-bin")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	files := []string{"test_batch.bin"}
	for i := range 5 {
		files = append(files, fmt.Sprintf("data_batch_%d.bin", i+1))
	}
	for i, name := range files {
		var b bytes.Buffer
		for j := range n {
			b.WriteByte(byte(j % 10))
			b.Write(bytes.Repeat([]byte{byte(i + j)}, 3*32*32))
		}
		if err := os.WriteFile(filepath.Join(folder, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDoctorLooksAtTheData(t *testing.T) {
	bare(t)
	dir := writeCIFAR(t, 20)
	parts, _, _ := diagnose(t, "--data-dir", dir)
	wantPart(t, parts["data"], partOK, "100 + 20 images", "")
	t.Setenv(envDataDir, dir)
	parts, _, _ = diagnose(t)
	wantPart(t, parts["data"], partOK, dir, "")

	empty := t.TempDir()
	parts, _, _ = diagnose(t, "--data-dir", empty)
	wantPart(t, parts["data"], partMissing, empty+": name the folder that holds cifar-10-batches-bin, or leave --data-dir", "")

	cut := filepath.Join(dir, "cifar-10-batches-bin", "data_batch_3.bin")
	if err := os.Truncate(cut, 5000); err != nil {
		t.Fatal(err)
	}
	parts, _, _ = diagnose(t)
	wantPart(t, parts["data"], partBroken, cut, "")
}

func TestSetupOffline(t *testing.T) {
	bare(t)
	var first string
	for range 2 {
		out, err := call(t, newSetupCommand())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"XLA: ", "CIFAR-10: not here", "Next: "} {
			if !strings.Contains(out, want) {
				t.Errorf("setup does not say %q:\n%s", want, out)
			}
		}
		if first != "" && out != first {
			t.Errorf("the second time it says\n%s\nand the first\n%s", out, first)
		}
		first = out
	}
	out, err := call(t, newSetupCommand(), "--no-data")
	if err != nil || strings.Contains(out, "CIFAR") {
		t.Errorf("--no-data: %v, %s", err, out)
	}
}

func TestSetupChecksTheDataItIsGiven(t *testing.T) {
	bare(t)
	dir := writeCIFAR(t, 20)
	out, err := call(t, newSetupCommand(), "--data-dir", dir)
	if err != nil || !strings.Contains(out, "CIFAR-10: was there already, 100 + 20 images, "+dir) {
		t.Errorf("%v, %s", err, out)
	}
	cut := filepath.Join(dir, "cifar-10-batches-bin", "test_batch.bin")
	if err := os.Truncate(cut, 1); err != nil {
		t.Fatal(err)
	}
	_, err = call(t, newSetupCommand(), "--data-dir", dir)
	if err == nil || !strings.Contains(err.Error(), cut) {
		t.Errorf("error %v does not name %s", err, cut)
	}
}

func TestSetupFindsThePlugin(t *testing.T) {
	info, err := backend.Installed(t.Context(), backend.XLA)
	if err != nil {
		t.Skip("no XLA plugin is installed (run: patchlab setup)")
	}
	bare(t)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", filepath.Dir(info.Plugin))
	out, err := call(t, newSetupCommand(), "--no-data")
	if err != nil || !strings.Contains(out, "XLA: was there already, PJRT API "+info.PluginVersion) {
		t.Errorf("%v, %s", err, out)
	}
}
