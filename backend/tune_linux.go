package backend

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// TunedEnv guards [ReexecTuned]: it holds the number of the process that has re-executed itself. A user sets it to
// "off" to keep glibc's own settings.
const TunedEnv = "PATCHLAB_TUNED"

const (
	tunablesEnv = "GLIBC_TUNABLES"
	hugePages   = "glibc.malloc.hugetlb"
)

// allocator are the settings of glibc's malloc that XLA on the CPU trains fastest with: buffers on huge pages, from
// one heap that is never given back to the kernel, so that no step pays for page faults again.
var allocator = [...]struct{ name, value string }{
	{tunablesEnv, hugePages + "=1"},
	{"MALLOC_TRIM_THRESHOLD_", "8000000000"},
	{"MALLOC_MMAP_MAX_", "0"},
	{"MALLOC_ARENA_MAX", "1"},
}

// ReexecTuned gives the process the allocator settings that training is fastest with. glibc reads them once, at the
// start, so a process that has not got them sets them and executes itself again, with the same arguments, working
// directory, open files, ignored signals and process number. Call it first in main: whatever the process has done
// before is lost. Settings that the user has made are kept.
//
// It returns nil where nothing was to be done (the process is the re-executed one, does not use glibc, or
// PATCHLAB_TUNED=off) and an error where executing failed; the process is then as it was, only slower. In the
// re-executed process it takes the settings out of the environment again, so that child processes start with the
// user's own.
func ReexecTuned() error {
	guard := os.Getenv(TunedEnv)
	if guard == "off" {
		return nil
	}
	pid := strconv.Itoa(os.Getpid())
	if owner, added, _ := strings.Cut(guard, ":"); owner == pid {
		return untune(pid, added)
	}
	if !usesGlibc() {
		return nil
	}
	env, added := tune(os.Environ())
	if len(added) == 0 {
		return nil
	}
	env = append(env, TunedEnv+"="+pid+":"+strings.Join(added, ","))
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("executing again with allocator settings: %w", err)
	}
	return fmt.Errorf("executing %s again with allocator settings: %w", path, syscall.Exec(path, os.Args, env))
}

// tune returns the environment with the settings added that it lacks, and their names.
func tune(environ []string) (env, added []string) {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if name == TunedEnv {
			continue // a parent's
		}
		env = append(env, entry)
		values[name] = value
	}
	for _, s := range allocator {
		before, set := values[s.name]
		switch {
		case s.name == tunablesEnv && before != "":
			if strings.Contains(before, hugePages) {
				continue
			}
			env = slices.DeleteFunc(env, func(entry string) bool { return strings.HasPrefix(entry, tunablesEnv+"=") })
			env = append(env, tunablesEnv+"="+before+":"+s.value)
		case set:
			continue
		default:
			env = append(env, s.name+"="+s.value)
		}
		added = append(added, s.name)
	}
	return env, added
}

// untune takes the settings that tune added out of the process's environment. glibc has read them by now.
func untune(pid, added string) error {
	for name := range strings.SplitSeq(added, ",") {
		var err error
		before, cut := strings.CutSuffix(os.Getenv(name), ":"+hugePages+"=1")
		switch {
		case name == "":
			continue
		case name == tunablesEnv && cut:
			err = os.Setenv(name, before)
		default:
			err = os.Unsetenv(name)
		}
		if err != nil {
			return fmt.Errorf("restoring %s: %w", name, err)
		}
	}
	if err := os.Setenv(TunedEnv, pid); err != nil {
		return fmt.Errorf("setting %s: %w", TunedEnv, err)
	}
	return nil
}

// usesGlibc reports whether glibc is in the process: a static program or one on musl has no use for its settings.
func usesGlibc() bool {
	maps, err := os.ReadFile("/proc/self/maps")
	return err == nil && (bytes.Contains(maps, []byte("/libc.so.6")) || bytes.Contains(maps, []byte("/libc-2.")))
}
