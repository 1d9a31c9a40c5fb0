#!/bin/sh
# The console in a real browser, on a newsroom that runs: reading, searching, changing, live, without JavaScript, by
# keyboard, at 360 px, in the dark, and held against the rules of accessibility. `browser.sh pictures` also writes
# pictures of the pages to docs/pictures.
#
# Needs chromium, node and npm (Debian: apt-get install chromium nodejs npm); playwright-core and axe-core come from npm.
set -eu
cd "$(dirname "$0")/../.."
tools=${CARGO_TARGET_DIR:-target}/browser
mkdir -p "$tools"
for program in chromium node npm; do
  command -v "$program" >/dev/null || { echo "$program is missing (Debian: apt-get install chromium nodejs npm)"; exit 1; }
done
npm install --prefix "$tools" --no-save --no-audit --no-fund --ignore-scripts --loglevel error \
  playwright-core@1.65.1 axe-core@4.14.1 >/dev/null
log=$(mktemp)
room=$(mktemp -u)
mkfifo "$room"
# Holds the newsroom's standard input open: it ends with us.
sleep 3600 >"$room" &
holder=$!
cargo test --locked --package telex --test pipeline a_newsroom_for_browsers -- --ignored --nocapture \
  <"$room" >"$log" 2>&1 &
newsroom=$!
trap 'kill $holder 2>/dev/null || :; wait $newsroom 2>/dev/null || :; rm -f "$log" "$room"' EXIT
waited=0
until grep -q '^console http' "$log"; do
  kill -0 $newsroom 2>/dev/null || { cat "$log"; exit 1; }
  waited=$((waited + 1))
  [ $waited -lt 1800 ] || { cat "$log"; echo "the newsroom did not start"; exit 1; }
  sleep 1
done
address=$(sed -n 's/^console \(http[^ ]*\) .*/\1/p' "$log")
token=$(sed -n 's/^console [^ ]* token //p' "$log")
CHROMIUM=$(command -v chromium) MODULES=$(realpath "$tools")/node_modules \
  node tests/browser/browser.mjs "$address" "$token" "${1:-}"
