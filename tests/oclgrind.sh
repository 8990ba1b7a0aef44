#!/bin/sh
# Runs gradflow verify on the simulated device of oclgrind, which watches kernels for data races
# and for reads and writes out of bounds. Its log must be empty.
# usage: oclgrind.sh PROGRAM [CASE...]; all cases of the quick form where none are named
set -eu

if ! command -v oclgrind >/dev/null; then
  echo 'oclgrind.sh: there is no oclgrind (Debian: oclgrind); skipped'
  exit 77
fi

program=$1
shift
folder=$(mktemp -d /tmp/gradflow-oclgrind-XXXXXX)
trap 'rm -rf "$folder"' EXIT
export GRADFLOW_CACHE_DIR="$folder/cache"

# watch [OPTION...]: of gradflow verify
watch() {
  status=0
  oclgrind --data-races --max-errors 10 --log "$folder/log" "$program" verify "$@" \
    >"$folder/out" 2>&1 || status=$?
  grep -q Oclgrind "$folder/out" || {
    cat "$folder/out" >&2
    echo 'oclgrind.sh: this was not the device of oclgrind' >&2
    exit 1
  }
  tail -n 1 "$folder/out"
  [ $status = 0 ] && [ ! -s "$folder/log" ] && return
  cat "$folder/out" "$folder/log" >&2
  echo "oclgrind.sh: failed: $program verify $*" >&2
  exit 1
}

if [ $# = 0 ]; then
  watch
fi
for name; do
  printf '%s: ' "$name"
  watch --case "$name"
done
