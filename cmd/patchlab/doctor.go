package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patchlab/backend"
	"patchlab/datasets"
	"patchlab/kernel/spec"
)

// oldestGo is the oldest Go that builds Patchlab.
const oldestGo = "go1.26"

// The states of a part.
const (
	partOK      = "ok"
	partMissing = "missing"
	partBroken  = "broken"
	partNone    = "none" // absent, and no command brings it
)

// part is one thing that Patchlab uses, and what mends it.
type part struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Optional bool   `json:"optional"`
	Detail   string `json:"detail"`
	Mend     string `json:"mend,omitempty"` // a command line
}

func newDoctorCommand() *cobra.Command {
	var data dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what Patchlab needs, and say what mends it",
		Long: `Check what Patchlab needs, and say what mends it.

Each part is "ok", or followed by the command that mends it. Optional parts are
marked; the exit status is 1 where a part that is not optional is not ok.
Nothing is changed or downloaded.`,
		Example: `  patchlab doctor
  patchlab doctor --data-dir ~/data/cifar10
  patchlab doctor --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			machine := backend.Describe()
			parts := examine(cmd.Context(), machine, data.dir)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			var bad []string
			for _, p := range parts {
				if p.Status != partOK && !p.Optional {
					bad = append(bad, p.Name)
				}
			}
			if err := printParts(cmd.OutOrStdout(), machine, parts, len(bad) == 0, asJSON); err != nil {
				return err
			}
			if len(bad) > 0 {
				return fmt.Errorf("needed but not ok: %s", strings.Join(bad, ", "))
			}
			return nil
		},
	}
	data.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printParts(w io.Writer, machine backend.Machine, parts []part, ok, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			OK      bool            `json:"ok"`
			Machine backend.Machine `json:"machine"`
			Parts   []part          `json:"parts"`
		}{ok, machine, parts})
	}
	var b strings.Builder
	b.WriteString(wrapped("", fmt.Sprintf("%s, %.1f GiB, %s", machine, float64(machine.MemoryBytes)/(1<<30), machine.OS)) + "\n\n")
	for _, p := range parts {
		detail := p.Detail
		if p.Optional && p.Status != partOK {
			detail = "(optional) " + detail
		}
		b.WriteString(wrapped(fmt.Sprintf("%-8s %-11s ", p.Status, p.Name), detail) + "\n")
		if p.Mend != "" { // in one line, to be copied
			fmt.Fprintf(&b, "%-8s %-11s mend it with: %s\n", "", "", p.Mend)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// examine looks at every part.
func examine(ctx context.Context, machine backend.Machine, dataDir string) []part {
	goPart, cc, cgo := checkGo(ctx)
	return []part{
		goPart,
		checkCompiler(ctx, cc, cgo),
		checkXLA(ctx),
		checkGPU(ctx, machine),
		checkData(ctx, dataDir),
		checkKernel(ctx),
		checkProgram(ctx, part{Name: "git", Optional: true, Mend: installCommand("git")}, "runs record no commit", "git", "--version"),
		checkProgram(ctx, part{Name: "python", Optional: true, Mend: installCommand("python")}, "XLA's plugin can't come by pip", "python3", "-m", "pip", "--version"),
	}
}

// output runs a program and returns the first line that it prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(line), err
}

// checkGo looks for the Go toolchain and asks it for its C compiler and whether it uses one.
func checkGo(ctx context.Context) (p part, cc string, cgo bool) {
	p = part{Name: "Go", Mend: goCommand()}
	have, err := output(ctx, "go", "env", "GOVERSION")
	switch {
	case err != nil:
		p.Status, p.Detail = partMissing, "no go on PATH; it builds Patchlab and the cells of notebooks"
		return p, os.Getenv("CC"), true
	case version.Compare(have, oldestGo) < 0:
		p.Status, p.Detail = partMissing, fmt.Sprintf("%s is too old; Patchlab needs %s or newer", have, oldestGo)
	default:
		p.Status, p.Detail, p.Mend = partOK, have+" "+runtime.GOOS+"/"+runtime.GOARCH, ""
	}
	cc, _ = output(ctx, "go", "env", "CC")
	enabled, _ := output(ctx, "go", "env", "CGO_ENABLED")
	return p, cc, enabled != "0" || cc == ""
}

// checkCompiler looks for the C compiler that cgo uses.
func checkCompiler(ctx context.Context, cc string, cgo bool) part {
	p := part{Name: "C compiler"}
	words := strings.Fields(cc) // it may carry flags
	if len(words) == 0 {
		words = []string{"cc"}
	}
	have, err := output(ctx, words[0], "--version")
	if _, lookErr := exec.LookPath(words[0]); lookErr != nil {
		p.Status, p.Detail, p.Mend = partMissing, fmt.Sprintf("no %s on PATH; SQLite and XLA are linked with it", words[0]), installCommand("cc")
		return p
	}
	switch {
	case err != nil:
		p.Status, p.Detail, p.Mend = partBroken, fmt.Sprintf("%s --version: %v", words[0], err), installCommand("cc")
	case !cgo:
		p.Status, p.Detail, p.Mend = partBroken, have+", but Go does not use it (CGO_ENABLED=0)", "go env -w CGO_ENABLED=1"
		if os.Getenv("CGO_ENABLED") == "0" {
			p.Mend = "unset CGO_ENABLED"
		}
	default:
		p.Status, p.Detail = partOK, have
	}
	return p
}

// checkXLA opens the CPU plugin that is installed.
func checkXLA(ctx context.Context) part {
	p := part{Name: "XLA plugin"}
	info, err := backend.Installed(ctx, backend.XLA)
	switch {
	case err == nil:
		p.Status, p.Detail = partOK, fmt.Sprintf("PJRT API %s, %s (from %s)", info.PluginVersion, info.Plugin, info.Source)
	case errors.Is(err, backend.ErrNoXLA):
		p.Status, p.Optional = partNone, true
		p.Detail = "this build of Patchlab is without XLA; the pure-Go backend computes, several times slower"
	case errors.Is(err, backend.ErrNoPlugin):
		p.Status, p.Detail, p.Mend = partMissing, "no plugin found; the pure-Go backend computes, several times slower", self()+" setup"
	default:
		p.Status, p.Detail, p.Mend = partBroken, err.Error(), self()+" setup"
	}
	return p
}

// checkGPU opens the CUDA plugin where there is an NVIDIA GPU.
func checkGPU(ctx context.Context, machine backend.Machine) part {
	p := part{Name: "GPU", Optional: true}
	if machine.GPU() == "" {
		p.Status, p.Detail = partNone, "no NVIDIA GPU (nvidia-smi lists none); the CPU computes"
		return p
	}
	info, err := backend.Installed(ctx, backend.CUDA)
	switch {
	case err == nil:
		p.Status, p.Detail = partOK, fmt.Sprintf("%s, PJRT API %s, %s (from %s)", machine.GPU(), info.PluginVersion, info.Plugin, info.Source)
	case errors.Is(err, backend.ErrNoXLA):
		p.Status, p.Detail = partNone, machine.GPU()+", but this build of Patchlab is without XLA"
	case errors.Is(err, backend.ErrNoPlugin):
		p.Status, p.Detail, p.Mend = partMissing, machine.GPU()+", but no CUDA plugin", backend.CUDAInstallCommand
	default:
		p.Status, p.Detail, p.Mend = partBroken, machine.GPU()+": "+err.Error(), backend.CUDAInstallCommand
	}
	return p
}

// checkData loads CIFAR-10 from where it lies.
func checkData(ctx context.Context, dir string) part {
	p := part{Name: "data", Optional: true}
	d, err := datasets.Load(ctx, "cifar10", datasets.Options{Dir: dir, Offline: true})
	switch {
	case err == nil:
		p.Status, p.Detail = partOK, fmt.Sprintf("CIFAR-10, %d + %d images, sha256 %.12s…, %s", d.Train.Len(), d.Test.Len(), d.Digest, d.Source)
	case errors.Is(err, datasets.ErrUnavailable), errors.Is(err, fs.ErrNotExist):
		p.Status, p.Mend = partMissing, self()+" setup"
		p.Detail = "no CIFAR-10 here; the built-in shapes need no files"
		if dir != "" {
			p.Detail = "no CIFAR-10 in " + dir + ": name the folder that holds cifar-10-batches-bin, or leave --data-dir ($" + envDataDir + ") out"
		}
	default:
		p.Status, p.Detail, p.Mend = partBroken, err.Error(), self()+" setup"
	}
	if dir != "" { // setup mends its own folder alone
		p.Mend = ""
	}
	return p
}

// checkKernel looks for Jupyter and Patchlab's kernel in it.
func checkKernel(ctx context.Context) part {
	p := part{Name: "kernel", Optional: true}
	if _, err := exec.LookPath("jupyter"); err != nil {
		p.Status, p.Detail, p.Mend = partMissing, "no Jupyter on PATH; notebooks need it", "python3 -m pip install jupyterlab"
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "jupyter", "kernelspec", "list", "--json").Output()
	var list struct {
		Kernelspecs map[string]struct {
			Folder string `json:"resource_dir"`
		} `json:"kernelspecs"`
	}
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	known, installed := list.Kernelspecs[spec.Name]
	switch {
	case err != nil:
		p.Status, p.Detail = partBroken, fmt.Sprintf("jupyter kernelspec list: %v", err)
	case !installed:
		p.Status, p.Detail, p.Mend = partMissing, "Jupyter is here; it has no kernel named "+spec.Name, self()+" kernel install"
	default:
		p.Status, p.Detail = partOK, known.Folder
		for _, i := range spec.Find([]string{filepath.Dir(known.Folder)}) {
			if i.Spec.Module != "" {
				p.Detail += ", notebooks import " + i.Spec.Module
			}
			if len(i.Problems) > 0 {
				p.Status, p.Detail, p.Mend = partBroken, known.Folder+": "+strings.Join(i.Problems, "; "), self()+" kernel install"
			}
		}
	}
	return p
}

// pipFolder is where pip says that it lies, which is longer than a line.
var pipFolder = regexp.MustCompile(`^(pip \S+) from .* (\(python .*\))$`)

// checkProgram runs a program that tells its version; p brings the name and what mends it, without says what is
// lost without it.
func checkProgram(ctx context.Context, p part, without, name string, args ...string) part {
	have, err := output(ctx, name, args...)
	switch {
	case err == nil:
		p.Status, p.Detail, p.Mend = partOK, pipFolder.ReplaceAllString(have, "$1 $2"), ""
	case errors.Is(err, exec.ErrNotFound):
		p.Status, p.Detail = partMissing, fmt.Sprintf("no %s on PATH; %s", name, without)
	default:
		p.Status, p.Detail = partMissing, fmt.Sprintf("%s: %v; %s", strings.Join(append([]string{name}, args...), " "), err, without)
	}
	return p
}

// self is the command line by which the user reaches this program.
func self() string {
	exe, err := os.Executable()
	if err != nil {
		return "patchlab"
	}
	if found, err := exec.LookPath("patchlab"); err == nil {
		if a, err := filepath.EvalSymlinks(found); err == nil && a == exe {
			return "patchlab"
		}
	}
	if strings.Contains(filepath.Dir(exe), string(filepath.Separator)+"go-build") {
		return "go run ./cmd/patchlab"
	}
	return os.Args[0]
}

// packages names what each package manager calls a part.
var packages = [...]struct{ tool, install, cc, git, python string }{
	{"apt-get", "apt-get install -y", "build-essential", "git", "python3 python3-pip python3-venv"},
	{"dnf", "dnf install -y", "gcc", "git", "python3 python3-pip"},
	{"zypper", "zypper install -y", "gcc", "git", "python3 python3-pip"},
	{"pacman", "pacman -S --noconfirm", "gcc", "git", "python python-pip"},
	{"apk", "apk add", "build-base", "git", "python3 py3-pip"},
}

// installCommand is the command that installs "cc", "git" or "python" on this system; empty where it is not known.
func installCommand(what string) string {
	if runtime.GOOS == "darwin" {
		return "xcode-select --install" // brings all three
	}
	for _, m := range packages {
		if _, err := exec.LookPath(m.tool); err != nil {
			continue
		}
		sudo := "sudo "
		if os.Geteuid() == 0 {
			sudo = ""
		}
		return sudo + m.install + " " + map[string]string{"cc": m.cc, "git": m.git, "python": m.python}[what]
	}
	return ""
}

// goCommand is the command that installs the Go that built this program.
func goCommand() string {
	release, _, _ := strings.Cut(runtime.Version(), " ") // without experiments
	return fmt.Sprintf(`curl -fsSL https://go.dev/dl/%s.%s-%s.tar.gz | sudo tar -C /usr/local -xz && export PATH=/usr/local/go/bin:$PATH`,
		release, runtime.GOOS, runtime.GOARCH)
}
