#!/usr/bin/env bash
# How cost grows: a Mixer, a ViT, a ConvMixer and a hybrid of two blocks each, on
# the same table of 64 tokens of 64 channels, against tokens, channels, depth and
# batch, each measurement in a process of its own:
#
#     bench/scaling/run.sh [RESULTS]
#
# The table is written to RESULTS/scaling.md, its numbers to scaling.csv, a figure
# to scaling.svg. ROUNDS (3) is how often all is measured, in turn; Ctrl-C ends
# the measuring and keeps what is there. An hour or so on two cores; other work on
# the machine is noted, and hardly changes the exponents, for they are fitted to
# processor time.
set -euo pipefail
cd "$(dirname "$0")/../.."
results=${1:-results}
mkdir -p build/scaling
go build -o build/scaling/patchlab ./cmd/patchlab
trap : INT # ends the measuring, not the script
nice -n 10 build/scaling/patchlab bench mixer:2 vit:2 convmixer:2 mixer:1,vit:1 --image-size 32 --patch-size 4 --dim 64 \
	--against tokens,dim,depth,batch --rounds "${ROUNDS:-3}" --format json >build/scaling/bench.json || true
go run ./bench/scaling build/scaling/bench.json "$results"
