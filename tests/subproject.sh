#!/bin/sh
# Builds a project that has gradflow's sources in its own build: by add_subdirectory and gcc, and by
# FetchContent and clang, where that is installed; in C and in C++, with both libraries, without
# warnings.
# usage: subproject.sh SOURCE_FOLDER VERSION [CMAKE_OPTION...]
set -eu

source=$1 version=$2
shift 2
here=$source/tests
root=$(mktemp -d /tmp/gradflow-subproject-XXXXXX)
trap 'rm -rf "$root"' EXIT

fail() {
  printf 'subproject.sh: %s\n' "$*" >&2
  exit 1
}

# build NAME CMAKE_OPTION...: configures, builds, and runs the programs.
build() {
  name=$1
  shift
  {
    cmake -S "$here/subproject" -B "$root/$name" -G Ninja -DCONSUMER="$here/consumer" \
      -DGRADFLOW_WERROR=ON "$@" && cmake --build "$root/$name"
  } >"$root/log" 2>&1 || {
    cat "$root/log" >&2
    fail "$name does not build"
  }
  if grep -iE 'warning(:| |$)' "$root/log"; then fail "$name builds with the warnings above"; fi
  for program in shared shared_cpp static static_cpp; do
    "$root/$name/$program" >"$root/out" || fail "$name: $program fails"
    printf 'gradflow %s\n59716 parameters\n' "$version" | diff - "$root/out" >&2 ||
      fail "$name: $program prints the above"
  done
  if cmake --build "$root/$name" --target inner >"$root/log" 2>&1; then
    fail "$name: an internal header can be included"
  fi
  grep -q 'base/error.h' "$root/log" || fail "$name: $(cat "$root/log")"
  # Nothing of gradflow is installed with the parent.
  cmake --install "$root/$name" --prefix "$root/prefix" >"$root/log" 2>&1 || fail "$(cat "$root/log")"
  [ -z "$(find "$root/prefix" -type f 2>/dev/null)" ] || fail "$name installs gradflow"
}

build add_subdirectory -DHOW=add_subdirectory -DGRADFLOW="$source" "$@"
if command -v clang >/dev/null && command -v clang++ >/dev/null; then
  build FetchContent -DHOW=FetchContent -DFETCHCONTENT_SOURCE_DIR_GRADFLOW="$source" \
    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ "$@"
else
  build FetchContent -DHOW=FetchContent -DFETCHCONTENT_SOURCE_DIR_GRADFLOW="$source" "$@"
fi
