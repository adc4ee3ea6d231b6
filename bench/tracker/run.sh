#!/bin/sh
# Runs the tracker's own benchmarks and writes their figures, behind the
# machine, the date and how busy the machine was, to RESULTS/tracker-benchmarks.txt.
#
#     bench/tracker/run.sh [RESULTS]
#
# COUNT is how often each runs (3), BENCH which (all: .), TIME how long each
# (go test's -benchtime; 2s).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
results=${1:-$root/results}
cd "$root"
binary=$(mktemp)
lines=$(mktemp)
trap 'rm -f "$binary" "$lines"' EXIT INT TERM

go test -c -o "$binary" ./tracker
{
	echo "command: COUNT=${COUNT:-3} BENCH=${BENCH:-.} TIME=${TIME:-2s} bench/tracker/run.sh"
	echo "date: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
	echo "commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown)$(test -z "$(git status --porcelain -- tracker 2>/dev/null)" || echo ', tracker changed since')"
	echo "cpu: $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(getconf _NPROCESSORS_ONLN) CPUs"
	echo "memory: $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
	echo "file system: $(df -PT "${TMPDIR:-/tmp}" | awk 'NR == 2 { print $2 }')"
	echo "system: $(uname -srm), $(go version | cut -d ' ' -f 3)"
	echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
	echo
	(cd tracker && "$binary" -test.run xxx -test.bench "${BENCH:-.}" -test.count "${COUNT:-3}" -test.benchtime "${TIME:-2s}" -test.timeout 60m)
	echo
	echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
} >"$lines"
mkdir -p "$results"
cp "$lines" "$results/tracker-benchmarks.txt"
cat "$lines"
