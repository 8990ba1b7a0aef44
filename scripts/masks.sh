#!/usr/bin/env bash
# Runs the tests on devices that can less than the real one (tests/icd).
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/masks.sh [--build FOLDER] [--tests REGEX] [MASK ...]' '' \
    'Runs every test that uses a device under each mask of tests/icd/masks.txt, or' \
    'under those that are named: a device without fp64 and extensions, with' \
    'work-groups of 64 or 1, with 16 KiB of local memory, with little memory, and so' \
    'on. FOLDER is a build with tests, build/check by default.' '' \
    '  scripts/masks.sh group1' \
    "  scripts/masks.sh --build build/dev --tests 'layers|conv2d'" '' \
    'Exits with 0 if all pass, with 1 and the names of the masks if some do not.'
  exit 0
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/check tests=.
while [[ ${1-} == --* ]]; do
  case $1 in
    --build) build=${2:?a folder follows --build} ;;
    --tests) tests=${2:?a regular expression follows --tests} ;;
    *)
      printf "masks.sh: unknown option '%s'; see scripts/masks.sh --help\n" "$1" >&2
      exit 2
      ;;
  esac
  shift 2
done
vendors=$PWD/$build/tests/icd/vendors
if [[ $build == /* ]]; then vendors=$build/tests/icd/vendors; fi
if [[ ! -e $vendors/masked.icd ]]; then
  printf "masks.sh: '%s' is not a build with tests; ./check makes build/check\n" "$build" >&2
  exit 2
fi

for wanted in "$@"; do
  if ! grep -q "^$wanted: " tests/icd/masks.txt; then
    printf "masks.sh: unknown mask '%s'; there are: %s\n" "$wanted" \
      "$(sed -n 's/^\([a-z][^:]*\):.*/\1/p' tests/icd/masks.txt | paste -sd' ')" >&2
    exit 2
  fi
done

failed=()
while IFS=: read -r name settings _; do
  if (($#)) && [[ " $* " != *" $name "* ]]; then continue; fi
  printf '\n%s:%s\n' "$name" "$settings"
  OCL_ICD_VENDORS=$vendors GRADFLOW_ICD=${settings# } \
    ctest --test-dir "$build" -L '^device$' -R "$tests" --output-on-failure \
    --no-tests=error -j1 || failed+=("$name")
done < <(grep '^[a-z]' tests/icd/masks.txt)

if ((${#failed[@]})); then
  printf '\nmasks.sh: tests failed under: %s\n' "${failed[*]}" >&2
  exit 1
fi
