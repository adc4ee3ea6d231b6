#!/bin/sh
# Compares experiment trackers: the same work in each, in one run, interleaved.
#
#     bench/trackers/run.sh [RESULTS]
#
# RUNS, STEPS, ROUNDS change how much (10, 1000, 3); TRACKERS which. It makes
# the pinned environments where they are missing, and writes the table of the
# medians to RESULTS/trackers.csv and .md (results/ where nothing is said).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
results=${1:-$root/results}
runs=${RUNS:-10} steps=${STEPS:-1000} rounds=${ROUNDS:-3}
trackers=${TRACKERS:-patchlab mlflow fasttrackml aim trackio wandb tensorboard}
work=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
export MLFLOW_DISABLE_TELEMETRY=true AIM_DISABLE_TELEMETRY=1 GIT_PYTHON_REFRESH=quiet HF_HUB_OFFLINE=1

cd "$root"
go build -o "$work/ours" ./bench/trackers/ours
for tracker in $trackers; do
	case $tracker in
	patchlab) ;;
	mlflow) scripts/python-env.sh mlflow tracker/server/testdata/requirements.txt ;;
	*) scripts/python-env.sh "$tracker" "$here/requirements/$tracker.txt" ;;
	esac
done

round=1
while [ "$round" -le "$rounds" ]; do
	for tracker in $trackers; do
		folder=$work/$tracker-$round
		mkdir "$folder"
		echo "round $round: $tracker" >&2
		case $tracker in
		patchlab) "$work/ours" "$folder" "$runs" "$steps" >>"$work/lines" ;;
		*)
			if [ "$tracker" = fasttrackml ]; then
				(cd "$folder" && exec "$root/.venv/fasttrackml/bin/fml" server --listen-address 127.0.0.1:5039 \
					--database-uri "sqlite://$folder/fml.db" --default-artifact-root "$folder/artifacts") >"$work/fml.log" 2>&1 &
				server=$!
				export FASTTRACKML_URI=http://127.0.0.1:5039
				tries=0
				until "$root/.venv/fasttrackml/bin/python" -c "import socket; socket.create_connection(('127.0.0.1', 5039), 1)" 2>/dev/null; do
					tries=$((tries + 1))
					if [ "$tries" -ge 120 ]; then echo "FastTrackML's server does not start" >&2; break; fi
					sleep 0.5
				done
			fi
			# Peers print to stdout too: theirs is the last line.
			if "$root/.venv/$tracker/bin/python" "$here/work.py" "$tracker" "$folder" "$runs" "$steps" >"$work/out" 2>"$work/err"; then
				tail -1 "$work/out" >>"$work/lines"
			else
				echo "$tracker failed:" >&2
				tail -5 "$work/err" >&2
			fi
			if [ -n "$server" ]; then kill "$server"; wait "$server" || true; server=; fi
			;;
		esac
		rm -rf "$folder"
	done
	round=$((round + 1))
done
mkdir -p "$results"
python3 "$here/table.py" "$work/lines" "$results/trackers" "$root"
