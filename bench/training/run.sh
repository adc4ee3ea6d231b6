#!/usr/bin/env bash
# Measures training and inference of the reference configurations in Patchlab,
# Keras, JAX and PyTorch, side by side (see README.md):
#
#   bench/training/run.sh [--quick] [--rounds N] [--configs A,B] [--tools A,B]
#                         [--data-dir DIR] [--resume]      (--help: all of them)
#
# It makes the pinned Python environments where they are missing (PyTorch's
# brings CUDA's libraries, 3 GB to fetch). Ctrl-C shows what was measured so far.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build
go build -buildvcs=auto -o build/bench-training-driver ./bench/training
exec build/bench-training-driver "$@"
