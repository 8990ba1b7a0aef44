#!/usr/bin/env bash
# Builds the fuzz targets with clang in build/fuzz and runs each for so many seconds.
set -euo pipefail

usage() {
  printf '%s\n' 'usage: scripts/fuzz.sh SECONDS [TARGET...]' '' \
    'Runs the fuzz targets of tests/fuzz (all, or those named: fuzz_idx ...), each for SECONDS, on' \
    'corpora that begin with small valid files and that grow in build/fuzz/corpus. An input that' \
    'ends a target is kept in build/fuzz/found, and the exit status is 1; without clang it is 77.' \
    'To run an input again:' \
    '  build/fuzz/tests/fuzz/TARGET build/fuzz/found/INPUT'
}

if [[ ${1-} == -h || ${1-} == --help ]]; then
  usage
  exit 0
fi
if [[ ! ${1-} =~ ^[1-9][0-9]*$ ]]; then
  usage >&2
  exit 2
fi
seconds=$1
shift

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v clang >/dev/null || {
  echo 'fuzz: skipped: clang is missing (Debian: apt-get install clang)' >&2
  exit 77
}
build=build/fuzz
cmake -S . -B $build -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g -DNDEBUG' -DGRADFLOW_FUZZ=ON -DGRADFLOW_TESTS=OFF \
  -DGRADFLOW_PROGRAM=OFF >/dev/null
cmake --build $build --target gradflow_fuzzers

# Files that readers want go where there is no disk in between.
[[ -z ${TMPDIR-} && -d /dev/shm ]] && export TMPDIR=/dev/shm
$build/tests/fuzz/seeds $build/corpus
mkdir -p $build/found $build/log
targets=("$@")
if ((!${#targets[@]})); then
  for program in "$build"/tests/fuzz/fuzz_*; do
    [[ -f $program && -x $program ]] && targets+=("$(basename "$program")")
  done
fi

# The last number after a word of libFuzzer's progress.
last() {
  sed -n "s/.* $1: \([0-9]*\) .*/\1/p" "$2" | tail -n 1
}

# run TARGET: runs it and prints its row
run() {
  local log=$build/log/$1.txt found=no executions
  UBSAN_OPTIONS=print_stacktrace=1 "$build/tests/fuzz/$1" \
    -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=4096 \
    -malloc_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/found/$1-" "$build/corpus/$1" >"$log" 2>&1 </dev/null ||
    found="yes, see $log"
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  printf '%-20s %12s %8s %10s  %s\n' "$1" "${executions:-?}" "$(last cov "$log")" \
    "$(last ft "$log")" "$found"
  [[ $found == no ]]
}

printf '%-20s %12s %8s %10s  %s\n' target executions edges features found
# One for each core: a target has one thread.
failed=0 running=0
for target in "${targets[@]}"; do
  if ((running == $(nproc))); then
    wait -n || failed=1
    running=$((running - 1))
  fi
  run "$target" &
  running=$((running + 1))
done
for ((; running; running--)); do
  wait -n || failed=1
done
exit $failed
