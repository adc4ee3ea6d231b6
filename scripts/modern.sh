#!/usr/bin/env bash
# Trains ConvMixer-256/8, the Mixer of 1.1 million parameters and ViT-Lite-7/4 by
# today's recipes on CIFAR-10, three seeds each, and writes what there is so far
# beside the accuracies that others reached into results/modern.md:
#
#   scripts/modern.sh DATA_DIR [OUT] [MODEL …]
#
# DATA_DIR holds CIFAR-10 in its official layout. OUT (default build/modern) keeps
# modern.db, checkpoints and a log a run. Hours on a GPU, months on two cores:
# interrupt it at will, or bound each run by MODERN_LIMIT (such as 40m, as
# timeout(1) reads it); the next call goes on, bit for bit, where the last one
# stopped. SEEDS="1" trains one seed, MODERN_ARGS are more flags of "patchlab
# train". The table in results/ was made so, on two busy cores:
#
#   SEEDS=1 MODERN_LIMIT=25m scripts/modern.sh DATA_DIR build/modern convmixer-256-8
#   SEEDS=1 MODERN_LIMIT=6m scripts/modern.sh DATA_DIR build/modern mixer-128-8
#   SEEDS=1 MODERN_LIMIT=5m MODERN_ARGS="--train-limit 10000 --test-limit 2000" \
#       scripts/modern.sh DATA_DIR build/modern vit-lite-7-4
#
# The report is made by "go run ./bench/modern".
set -euo pipefail
data=${1:?usage: scripts/modern.sh DATA_DIR [OUT] [MODEL …]}
out=${2:-build/modern}
[ $# -lt 2 ] || shift
shift
[ $# -gt 0 ] || set -- convmixer-256-8 mixer-128-8 vit-lite-7-4
db=$out/modern.db
mkdir -p "$out" bin
go build -o bin/patchlab ./cmd/patchlab
train() { # 124 is timeout's: the run has written its checkpoint
	timeout --signal=INT "${MODERN_LIMIT:-0}" ./bin/patchlab train --db "$db" --data-dir "$data" "$@" || [ $? -eq 124 ]
}
for seed in ${SEEDS:-1 2 3}; do
	for model in "$@"; do
		name=$model-$seed
		log=$out/$name.log
		if grep -q '^test top-1' "$log" 2>/dev/null; then
			echo "$name is complete"
		elif ./bin/patchlab runs show "$name" --db "$db" >/dev/null 2>&1; then
			train --resume "$name" 2>&1 | tee -a "$log"
		else
			train --model "$model" --recipe-name modern --seed "$seed" --name "$name" --experiment modern ${MODERN_ARGS:-} 2>&1 | tee "$log"
		fi
	done
done
go run ./bench/modern -db "$db" -o results/modern.md
