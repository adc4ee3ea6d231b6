#!/usr/bin/env bash
# How cost grows: a Mixer, a ViT, a ConvMixer and a hybrid of two blocks each, on
# the same table of 64 tokens of 64 channels, against tokens, channels, depth and
# batch, each measurement in a process of its own:
#
#     bench/scaling/run.sh [RESULTS]
#
# The table is written to RESULTS/scaling.md, its numbers to scaling.csv, figures
# to scaling.svg and, where the four lie under the machine's roofline, to
# roofline.svg. ROUNDS (1) is how often all is measured, in turn, NICE (10) the
# priority, AXES (tokens,dim,depth,batch) what the cost is measured against. Ctrl-C
# ends it; a model whose file is in build/scaling already is not measured again.
# Four minutes a round on two cores; other work on the machine is noted, and hardly
# changes the exponents, for they are fitted to processor time.
set -euo pipefail
cd "$(dirname "$0")/../.."
results=${1:-results}
out=build/scaling
mkdir -p "$out"
go build -o "$out/patchlab" ./cmd/patchlab
configs=(mixer:2 vit:2 convmixer:2 mixer:1,vit:1)
table=(--image-size 32 --patch-size 4 --dim 64)
files=()
for config in "${configs[@]}"; do
	file=$out/$config.json
	files+=("$file")
	if [ -s "$file" ]; then
		echo "$file is there"
		continue
	fi
	nice -n "${NICE:-10}" "$out/patchlab" bench "$config" "${table[@]}" \
		--against "${AXES:-tokens,dim,depth,batch}" --rounds "${ROUNDS:-1}" --format json >"$file.part"
	mv "$file.part" "$file"
done
go run ./bench/scaling "$results" "${files[@]}"
"$out/patchlab" bench "${configs[@]}" "${table[@]}" --roofline "$results/roofline.svg"
