#!/bin/sh
# Compares `patchlab serve` with `mlflow server` on SQLite: batches of 1,000
# points, in turn. Writes RESULTS/serve.md (results/ where nothing is said).
#
#     bench/trackers/serve.sh [RESULTS]
#
# ROUNDS (5, at least 3) and SECONDS_EACH (10) change how long; WORKERS (1) how
# many processes mlflow server has, of which one client uses one at a time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
results=${1:-$root/results}
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-10} workers=${WORKERS:-1}
if [ "$rounds" -lt 3 ]; then
	echo "$0: ROUNDS is $rounds, a median needs at least 3" >&2
	exit 2
fi
mkdir -p "$results"
results=$(cd "$results" && pwd)
work=$(mktemp -d)
servers=
stop() {
	for s in $servers; do kill "$s" 2>/dev/null || true; done
	for s in $servers; do wait "$s" 2>/dev/null || true; done
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM
export MLFLOW_DISABLE_TELEMETRY=true GIT_PYTHON_REFRESH=quiet
cd "$root"
scripts/python-env.sh mlflow tracker/server/testdata/requirements.txt
python=$root/.venv/mlflow/bin/python
load=$(cut -d' ' -f1 /proc/loadavg)
commit=$(git rev-parse --short HEAD)
git diff --quiet HEAD -- tracker cmd || commit=$commit+changes
go build -o "$work/patchlab" ./cmd/patchlab

port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
ours=$(port)
theirs=$(port)
"$work/patchlab" serve --db "$work/lab.db" --addr "127.0.0.1:$ours" >"$work/ours.log" 2>&1 &
servers="$servers $!"
"$python" -m mlflow server --backend-store-uri "sqlite:///$work/mlflow.db" --artifacts-destination "$work/artifacts" \
	--host 127.0.0.1 --port "$theirs" --workers "$workers" >"$work/mlflow.log" 2>&1 &
servers="$servers $!"
for p in $ours $theirs; do
	tries=0
	until "$python" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$p/health', timeout=5)" 2>/dev/null; do
		tries=$((tries + 1))
		if [ "$tries" -ge 300 ]; then
			echo "$0: a server does not start:" >&2
			tail -5 "$work/ours.log" "$work/mlflow.log" >&2
			exit 1
		fi
		sleep 1
	done
done
version=$("$python" -c 'import importlib.metadata as m, platform; print("mlflow %s, Python %s" % (m.version("mlflow"), platform.python_version()))')
one() {
	if ! "$python" "$here/serve.py" "$1" "http://127.0.0.1:$2" "$seconds" >"$work/out" 2>"$work/err"; then
		echo "$1 failed:" >&2
		tail -5 "$work/err" >&2
		exit 1
	fi
	tail -1 "$work/out" >>"$work/lines"
}
round=1
while [ "$round" -le "$rounds" ]; do
	echo "round $round of $rounds" >&2
	one "patchlab serve" "$ours"
	one "mlflow server (SQLite, $workers worker)" "$theirs"
	round=$((round + 1))
done
"$python" "$here/serve_table.py" "$work/lines" "ROUNDS=$rounds SECONDS_EACH=$seconds bench/trackers/serve.sh" \
	"patchlab $commit, $(go env GOVERSION), $version" "$load" >"$work/serve.md"
cp "$work/serve.md" "$results/serve.md"
cat "$results/serve.md"
