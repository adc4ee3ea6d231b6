#!/usr/bin/env bash
# Which hybrid pays for its time? Six architectures on one table of 64 tokens of
# 64 channels, three seeds each, by quickstart's short recipe on CIFAR-10:
#
#   scripts/hybrids.sh DATA_DIR [OUT]
#
# The report is written to results/hybrids.md, its figure to results/hybrids.svg.
# OUT (default build/hybrids) keeps the database. About six minutes on two cores;
# what is there already is not trained again.
set -euo pipefail
data=${1:?usage: scripts/hybrids.sh DATA_DIR [OUT]}
out=${2:-build/hybrids}
db=$out/hybrids.db
mkdir -p "$out" bin
go build -o bin/patchlab ./cmd/patchlab
for seed in 1 2 3; do
	for model in mixer:2 vit:1 mixer:1,vit:1 vit:1,mixer:1 convmixer:1 convmixer:1,mixer:1; do
		name=$model-$seed
		if ./bin/patchlab runs show "$name" --db "$db" >/dev/null 2>&1; then
			echo "$name is there"
			continue
		fi
		./bin/patchlab train --model "$model" --image-size 32 --patch-size 4 --dim 64 --dropout 0.1 \
			--data-dir "$data" --train-limit 7680 --test-limit 2000 --epochs 5 --batch 32 \
			--seed "$seed" --name "$name" --experiment hybrids --db "$db"
	done
done
./bin/patchlab compare --db "$db" --output results/hybrids.md
./bin/patchlab compare --db "$db" --figure pareto --output results/hybrids.svg
