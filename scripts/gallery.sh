#!/usr/bin/env bash
# Renders the six notebooks, as they are, to pages in build/gallery, with an index.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/gallery
mkdir -p "$out" bin
go build -o bin/patchlab ./cmd/patchlab
index=$out/index.html
cat >"$index" <<'PAGE'
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Patchlab: the course in six notebooks</title>
<style>
:root { color-scheme: light dark }
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
li { margin: .6rem 0 }
</style>
<h1>The course in six notebooks</h1>
<p>Made by Patchlab, with the outputs that are kept in them.</p>
<ol>
PAGE
for notebook in notebooks/0*.ipynb; do
	name=$(basename "$notebook" .ipynb)
	./bin/patchlab notebook export "$notebook" --to html -o "$out/$name.html" >/dev/null
	title=$(sed -n 's/.*<h1[^>]*>\(.*\)<\/h1>.*/\1/p' "$out/$name.html" | head -1 | sed 's/<[^>]*>//g; s/^[0-9]*\. *//')
	echo "<li><a href=\"$name.html\">${title:-$name}</a></li>" >>"$index"
done
echo "</ol></html>" >>"$index"
echo "wrote $index"
