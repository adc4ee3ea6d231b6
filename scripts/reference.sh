#!/usr/bin/env bash
# Trains the ten reference configurations on CIFAR-10 and keeps runs and logs:
#
#   scripts/reference.sh DATA_DIR [OUT] [MODEL:EPOCHS …]
#
# DATA_DIR holds CIFAR-10 in its official layout. OUT (default build/reference)
# receives reference.db and a log a run; results/reference.csv is made from the
# database by "go run ./bench/reference". SEEDS="1 2 3" trains three seeds each.
# A run that its log calls complete is not made again, one that was interrupted
# is resumed.
set -euo pipefail
data=${1:?usage: scripts/reference.sh DATA_DIR [OUT] [MODEL:EPOCHS …]}
out=${2:-build/reference}
[ $# -lt 2 ] || shift
shift
[ $# -gt 0 ] || set -- mixer-4:30 convmixer:25 convmixer-mixer:18 mixer-1:14 mixer-2:50 \
	mixer1-vit1:50 mixer2-vit1:29 vit-1:50 vit-2:50 vit-vis:15
mkdir -p "$out" bin
go build -o bin/patchlab ./cmd/patchlab
for seed in ${SEEDS:-1}; do
	for spec in "$@"; do
		model=${spec%:*} epochs=${spec#*:} name=${spec%:*}-$seed
		log=$out/$name.log
		if grep -q '^test top-1' "$log" 2>/dev/null; then
			echo "$name is complete"
		elif ./bin/patchlab runs show "$name" --db "$out/reference.db" >/dev/null 2>&1; then
			./bin/patchlab train --resume "$name" --db "$out/reference.db" --data-dir "$data" 2>&1 | tee -a "$log"
		else
			./bin/patchlab train --model "$model" --epochs "$epochs" --seed "$seed" --name "$name" \
				--experiment reference --db "$out/reference.db" --data-dir "$data" 2>&1 | tee "$log"
		fi
	done
done
