#!/bin/sh
# Makes sure that the tests of pages have a browser: Debian's Chromium, where
# there is none and the packages may be installed. Tests skip, saying so, where
# it can't be had.
set -eu
for name in chromium chromium-browser google-chrome; do
	if command -v "$name" >/dev/null; then
		exit 0
	fi
done
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	apt-get update -q
	exec apt-get install -q -y --no-install-recommends chromium
fi
echo "no Chromium here: the tests of pages will be skipped; install the package chromium to run them" >&2
