#!/usr/bin/env bash
# Fetches OpenCL drivers that need no hardware, and leaves the system's list of drivers as it is.
set -euo pipefail

usage() {
  cat <<'END_OF_USAGE'
usage: scripts/drivers.sh NAME

Fetches an OpenCL driver into build/drivers, if it is not there, and prints the
commands of a shell that make the OpenCL loader use it:

  eval "$(scripts/drivers.sh pocl30)"
  gradflow devices

NAME:
  pocl30    pocl 3.0, from PyPI
  emulator  Intel's emulator of an FPGA, a device of another type, from PyPI
  rusticl   Mesa's rusticl on llvmpipe, from Debian's packages; root installs
            two libraries of it
  two       pocl as two devices, and its basic driver
  all       all of them in one list, with the drivers of the system

Exits with 77 if the driver cannot be had here.
END_OF_USAGE
}

missing() {
  printf 'drivers.sh: %s cannot be had here%s\n' "$1" "${2:+: $2}" >&2
  exit 77
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$PWD/build/drivers

# setting NAME VALUE
setting() {
  printf 'export %s=%q\n' "$1" "$2"
}

# vendors NAME LIBRARY: the folder of one .icd file
vendors() {
  mkdir -p "$folder/$1/vendors"
  printf '%s\n' "$2" >"$folder/$1/vendors/$1.icd"
  setting OCL_ICD_VENDORS "$folder/$1/vendors"
}

# pip_install NAME PACKAGE...: into a virtual environment of its own
pip_install() {
  local name=$1
  shift
  { python3 -m venv "$folder/$name" && "$folder/$name/bin/pip" install -q "$@"; } >&2 ||
    { rm -rf "${folder:?}/$name" && missing "$name" 'PyPI does not have it'; }
}

fetch_pocl30() {
  [[ -d $folder/pocl30/lib ]] || pip_install pocl30 pocl-binary-distribution==3.0
  local library
  library=$(find "$folder/pocl30" -name 'libpocl-*.so*' -print -quit)
  [[ $library ]] || missing pocl30
  vendors pocl30 "$library"
}

fetch_emulator() {
  local library=$folder/emulator/lib/libintelocl_emu.so
  # The runtime's own libraries come in the other two.
  [[ -e $library ]] || pip_install emulator intel-opencl-fpga-emu-rt==2025.0.5 \
    intel-opencl-rt==2025.0.5 intel-cmplr-lib-rt==2025.0.5
  [[ -e $library ]] || missing emulator
  vendors emulator "$library"
}

fetch_rusticl() {
  local root=$folder/rusticl/root library package
  library=$root/usr/lib/$(uname -m)-linux-gnu/libRusticlOpenCL.so.1
  if [[ ! -e $library ]]; then
    command -v apt-get >/dev/null || missing rusticl 'this is neither Debian nor Ubuntu'
    # It looks for its built-in kernels at a fixed place of the system.
    { apt-get install -y -q --no-install-recommends libclc-15 libclc-15-dev libllvmspirvlib15 &&
      mkdir -p "$root" && cd "$folder/rusticl" && apt-get download -q mesa-opencl-icd; } >&2 ||
      missing rusticl
    for package in "$folder"/rusticl/mesa-opencl-icd_*.deb; do dpkg-deb -x "$package" "$root"; done
  fi
  [[ -e $library ]] || missing rusticl
  vendors rusticl "$library"
  setting RUSTICL_ENABLE llvmpipe
}

fetch_all() {
  local name file
  mkdir -p "$folder/all/vendors"
  for name in pocl30 emulator rusticl; do
    if (fetch_$name >/dev/null); then cp "$folder/$name"/vendors/*.icd "$folder/all/vendors"; fi
  done
  for file in /etc/OpenCL/vendors/*.icd; do
    if [[ -e $file ]]; then cp "$file" "$folder/all/vendors"; fi
  done
  setting OCL_ICD_VENDORS "$folder/all/vendors"
  setting RUSTICL_ENABLE llvmpipe
  setting POCL_DEVICES 'pthread basic'
}

case ${1-} in
  -h | --help) usage ;;
  two) setting POCL_DEVICES 'pthread basic' ;;
  pocl30 | emulator | rusticl | all) "fetch_$1" ;;
  *)
    printf "drivers.sh: unknown driver '%s'; see scripts/drivers.sh --help\n" "${1-}" >&2
    exit 2
    ;;
esac
