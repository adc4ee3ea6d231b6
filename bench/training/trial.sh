#!/usr/bin/env bash
# Sets a commit's processor time for training, inference and the first step
# beside that of the working tree, in turn:
#
#     bench/training/trial.sh COMMIT [--configs A,B] [--rounds N] [--seconds S]
#
# Quote the ratios (above 1: the working tree takes less). The commit must have
# bench/training/trial.go.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=${1:?usage: $0 COMMIT [--configs A,B] [--rounds N] [--seconds S]}
shift
mkdir -p build
old=build/trial-$(git rev-parse --short "$commit")
if [ ! -x "$old" ]; then
	tree=$(mktemp -d)
	trap 'git worktree remove --force "$tree"' EXIT
	git worktree add --quiet --detach "$tree" "$commit"
	(cd "$tree" && go build -o "$OLDPWD/$old" ./bench/training)
fi
go build -o build/trial-new ./bench/training
build/trial-new trial "$@" "$old" build/trial-new
