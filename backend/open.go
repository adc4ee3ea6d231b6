package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // registers "go"
)

// OfflineEnv is the environment variable that forbids every download when it is set to anything but "" and "0".
const OfflineEnv = "PATCHLAB_OFFLINE"

// PluginSHA256Env is the environment variable that names the SHA-256 (hex) of the release of go-xla's CPU plugin that
// may be installed. Patchlab knows none of these releases by its hash, so without it none is.
const PluginSHA256Env = "PATCHLAB_PLUGIN_SHA256"

// ProgramsEnv is the environment variable that names another folder than "patchlab/programs" in the user's cache
// folder for the programs that XLA has compiled for the CPU, which later processes then need not compile; "off" keeps
// none. Only on Linux are any kept.
const ProgramsEnv = "PATCHLAB_PROGRAMS"

// Offline reports whether the user forbids downloads.
func Offline() bool {
	v := os.Getenv(OfflineEnv)
	return v != "" && v != "0"
}

// Open finds, or installs, and opens a backend of the given kind. What takes a while or changes the machine
// (an installation) is said in lines on log, which may be nil.
//
// XLA and CUDA return an error where they cannot be had. Auto always returns a backend unless ctx ends; Info's
// sentence says which one and why. The caller ends the backend with its Finalize.
func Open(ctx context.Context, kind Kind, log io.Writer) (compute.Backend, Info, error) {
	return newOpener(log, Offline()).open(ctx, kind)
}

// Installed opens what is there already, downloads nothing, and closes it again: a trial for "patchlab doctor".
func Installed(ctx context.Context, kind Kind) (Info, error) {
	b, info, err := newOpener(nil, true).open(ctx, kind)
	if err != nil {
		return Info{}, err
	}
	b.Finalize()
	return info, nil
}

// CacheDir returns the folder that Patchlab installs PJRT plugins into. It need not exist.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	return filepath.Join(dir, "patchlab", "pjrt"), nil
}

var (
	// ErrNoPlugin is the cause of an error where no PJRT plugin of the wanted kind is installed.
	ErrNoPlugin = errors.New("no plugin found")
	// ErrNoXLA is the cause of an error where the program was built without XLA.
	ErrNoXLA = errors.New("this program was built without XLA (the build tag noxla, no cgo, or a platform that go-xla does not support)")
)

// opener carries what one Open needs.
type opener struct {
	log        io.Writer
	offline    bool
	system     []string      // folders of the whole machine that go-xla installs into
	installers []installer   // the ways to get a CPU plugin, in order
	broken     []string      // plugins that failed to load
	reach      time.Duration // how long a server may take to answer
}

func newOpener(log io.Writer, offline bool) *opener {
	if log == nil {
		log = io.Discard
	}
	o := &opener{log: log, offline: offline, system: systemFolders(), reach: reachTimeout}
	o.installers = o.defaultInstallers()
	return o
}

func (o *opener) say(format string, args ...any) { fmt.Fprintf(o.log, format+"\n", args...) }

func (o *opener) open(ctx context.Context, kind Kind) (compute.Backend, Info, error) {
	switch kind {
	case Go:
		return openGo("Computing with GoMLX's pure-Go backend, as asked; XLA is several times faster (--backend xla).")
	case CUDA:
		return o.openCUDA(ctx)
	case XLA:
		return o.openCPU(ctx, XLA)
	case Auto, "":
		return o.openAuto(ctx)
	}
	_, err := ParseKind(string(kind))
	return nil, Info{}, err
}

func (o *opener) openAuto(ctx context.Context) (compute.Backend, Info, error) {
	var hint string
	if xlaBuilt && hasNVIDIA() {
		b, info, err := o.openCUDA(ctx)
		if err == nil {
			return b, info, nil
		}
		if errors.Is(err, ErrNoPlugin) {
			hint = "; the NVIDIA GPU stays unused until a CUDA plugin is there: " + CUDAInstallCommand
		} else {
			hint = "; the NVIDIA GPU stays unused because its plugin failed"
			o.say("backend: %v", err)
		}
	}
	b, info, err := o.openCPU(ctx, Auto)
	if err == nil {
		if hint != "" {
			info.Sentence = strings.TrimSuffix(info.Sentence, ".") + hint + "."
		}
		return b, info, nil
	}
	if ctx.Err() != nil {
		return nil, Info{}, fmt.Errorf("opening a backend: %w", ctx.Err())
	}
	return openGo(goSentence(err, o.offline))
}

// goSentence says why the pure-Go backend computes and what would be faster.
func goSentence(cause error, offline bool) string {
	const slow = "Computing with GoMLX's pure-Go backend, several times slower than XLA: "
	switch {
	case !xlaBuilt:
		return slow + "this program was built without XLA; build it with cgo and without the tag noxla, on a platform that go-xla supports, for more speed."
	case errors.Is(cause, ErrNoPlugin) && offline:
		return slow + "no XLA plugin is installed and " + OfflineEnv + " forbids downloads; unset it and run \"patchlab setup\" for more speed."
	}
	return slow + oneLine(cause) + "; \"patchlab setup\" tries again to install XLA's plugin for more speed."
}

// oneLine folds an error's text into one line without a closing full stop.
func oneLine(err error) string {
	return strings.TrimRight(strings.Join(strings.Fields(err.Error()), " "), ".")
}

// openGo opens the pure-Go backend with the nodes of a graph one after the other, each of them in parallel: with nodes
// in parallel too, compute v0.1.2 deadlocks when every worker runs a node that waits for a worker
// (ops/unaryops.go calls Pool.WaitToStart from within one).
func openGo(sentence string) (compute.Backend, Info, error) {
	b, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		return nil, Info{}, fmt.Errorf("opening the pure-Go backend: %w", err)
	}
	return b, Info{Name: "go", Devices: b.NumDevices(), Sentence: sentence}, nil
}

// openCPU opens the first CPU plugin that works; it installs one where none is found or none works. kind is what was
// asked for.
func (o *opener) openCPU(ctx context.Context, kind Kind) (compute.Backend, Info, error) {
	if !xlaBuilt {
		return nil, Info{}, fmt.Errorf("opening XLA: %w", ErrNoXLA)
	}
	b, info, err := o.tryAll(o.find(ctx, XLA), XLA)
	if err == nil || ctx.Err() != nil {
		return b, info, err
	}
	if o.offline {
		return nil, Info{}, fmt.Errorf("opening XLA (downloads are off): %w", err)
	}
	failed := err
	found, err := o.install(ctx, kind)
	if err != nil {
		err = fmt.Errorf("installing XLA's CPU plugin: %w", err)
		if !errors.Is(failed, ErrNoPlugin) {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		return nil, Info{}, err
	}
	return o.tryAll([]candidate{found}, XLA)
}

// openCUDA opens the first CUDA plugin that works.
func (o *opener) openCUDA(ctx context.Context) (compute.Backend, Info, error) {
	if !xlaBuilt {
		return nil, Info{}, fmt.Errorf("opening CUDA: %w", ErrNoXLA)
	}
	b, info, err := o.tryAll(o.find(ctx, CUDA), CUDA)
	if errors.Is(err, ErrNoPlugin) {
		err = fmt.Errorf("opening CUDA: %w in PJRT_PLUGIN_LIBRARY_PATH, go-xla's folders or Python's packages; install one with: %s", err, CUDAInstallCommand)
	}
	return b, info, err
}

// tryAll opens the first candidate that works. Those that do not are named on the log when a later one works, and
// in the error else.
func (o *opener) tryAll(candidates []candidate, kind Kind) (compute.Backend, Info, error) {
	if len(candidates) == 0 {
		return nil, Info{}, ErrNoPlugin
	}
	var failures []error
	for _, c := range candidates {
		b, info, err := openPlugin(c, kind)
		if err != nil {
			o.broken = append(o.broken, c.path)
			failures = append(failures, fmt.Errorf("plugin %s (from %s): %w", c.path, c.source, err))
			continue
		}
		for _, f := range failures {
			o.say("backend: passed over a broken %v", f)
		}
		if kind == XLA {
			calls, err := wrapCompile(c.path, info.PluginVersion)
			if err != nil {
				o.say("backend: compiled programs are not kept for the next time: %v", err)
			}
			if calls {
				native.Store(pluginName(b), true)
			} else if runtime.GOOS == "linux" {
				info.Sentence += " This plugin cannot call Patchlab's kernels, so training is slower."
			}
		}
		return b, info, nil
	}
	return nil, Info{}, errors.Join(failures...)
}

func openPlugin(c candidate, kind Kind) (compute.Backend, Info, error) {
	if err := checkLibrary(c.path); err != nil {
		return nil, Info{}, err
	}
	b, version, err := openXLA(c.path, kind)
	if err != nil {
		return nil, Info{}, err
	}
	name, where := "xla:cpu", "the CPU"
	if kind == CUDA {
		name, where = "xla:cuda", "the NVIDIA GPU"
	}
	info := Info{Name: name, Plugin: c.path, PluginVersion: version, Source: c.source, Devices: b.NumDevices()}
	info.Sentence = fmt.Sprintf("Computing with XLA on %s (PJRT API %s, plugin from %s).", where, version, c.source)
	return b, info, nil
}
