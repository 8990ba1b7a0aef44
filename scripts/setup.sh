#!/usr/bin/env bash
# Installs what gradflow needs and the system lacks.
set -euo pipefail

usage() {
  cat <<'END'
usage: scripts/setup.sh [--tests] [--tools]

Installs the packages of Debian or Ubuntu that gradflow is built, tested and
tried out with, and that are missing. Without missing ones it does nothing and
needs neither root nor a network.

options:
      --tests  also what some tests compare with; without, they are skipped
      --tools  also what lint.sh, fuzz.sh, valgrind.sh and the target docs run
  -h, --help   print this help
END
}

packages=(
  # to build
  cmake gcc git libc6-dev ninja-build pkg-config
  # libraries
  fonts-dejavu-core libarchive-dev libclblast-dev libcmocka-dev libcurl4-openssl-dev libfyaml-dev
  libjansson-dev libjs-dygraphs libmd-dev libonnx-dev libpopt-dev libprotobuf-c-dev
  librandom123-dev libstb-dev ocl-icd-opencl-dev opencl-headers protobuf-c-compiler zlib1g-dev
  # the CPU as an OpenCL device, and images to train on
  dataset-fashion-mnist pocl-opencl-icd
)
optional=()
for argument; do
  case $argument in
    # A browser for the HTML page, C++ for programs that use the library, a device that watches
    # kernels, MPI for ranks, Python for its readers of our files.
    --tests) optional+=(chromium g++ libopenmpi-dev oclgrind openmpi-bin python3-venv) ;;
    --tools) optional+=(ccache clang clang-tidy cppcheck doxygen libclang-rt-dev valgrind) ;;
    -h | --help) usage && exit 0 ;;
    *)
      printf "setup.sh: unknown argument '%s'; see scripts/setup.sh --help\n" "$argument" >&2
      exit 2
      ;;
  esac
done

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  # Elsewhere the libraries may well be there; CMake says which are not.
  printf 'setup: %s\n' 'this is neither Debian nor Ubuntu, so nothing is installed.' \
    'These packages of Debian, by whatever names they have here, are needed:' \
    "  ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
wanted=()
for package in "${optional[@]}"; do
  is_installed "$package" || wanted+=("$package")
done
((${#missing[@]} + ${#wanted[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null && ! ((${#missing[@]})); then
    echo "setup: not root, so these are not installed, and what needs them is skipped: ${wanted[*]}"
    exit 0
  fi
  command -v sudo >/dev/null ||
    fail 'this needs root, and there is no sudo. As root, run:' \
      "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  as_root=(sudo)
  # Without a terminal nobody can type a password.
  [[ -t 0 ]] || as_root+=(-n)
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@" </dev/null
}

apt update || {
  echo 'setup: apt-get update failed; once more in 10 seconds' >&2
  sleep 10
  apt update || {
    ((${#missing[@]})) && fail 'apt-get update failed twice; see above.'
    echo "setup: without a network, what needs these is skipped: ${wanted[*]}" >&2
    exit 0
  }
}
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  apt install --yes --no-install-recommends "${missing[@]}" ||
    fail 'apt-get could not install them; see above. On Ubuntu some are in "universe":' \
      '  sudo add-apt-repository universe'
fi
for package in "${wanted[@]}"; do
  echo "setup: installing $package"
  apt install --yes --no-install-recommends "$package" ||
    echo "setup: $package could not be installed; what needs it is skipped" >&2
done
