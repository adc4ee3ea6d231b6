#!/bin/sh
# Compares `patchlab serve` with `mlflow server` on SQLite: batches of 1,000
# points, in one run, interleaved. Writes RESULTS/serve.md (results/ where
# nothing is said). ROUNDS and SECONDS_EACH change how long.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
results=${1:-$root/results}
work=$(mktemp -d)
servers=
trap 'for s in $servers; do kill "$s" 2>/dev/null || true; done; rm -rf "$work"' EXIT INT TERM
export MLFLOW_DISABLE_TELEMETRY=true
cd "$root"
scripts/python-env.sh mlflow tracker/server/testdata/requirements.txt
go build -o "$work/patchlab" ./cmd/patchlab
python=$root/.venv/mlflow/bin/python
"$work/patchlab" serve --db "$work/lab.db" --addr 127.0.0.1:5071 >"$work/ours.log" 2>&1 &
servers="$servers $!"
"$python" -m mlflow server --backend-store-uri "sqlite:///$work/mlflow.db" --artifacts-destination "$work/artifacts" \
	--host 127.0.0.1 --port 5072 --workers 1 >"$work/mlflow.log" 2>&1 &
servers="$servers $!"
for port in 5071 5072; do
	until "$python" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/health')" 2>/dev/null; do sleep 1; done
done
mkdir -p "$results"
{
	echo "# Two servers of MLflow's protocol, side by side"
	echo
	echo "\`bench/trackers/serve.sh\`, $(date +%F), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ //'), $(nproc) CPUs; load before: $(cut -d' ' -f1 /proc/loadavg)."
	echo "Points a second, durable, in batches of 1,000, one client."
	echo
	echo "| server | through the mlflow client | plain requests |"
	echo "|---|---|---|"
	for round in $(seq "${ROUNDS:-2}"); do
		"$python" "$here/serve.py" "patchlab serve, round $round" http://127.0.0.1:5071 "${SECONDS_EACH:-10}" 2>/dev/null
		"$python" "$here/serve.py" "mlflow server (SQLite, 1 worker), round $round" http://127.0.0.1:5072 "${SECONDS_EACH:-10}" 2>/dev/null
	done
	echo
	echo "Through the client, most of the time of a batch is the client's own."
} | tee "$results/serve.md"
