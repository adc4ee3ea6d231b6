#!/usr/bin/env bash
# Runs the dieharder battery (Debian: apt-get install dieharder) on the words that
# decide dropout's masks, into RESULTS/dropout.txt:
#
#     bench/dropout/run.sh [RESULTS]
#
# TESTS are dieharder's numbers of tests (default: all that it calls good, but 201,
# which alone takes longer than the others together).
# A quarter of an hour on a machine left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
results=${1:-results}
folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill $(jobs -p) 2>/dev/null || true' EXIT
command -v dieharder >/dev/null || { echo "$0: dieharder is missing; Debian: apt-get install dieharder" >&2; exit 1; }
go test -c -o "$folder/models" ./models
mkfifo "$folder/words"
go run ./cmd/patchlab setup --no-data >/dev/null # XLA writes the words
{
	echo "command: TESTS='${TESTS:-}' bench/dropout/run.sh"
	echo "date: $(date -u +%Y-%m-%dT%H:%M:%SZ), $(dieharder -h 2>&1 | grep -o 'version [0-9.]*' | head -n 1)"
	echo "words: seeds 1, 2, 3 and so on, for each 8 sites of 2^20 elements"
	echo
	echo "        test_name   |ntup| tsamples |psamples|  p-value |Assessment"
	for test in ${TESTS:-0 1 2 3 4 8 9 10 11 12 13 15 16 17 100 101 102 200 202 203 204 205 206 207 208 209}; do
		PATCHLAB_RANDOM_BITS="$folder/words" "$folder/models" -test.run '^TestWriteRandomBits$' -test.timeout 10h >/dev/null &
		dieharder -g 200 -d "$test" -D test_name -D ntuple -D tsamples -D psamples -D pvalues -D assessment <"$folder/words"
		kill %% 2>/dev/null || true
		wait 2>/dev/null || true
	done
} | tee "$folder/dropout.txt"
cp "$folder/dropout.txt" "$results/dropout.txt"
