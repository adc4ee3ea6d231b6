#!/bin/sh
# Measures a tracker with many runs: recorded node by node, merged, then asked.
# Writes RESULTS/tracker-scale.md (results/ where nothing is said).
#
#     bench/tracker/scale.sh [RESULTS]
#
# NODES (100) databases of RUNS (1000) runs, 1,000 points each, are merged into
# one, 1.3 GB in a temporary folder, which is removed afterwards. It takes half an
# hour on two quiet cores; `nice bench/tracker/scale.sh` leaves them to others. With
# DATA=FOLDER the tracker is made there, gone on with where there is one, and kept.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
results=${1:-$root/results}
cd "$root"
work=$(mktemp -d)
data=${DATA:-$work/data}
mkdir -p "$data"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

go build -o "$work/scale" ./bench/tracker/scale
load() { cut -d ' ' -f 1-3 /proc/loadavg; }
{
	echo "# A tracker with many runs"
	echo
	echo "\`${DATA:+DATA=FOLDER }NODES=${NODES:-100} RUNS=${RUNS:-1000} make bench-scale\`, $(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(getconf _NPROCESSORS_ONLN) CPUs, $(sed -n 's/^MemTotal: *//p' /proc/meminfo), $(df -PT "$data" | awk 'NR == 2 { print $2 }'), $(go version | cut -d ' ' -f 3), commit $(git rev-parse --short HEAD)."
	echo "Load average $(load) before,"
	"$work/scale" fill "$data" "${NODES:-100}" "${RUNS:-1000}" >"$work/fill"
	echo "$(load) between writing and reading."
	echo
	cat "$work/fill"
	"$work/scale" ask "$data"
	echo
	echo "Load average $(load) after. By the clock: the median of several; of the processor (all threads): the mean."
	echo "Where the machine is busy, the clock says more about that than about the tracker. The first run of a"
	echo "database is its seed."
} >"$work/table"
mkdir -p "$results"
cp "$work/table" "$results/tracker-scale.md"
cat "$work/table"
