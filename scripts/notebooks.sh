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
bin/patchlab kernel warm # or the first start does it, and says so below a cell
root=$PWD
for name in "${names[@]}"; do
	cd "$work/release/$name" # so that the notebook names no folder of this machine
	"$root/bin/patchlab" notebook run "$name.ipynb" -o "$name.ipynb"
	cp "$name.ipynb" "$root/notebooks"
done
