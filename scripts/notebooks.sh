#!/usr/bin/env bash
# Runs the six notebooks on shapes with their own parameters and keeps the outputs in
# them: what readers see. It needs `patchlab kernel install`; about ten minutes on two
# cores with XLA.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
go build -o bin/patchlab ./cmd/patchlab
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATCHLAB_DB=$work/course.db PATCHLAB_DATA_DIR= PATCHLAB_OFFLINE=1
cd notebooks
for notebook in 0*.ipynb; do
	../bin/patchlab notebook run "$notebook" -o "$notebook"
done
