#!/bin/sh
# Makes the Python environment .venv/NAME from a requirements file whose every line is pinned by hash.
#
#     scripts/python-env.sh NAME REQUIREMENTS [--system-site-packages]
#
# The file names all packages, those that others need too; with the option the environment has the
# system's besides. It does nothing where that environment stands already: a stamp in it holds the
# digest of the requirements and the version of Python. PATCHLAB_PYTHON names another interpreter
# than python3.
# pip finds its packages where the machine's own configuration tells it to.
set -eu

if [ $# -ne 2 ] && [ "$# ${3:-}" != "3 --system-site-packages" ]; then
	echo "usage: $0 NAME REQUIREMENTS [--system-site-packages]" >&2
	exit 2
fi
name=$1
requirements=$2
case $name in
*[!a-z0-9-]* | "") echo "$0: name '$name', allowed are small letters, digits and -" >&2; exit 2 ;;
esac
if [ ! -f "$requirements" ]; then
	echo "$0: no file $requirements" >&2
	exit 2
fi

python=${PATCHLAB_PYTHON:-python3}
if ! version=$("$python" -c 'import sys, venv, ensurepip; print(sys.version)' 2>&1); then
	echo "$0: $python cannot make environments (Debian: apt-get install python3-venv): $version" >&2
	exit 1
fi

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv/$name
stamp=$(printf '%s\n' "$version" | cat - "$requirements" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

# One installer at a time; the second finds the first one's stamp.
mkdir -p "$root/.venv"
if command -v flock >/dev/null && [ "${PATCHLAB_ENV_LOCKED:-}" != "$name" ]; then
	PATCHLAB_ENV_LOCKED=$name exec flock "$root/.venv/$name.lock" "$0" "$@"
fi

echo "making Python environment $venv (hundreds of megabytes, once)" >&2
rm -rf "$venv"
"$python" -m venv ${3:-} "$venv"
"$venv/bin/python" -m pip install --progress-bar off --disable-pip-version-check --require-hashes --no-deps -r "$requirements"
printf '%s\n' "$stamp" >"$venv/stamp"
