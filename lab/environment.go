package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"patchlab/backend"
)

// maxDiff bounds the uncommitted changes that a run keeps, in bytes.
const maxDiff = 4 << 20

// Environment is what a run records of where it ran: machine, backend,
// versions, and the commit of the git work tree that it was started in with its
// uncommitted changes, if it was in one.
func Environment(ctx context.Context, info backend.Info) (env map[string]string, diff []byte) {
	env = map[string]string{"go": runtime.Version()}
	for _, part := range []map[string]string{backend.Describe().Environment(), info.Environment()} {
		for k, v := range part {
			if v != "" {
				env[k] = v
			}
		}
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, m := range b.Deps {
			switch m.Path {
			case "github.com/gomlx/gomlx", "github.com/gomlx/compute", "github.com/gomlx/go-xla", "github.com/mattn/go-sqlite3":
				env["module."+m.Path[strings.LastIndexByte(m.Path, '/')+1:]] = m.Version
			}
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" { // of the program itself, when it was built in its repository
				env["build_commit"] = s.Value
			}
		}
	}
	for k, v := range gitState(ctx, &diff) {
		env[k] = v
	}
	return env, diff
}

// gitState is the state of the work tree around the current folder: git_commit,
// git_dirty (yes, no or unknown), and git_diff_truncated where the changes were
// too many to keep. Untracked files count if they are Go or notebooks: others,
// such as the tracker's own, decide no result.
func gitState(ctx context.Context, diff *[]byte) map[string]string {
	root, err := git(ctx, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil // no git, or not in a work tree
	}
	dir := strings.TrimSpace(string(root))
	state := map[string]string{"git_dirty": "unknown"}
	commit, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return state // no commit yet
	}
	state["git_commit"] = strings.TrimSpace(string(commit))
	changed, err := git(ctx, dir, "diff", "--no-ext-diff", "--no-color", "--binary", "HEAD")
	if err != nil {
		return state
	}
	added, err := git(ctx, dir, "ls-files", "--others", "--exclude-standard", "-z", "--", "*.go", "*.ipynb", "go.mod", "go.sum")
	if err != nil {
		return state
	}
	*diff = changed
	for name := range strings.SplitSeq(strings.TrimRight(string(added), "\x00"), "\x00") {
		if name == "" || len(*diff) > maxDiff {
			continue
		}
		*diff = append(*diff, addition(dir, name)...)
	}
	state["git_dirty"] = "no"
	if len(*diff) > 0 {
		state["git_dirty"] = "yes"
	}
	if len(*diff) > maxDiff {
		*diff = (*diff)[:maxDiff]
		state["git_diff_truncated"] = "yes"
	}
	return state
}

func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	return cmd.Output()
}

// addition is a new file as a patch that git apply takes.
func addition(dir, name string) []byte {
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || len(content) == 0 {
		return fmt.Appendf(nil, "diff --git a/%s b/%s\nnew file mode 100644\n", name, name)
	}
	lines := bytes.SplitAfter(content, []byte("\n"))
	whole := len(lines[len(lines)-1]) == 0
	if whole {
		lines = lines[:len(lines)-1]
	}
	patch := fmt.Appendf(nil, "diff --git a/%s b/%s\nnew file mode 100644\n--- /dev/null\n+++ b/%s\n@@ -0,0 +1,%d @@\n", name, name, name, len(lines))
	for _, line := range lines {
		patch = append(append(patch, '+'), line...)
	}
	if !whole {
		patch = append(patch, "\n\\ No newline at end of file\n"...)
	}
	return patch
}
