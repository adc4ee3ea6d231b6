#!/usr/bin/env bash
# The README's pictures of the live page, made anew:
#
#   scripts/screenshots.sh [OUT]
#
# Trains small models on `shapes` with the pure-Go backend, one of them still
# running while Chromium looks, and writes docs/page-*.png. OUT (default
# build/screenshots) keeps the database; what is there is not trained again.
# About five minutes on two cores. PATCHLAB names a built program to use instead
# of building one.
set -euo pipefail
out=${1:-build/screenshots}
mkdir -p "$out" docs
program=${PATCHLAB:-}
if [ -z "$program" ]; then
	go build -o "$out/patchlab" ./cmd/patchlab
	program=$out/patchlab
fi
program=$(realpath "$program")
browser=
for name in chromium chromium-browser google-chrome; do
	if command -v "$name" >/dev/null; then browser=$name; break; fi
done
: "${browser:?no Chromium in PATH: scripts/chromium.sh installs it}"
docs=$(realpath docs)
cd "$out"

shapes=(train --db lab.db --backend go --data shapes --experiment shapes --image-size 16 --patch-size 4 --dim 32 --dropout 0
	--batch 25 --learning-rate 0.004 --test-limit 500 --tag course=vision)
for seed in 1 2 3; do
	for model in mixer:2 vit:1 mixer:1,vit:1; do
		name=$model-$seed
		if ! "$program" runs show "$name" --db lab.db >/dev/null 2>&1; then
			"$program" "${shapes[@]}" --model "$model" --train-limit 1500 --epochs 12 --seed "$seed" --name "$name"
		fi
	done
done

pids=()
cleanup() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait || true; }
trap cleanup EXIT
"$program" "${shapes[@]}" --model mixer:2,vit:1 --train-limit 2500 --epochs 40 --name "mixer:2,vit:1-long" --tag question="does attention last help?" >train.log 2>&1 &
pids+=($!)
"$program" serve --db lab.db --addr 127.0.0.1:5098 >serve.log 2>&1 &
pids+=($!)
page=http://127.0.0.1:5098
until curl -sf "$page/" | grep -q '<td class="progress">[7-9] of 40'; do sleep 1; done
run=$(curl -sf "$page/" | grep -o '/runs/[0-9A-Z]*"' | head -1 | tr -d '"')
curl -sf -H "Origin: $page" "$page$run/note" --data-urlencode "note=**Question**: does attention *after* mixing pay on shapes?

Compare with \`mixer:2\` at equal epochs." >/dev/null

# shot NAME ADDRESS WIDTH,HEIGHT [dark]
shot() {
	local profile
	profile=$(mktemp -d)
	"$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" --window-size="$3" --timeout=5000 \
		${4:+--blink-settings=preferredColorScheme=0} --screenshot="$docs/page-$1.png" "$page$2" >/dev/null 2>>browser.log
	rm -rf "$profile"
	ls -l "$docs/page-$1.png"
}
shot runs "/" 1280,690
shot run "$run" 1280,1000 dark
shot compare "/compare?q=status+%3D+%27finished%27" 1280,1000
