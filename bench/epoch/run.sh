#!/bin/sh
# What an epoch of "patchlab train" costs beyond its bare steps, part by part, with
# the machine, the date and how busy the machine was, into RESULTS/epoch.txt.
#
#     bench/epoch/run.sh [RESULTS]
#
# COUNT is how often each configuration is measured (3), BENCH which (all: .), and
# PATCHLAB_BENCH_IMAGES how many images train (all). PATCHLAB_TEST_DATA names
# CIFAR-10's folder; without it the built-in shapes serve. A quarter of an hour on
# two cores left alone.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
results=${1:-$root/results}
cd "$root"
binary=$(mktemp)
lines=$(mktemp)
trap '[ $? = 0 ] || cat "$lines" >&2; rm -f "$binary" "$lines"' EXIT
trap 'exit 1' INT TERM

go test -c -o "$binary" ./cmd/patchlab
{
	echo "command: COUNT=${COUNT:-3} BENCH=${BENCH:-.} PATCHLAB_BENCH_IMAGES=${PATCHLAB_BENCH_IMAGES:-0} bench/epoch/run.sh"
	echo "date: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
	echo "images: ${PATCHLAB_TEST_DATA:+CIFAR-10}${PATCHLAB_TEST_DATA:-the built-in shapes}" | sed 's|CIFAR-10/.*|CIFAR-10|'
	echo "cpu: $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(getconf _NPROCESSORS_ONLN) CPUs"
	echo "file system: $(df -PT "${TMPDIR:-/tmp}" | awk 'NR == 2 { print $2 }')"
	echo "system: $(uname -srm), $(go version | cut -d ' ' -f 3)"
	echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
	echo
	"$binary" -test.run '^$' -test.bench "Epoch/(${BENCH:-.})" -test.count "${COUNT:-3}" -test.benchtime 1x -test.timeout 180m
	echo
	echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
} >"$lines"
mkdir -p "$results"
cp "$lines" "$results/epoch.txt"
cat "$lines"
