#!/usr/bin/env bash
# Installs Intel's OpenCL runtime for CPUs, which no package of Debian has.
set -euo pipefail

# shellcheck disable=SC2016
if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/intel.sh' '' \
    "Installs Intel's OpenCL runtime for CPUs from PyPI in build/intel (800 MB), if it is" \
    'not there, and prints the folder that has the OpenCL loader take it:' '' \
    '  OCL_ICD_VENDORS=$(scripts/intel.sh) gradflow devices' '' \
    './check also runs the tests of devices on it, where it is. Exits with 77 if it cannot' \
    'be had.'
  exit 0
fi
if (($#)); then
  printf "intel.sh: unknown argument '%s'; see scripts/intel.sh --help\n" "$1" >&2
  exit 2
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/build/intel
library=$folder/lib/libintelocl.so
if [[ ! -e $library ]]; then
  { python3 -m venv "$folder" &&
    "$folder/bin/pip" install -q intel-opencl-rt intel-cmplr-lib-rt && [[ -e $library ]]; } >&2 || {
    rm -rf "$folder"
    echo "intel.sh: Intel's runtime cannot be had here" >&2
    exit 77
  }
fi
mkdir -p "$folder/vendors"
realpath "$library" >"$folder/vendors/intel.icd"
printf '%s\n' "$folder/vendors"
