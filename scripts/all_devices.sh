#!/usr/bin/env bash
# Runs the tests on each OpenCL implementation that can be had on a machine without a GPU.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/all_devices.sh [BUILD]' '' \
    'Runs, with the tests of a build folder (build/check by default, see ./check):' '' \
    '  all tests on each driver that is installed, the first device each (pocl);' \
    "  all tests on Intel's runtime for CPUs, from PyPI, in build/intel;" \
    '  gradflow verify on oclgrind, which watches for races and for accesses out of' \
    '  bounds, and whose log must be empty;' \
    '  gradflow verify on every device of each driver of scripts/drivers.sh, and with' \
    '  all of them in one list. A device that gradflow refuses counts as refused.' '' \
    'What cannot be had is skipped, with a message. Ends with a table, and with 1 if' \
    'something failed. Takes some 20 minutes on two cores.'
  exit 0
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(realpath "${1:-build/check}")
if [[ ! -x $build/gradflow || ! -e $build/tests/CTestTestfile.cmake ]]; then
  printf "all_devices.sh: '%s' is not a build with tests; ./check makes build/check\n" "$build" >&2
  exit 2
fi

rows=() failed=0

# add NAME VERSION PASSED FAILED SKIPPED
add() {
  rows+=("$(printf '%-38s %-26s %7s %6s %7s' "$@")")
}

# device: the name and version of the default one, of two lines
device() {
  "$build/gradflow" devices --json |
    python3 -c 'import json, sys
d = json.load(sys.stdin)["devices"][0]
print(d["platform_name"]); print(d["driver"])'
}

# run NAME: all tests on the default device of the environment
run() {
  local log=$build/all_devices.log lines name version
  mapfile -t lines < <(device)
  name=${lines[0]} version=${lines[1]}
  printf '\n%s %s\n' "$name" "$version"
  ctest --test-dir "$build" --output-on-failure --no-tests=error -j1 -E '^oclgrind$' \
    -LE '^intel$' | tee "$log" || failed=1
  add "$name" "$version" "$(grep -c ' Passed ' "$log")" "$(grep -c '\*\*\*[^S]' "$log")" \
    "$(grep -c '\*\*\*Skipped' "$log")"
}

run
if vendors=$(scripts/intel.sh); then
  OCL_ICD_VENDORS=$vendors run
else
  add 'Intel OpenCL' '-' - - all
fi
printf '\noclgrind\n'
status=0
sh tests/oclgrind.sh "$build/gradflow" || status=$?
case $status in
  0) add Oclgrind "$(oclgrind --version | sed -n 's/^Oclgrind //p')" verify 0 0 ;;
  77) add Oclgrind - - - all ;;
  *) add Oclgrind "$(oclgrind --version | sed -n 's/^Oclgrind //p')" - verify 0 && failed=1 ;;
esac

# verify_on NAME: gradflow verify on every device of a driver of scripts/drivers.sh
verify_on() {
  local settings lines selector name version log=$build/all_devices.log
  settings=$(scripts/drivers.sh "$1") || {
    add "$1" - - - all
    return
  }
  mapfile -t lines < <(
    eval "$settings"
    "$build/gradflow" devices --json 2>/dev/null | python3 -c 'import json, sys
for d in json.load(sys.stdin)["devices"]:
    print(d["selector"], d["driver"], d["name"], sep="\t")'
  )
  for line in "${lines[@]}"; do
    IFS=$'\t' read -r selector version name <<<"$line"
    printf '\n%s: %s %s\n' "$1" "$selector" "$name"
    if (eval "$settings" && "$build/gradflow" verify --device "$selector" 2>&1) | tee "$log"; then
      add "$1 $selector ${name:0:18}" "${version:0:26}" verify 0 0
    elif grep -q 'so that results would be wrong' "$log"; then
      add "$1 $selector ${name:0:18}" "${version:0:26}" refused 0 0
    else
      add "$1 $selector ${name:0:18}" "${version:0:26}" - verify 0
      failed=1
    fi
  done
}

for driver in pocl30 emulator rusticl two all; do verify_on $driver; done

printf '\n%-38s %-26s %7s %6s %7s\n' implementation version passed failed skipped
printf '%s\n' "${rows[@]}"
exit $failed
