#!/usr/bin/env bash
# Holds the sources of host/ against clang-tidy (.clang-tidy has the checks) and cppcheck.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/lint.sh [FILE...]' '' \
    'Runs clang-tidy and cppcheck over host/, or over the C files named, in the build folder' \
    'build/lint. Exits with 0 if both find nothing, and with 77 where one of them is missing.'
  exit 0
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for tool in clang-tidy cppcheck; do
  command -v $tool >/dev/null || {
    echo "lint: skipped: $tool is missing (Debian: apt-get install clang-tidy cppcheck)" >&2
    exit 77
  }
done
build=build/lint
mpi=OFF
if command -v mpicc >/dev/null; then mpi=ON; fi
cmake -S . -B $build -G Ninja -DGRADFLOW_TESTS=OFF -DGRADFLOW_MPI=$mpi >/dev/null
cmake --build $build >/dev/null # and what sources include of it

files=("$@")
# The others are not of this build: MPI or ONNX is not there, or is.
((${#files[@]})) || mapfile -t files < <(
  sed -n 's|.*"file": "'"$PWD"'/\(host/.*\)".*|\1|p' $build/compile_commands.json | sort)
failed=0
# One file at a time: of several, clang-tidy 14 mistakes va_start for something unknown.
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 1 clang-tidy -p $build --quiet 2> >(grep -v ' warnings\? generated' >&2) ||
  failed=1
cppcheck --std=c11 --library=posix --library=tests/cppcheck.cfg --inline-suppr \
  --enable=warning,performance,portability,style --suppress=missingIncludeSystem \
  --suppressions-list=tests/cppcheck.supp --error-exitcode=1 \
  -j "$(nproc)" --quiet -Iinclude -Ihost -I$build/generated "${files[@]}" || failed=1
((failed)) || echo "lint: ${#files[@]} files, nothing found"
exit $failed
