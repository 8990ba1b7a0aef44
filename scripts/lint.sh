#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy has the checks) and cppcheck over the sources of host/, and has clang
# warn of what is wrong in the tests.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/lint.sh [FILE...]' '' \
    "Runs clang-tidy and cppcheck over host/, and clang's warnings over tests/ and bench/; or all" \
    'of them over the C files named. In the build folder build/lint, where nothing is compiled but' \
    'headers that sources include are made. Exits with 0 if nothing is found, and with 77 where' \
    'one of them is missing.'
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
# Without a launcher: clang-tidy would take the compiler after it for a file.
cmake -S . -B $build -G Ninja -DCMAKE_C_COMPILER_LAUNCHER= -DGRADFLOW_MPI=$mpi >/dev/null
cmake --build $build --target gradflow_headers >/dev/null

files=("$@")
# The others are not of this build: MPI or ONNX is not there, or is.
sources() {
  sed -n 's|.*"file": "'"$PWD"'/\('"$1"'/.*\)".*|\1|p' $build/compile_commands.json | sort -u
}
tests=()
((${#files[@]})) || mapfile -t tests < <(sources '\(tests\|bench\)')
# png.c is mostly stb_image_write, which is not ours to mend.
((${#files[@]})) || mapfile -t files < <(sources host | grep -v "^host/report/png\.c$")
failed=0
# One file at a time: of several, clang-tidy 14 mistakes va_start for something unknown.
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 1 clang-tidy -p $build --quiet 2> >(grep -v ' warnings\? generated' >&2) ||
  failed=1
printf '%s\n' "${tests[@]}" |
  xargs -r -P "$(nproc)" -n 1 clang-tidy -p $build --quiet \
    --checks='-*,clang-diagnostic-*,readability-misleading-indentation' \
    2> >(grep -v ' warnings\? generated' >&2) || failed=1
cppcheck --std=c11 --library=posix --library=tests/cppcheck.cfg --inline-suppr \
  --enable=warning,performance,portability,style --suppress=missingIncludeSystem \
  --suppressions-list=tests/cppcheck.supp --error-exitcode=1 \
  -j "$(nproc)" --quiet -Iinclude -Ihost -I$build/generated "${files[@]}" || failed=1
((failed)) || echo "lint: $((${#files[@]} + ${#tests[@]})) files, nothing found"
exit $failed
