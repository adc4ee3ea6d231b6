#!/bin/sh
# Measures Patchlab's kernel beside plain GoNB, in one run, interleaved: the same client, the same cells, the same
# programs (gonb, gopls, goimports) and the same module.
#
#     bench/kernel/run.sh [RESULTS]
#
# ROUNDS changes how often (5). It makes the Python environment and the kernel's programs where they are missing, fills
# Go's build cache, and writes the table of the medians to RESULTS/kernel.csv and .md (results/ where nothing is said).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
results=${1:-$root/results}
rounds=${ROUNDS:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

cd "$root"
scripts/python-env.sh jupyter kernel/testdata/requirements.txt
go build -o "$work/patchlab" ./cmd/patchlab
tools=$("$work/patchlab" kernel install --tools-only)
"$work/patchlab" setup --no-data >&2
"$work/patchlab" kernel install --prefix "$work/env" >&2
"$work/patchlab" kernel warm >&2

# Plain GoNB as its own installer would make it, with the module as its workspace, and XLA's plugin as ours finds it.
mkdir -p "$work/env/share/jupyter/kernels/gonb"
"$root/.venv/jupyter/bin/python" - "$work" "$tools" "$root" <<'END'
import json, os, sys
work, tools, root = sys.argv[1:]
kernels = f"{work}/env/share/jupyter/kernels"
env = json.load(open(f"{kernels}/patchlab/kernel.json")).get("env", {})
env["PATH"] = tools + ":" + os.environ["PATH"]
json.dump({
    "argv": [tools + "/gonb", "--kernel", "{connection_file}", "--go_work=" + root],
    "display_name": "Go (gonb)", "language": "go", "interrupt_mode": "message", "env": env,
}, open(f"{kernels}/gonb/kernel.json", "w"))
END

export JUPYTER_PATH="$work/env/share/jupyter" JUPYTER_RUNTIME_DIR="$work/run"
cd "$work" # notebooks work from any folder
round=1
while [ "$round" -le "$rounds" ]; do
	for kernel in patchlab gonb; do
		echo "round $round: $kernel" >&2
		"$root/.venv/jupyter/bin/python" "$here/bench.py" "$kernel" 2>"$work/log" >>"$work/lines" || { cat "$work/log" >&2; exit 1; }
	done
	round=$((round + 1))
done
load=$(uptime | sed 's/.*load/load/')
machine="$(date -u +%Y-%m-%d), $("$work/patchlab" doctor 2>/dev/null | head -1 || true), $(go version | cut -d' ' -f3), $load, commit $(git -C "$root" rev-parse --short HEAD)."
"$root/.venv/jupyter/bin/python" "$here/table.py" "$work/lines" "$results/kernel.csv" "$results/kernel.md" "$machine"
cat "$results/kernel.md"
