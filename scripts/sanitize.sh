#!/usr/bin/env bash
# Runs the tests under gcc's address, undefined-behaviour and leak sanitizers, then those of the
# threads that prepare batches under the thread sanitizer.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/sanitize.sh [CTEST OPTION...]' '' \
    'Builds in build/sanitize and build/tsan, and runs all tests, or those that ctest chooses by' \
    "the options (-R 'test_(cli|data)$'). Reports go to build/sanitize/report.*; the exit status" \
    'is 1 if there are any. Takes 12 minutes on two cores, 20 where no kernel is compiled yet.'
  exit 0
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/sanitize
mpi=OFF
if command -v mpicc >/dev/null && command -v mpiexec >/dev/null; then mpi=ON; fi
# Optimised no further than finds the same faults: -O2 takes twice as long to compile. Under
# sanitizers gcc knows less of the range of a number, so that it sees texts cut that are not.
options=(-G Ninja -DGRADFLOW_WERROR=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
  -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g1 -DNDEBUG -Wno-error=format-truncation')
cmake -S . -B $build "${options[@]}" -DGRADFLOW_SANITIZE=ON -DGRADFLOW_MPI=$mpi >/dev/null
cmake --build $build
# In another build folder, since all of a program must be built for threads to be watched.
cmake -S . -B build/tsan "${options[@]}" -DCMAKE_C_FLAGS=-fsanitize=thread >/dev/null
threads=(test_loader test_image_folder)
cmake --build build/tsan --target "${threads[@]}"

# Also those of programs that a test starts and whose exit status it expects not to be 0.
rm -f $build/report.*
report=log_path=$PWD/$build/report:log_exe_name=1
export ASAN_OPTIONS=$report UBSAN_OPTIONS=$report:print_stacktrace=1 TSAN_OPTIONS=$report
# gcc 12's LeakSanitizer takes what lies before a thread-local block for its size, and crashes on
# some of the libraries that a device loads (as "DTLS" in LSAN_OPTIONS=log_threads=1). What only a
# thread-local variable points to counts as lost here.
export LSAN_OPTIONS=use_tls=0:suppressions=$PWD/tests/lsan.supp:print_suppressions=0
failed=0
# Two at a time: what takes longest is compilation, on one core.
ctest --test-dir $build --output-on-failure --no-tests=error -j2 "$@" || failed=1
for test in "${threads[@]}"; do
  echo "threads: $test"
  build/tsan/tests/"$test" || failed=1
done
for file in "$build"/report.*; do
  [[ -s $file ]] || continue
  echo "sanitize: $file"
  failed=1
done
exit $failed
