#!/usr/bin/env bash
# Makes the six notebooks of notebooks/answers, the source of both: nbgrader takes
# the solutions out, then each is run on shapes with its own parameters and keeps
# its outputs, which is what readers see. It needs `make deps` and `patchlab kernel
# install`; a quarter of an hour or so on two cores with XLA.
#
#   scripts/notebooks.sh [NAME…]    all, or those such as 02-vit
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
go build -o bin/patchlab ./cmd/patchlab
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r notebooks/answers notebooks/nbgrader_config.py "$work"
PATH=$PWD/.venv/jupyter/bin:$PATH # nbgrader calls programs of its environment
(cd "$work" && nbgrader generate_assignment --create --assignment '*')
export PATCHLAB_DB=$work/course.db PATCHLAB_DATA_DIR= PATCHLAB_OFFLINE=1
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	names=($(ls notebooks/answers))
fi
for name in "${names[@]}"; do
	notebook=$work/release/$name/$name.ipynb
	bin/patchlab notebook run "$notebook" -o "$notebook"
	cp "$notebook" "notebooks/$name.ipynb"
done
