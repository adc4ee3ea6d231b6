package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"patchlab/save"
)

// Name is the kernelspec's name, and DisplayName what people read.
const (
	Name        = "patchlab"
	DisplayName = "Patchlab (Go)"
)

// Spec is what a kernel is run with. Paths are absolute.
type Spec struct {
	Executable string            `json:"executable"` // this program
	Tools      string            `json:"tools"`      // the folder with gonb, gopls and goimports
	Go         string            `json:"go"`         // the folder with the go command
	Module     string            `json:"module"`     // the module whose packages notebooks import; empty: none
	History    string            `json:"history"`    // the file that keeps cells
	Env        map[string]string `json:"env,omitempty"`
}

// kernelJSON is the file kernel.json.
type kernelJSON struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env,omitempty"`
	Metadata      metadata          `json:"metadata"`
}

type metadata struct {
	Debugger bool  `json:"debugger"`
	Patchlab *Spec `json:"patchlab,omitempty"`
}

func (s Spec) file() ([]byte, error) {
	argv := []string{s.Executable, "kernel", "run", "--connection-file", "{connection_file}", "--tools", s.Tools, "--go", s.Go}
	if s.Module != "" {
		argv = append(argv, "--module", s.Module)
	}
	if s.History != "" {
		argv = append(argv, "--history", s.History)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(kernelJSON{
		Argv: argv, DisplayName: DisplayName, Language: "go", InterruptMode: "message", Env: s.Env, Metadata: metadata{Patchlab: &s},
	})
	return b.Bytes(), err
}

// ErrForeign says that a kernelspec of the name patchlab was made by another program.
var ErrForeign = errors.New("a kernel named " + Name + " is there already, and another program has made it")

// Install writes the kernelspec into a folder of kernelspecs (such as User returns). Changed is false where it stood
// there already, byte by byte.
func Install(kernels string, s Spec) (folder string, changed bool, err error) {
	folder = filepath.Join(kernels, Name)
	if _, err := read(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return folder, false, err
	}
	text, err := s.file()
	if err != nil {
		return folder, false, fmt.Errorf("encoding the kernelspec: %w", err)
	}
	files := []struct {
		name string
		data []byte
	}{{"logo-svg.svg", logoSVG()}, {"logo-32x32.png", logoPNG(32)}, {"logo-64x64.png", logoPNG(64)}, {"kernel.json", text}}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return folder, false, fmt.Errorf("installing the kernel: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(folder, f.name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.data) {
			continue
		}
		changed = true
		if err := save.Bytes(path, f.data); err != nil {
			return folder, false, fmt.Errorf("installing the kernel: %w", err)
		}
	}
	return folder, changed, nil
}

// read returns the kernelspec in a folder. The error is ErrForeign, wrapped, where another program made it, and
// fs.ErrNotExist where there is none.
func read(folder string) (Spec, error) {
	b, err := os.ReadFile(filepath.Join(folder, "kernel.json"))
	if err != nil {
		return Spec{}, err
	}
	var k kernelJSON
	if err := json.Unmarshal(b, &k); err != nil || k.Metadata.Patchlab == nil {
		return Spec{}, fmt.Errorf("%w: %s", ErrForeign, folder)
	}
	return *k.Metadata.Patchlab, nil
}

// Uninstall removes the kernelspec from a folder of kernelspecs. Removed is false where there was none.
func Uninstall(kernels string) (folder string, removed bool, err error) {
	folder = filepath.Join(kernels, Name)
	if _, err := read(folder); errors.Is(err, fs.ErrNotExist) {
		return folder, false, nil
	} else if err != nil {
		return folder, false, err
	}
	if err := os.RemoveAll(folder); err != nil {
		return folder, false, fmt.Errorf("uninstalling the kernel: %w", err)
	}
	return folder, true, nil
}

// Installed is a kernelspec that was found.
type Installed struct {
	Folder   string
	Spec     Spec
	Problems []string // what keeps the kernel from working; empty: nothing
}

// Find looks for the kernelspec in folders of kernelspecs.
func Find(places []string) []Installed {
	var found []Installed
	for _, kernels := range places {
		folder := filepath.Join(kernels, Name)
		s, err := read(folder)
		if errors.Is(err, fs.ErrNotExist) || slices.ContainsFunc(found, func(i Installed) bool { return i.Folder == folder }) {
			continue
		}
		i := Installed{Folder: folder, Spec: s}
		if err != nil {
			i.Problems = []string{err.Error()}
		} else {
			i.Problems = s.problems()
		}
		found = append(found, i)
	}
	return found
}

// problems says what a kernel would miss.
func (s Spec) problems() []string {
	var p []string
	file := func(what, path string) {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			p = append(p, what+" is gone: "+path)
		}
	}
	file("the program", s.Executable)
	for _, t := range Programs {
		file(t, filepath.Join(s.Tools, t))
	}
	file("go", filepath.Join(s.Go, "go"))
	if s.Module != "" {
		file("the module", filepath.Join(s.Module, "go.mod"))
	}
	return p
}

// Module returns the folder of the module that a folder belongs to, and the module's path; both are empty where there
// is none.
func Module(folder string) (root, path string) {
	for dir, err := filepath.Abs(folder); err == nil; dir = filepath.Dir(dir) {
		b, readErr := os.ReadFile(filepath.Join(dir, "go.mod"))
		if readErr == nil {
			for line := range strings.Lines(string(b)) {
				if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
					return dir, strings.Trim(f[1], `"`)
				}
			}
			return dir, ""
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	return "", ""
}
