package main

import (
	"context"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"patchlab/backend"
)

// maxDiff bounds the uncommitted changes that a run keeps, in bytes.
const maxDiff = 4 << 20

// environment is what a run records of where it ran, and the uncommitted
// changes of the git work tree that it ran in, if it did.
func environment(ctx context.Context, info backend.Info) (env map[string]string, diff string) {
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
	}
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return env, "" // no git, or not in a work tree
	}
	env["git_commit"] = strings.TrimSpace(string(commit))
	out, err := exec.CommandContext(ctx, "git", "diff", "HEAD").Output()
	env["git_dirty"] = "no"
	if err == nil && len(out) > 0 {
		env["git_dirty"] = "yes"
		diff = string(out[:min(len(out), maxDiff)])
	}
	return env, diff
}
