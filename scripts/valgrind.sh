#!/usr/bin/env bash
# Runs tests that need no device, and a short training, under valgrind.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  printf '%s\n' 'usage: scripts/valgrind.sh [TEST...]' '' \
    'Builds in build/valgrind, and looks for invalid reads and writes, values that were never set,' \
    'and lost memory in tests that need no device (or those named: test_base ...), and in a run of' \
    'gradflow train, whose kernels take some 5 minutes to compile there. Exits with 0 if nothing is' \
    'found, and with 77 where valgrind is missing. tests/valgrind.supp has what is not ours.'
  exit 0
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || {
  echo 'valgrind: skipped: valgrind is missing (Debian: apt-get install valgrind)' >&2
  exit 77
}
build=$PWD/build/valgrind
tests=("$@")
((${#tests[@]})) || tests=(test_base test_config test_data test_data_hostile test_image test_loader
  test_plan test_table)
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
cmake --build "$build" --target gradflow "${tests[@]}"

check() {
  valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --num-callers=40 --error-exitcode=99 --suppressions=tests/valgrind.supp "$@"
}

failed=0
for test in "${tests[@]}"; do
  check "$build/tests/$test" || failed=1
done

# 16 black images a file, as CIFAR-10 has them: a label and 3 planes of 32 x 32. Kernels are cached
# apart, since they are compiled for the processor that valgrind shows.
run=$build/run
rm -rf "$run"
mkdir -p "$run/pocl"
for name in data_batch_{1..5} test_batch; do
  head -c $((16 * 3073)) /dev/zero >"$run/$name.bin"
done
cat >"$run/config.yaml" <<END
data: {name: cifar10, path: "$run", validation: 16}
model: {graph: [{type: conv2d, filters: 4, stride: 2}, {type: batch_norm}, {type: relu},
                {type: global_avg_pool}, {type: linear, outputs: 10}]}
train: {epochs: 2, batch_size: 32}
END
export GRADFLOW_CACHE_DIR=$run/cache POCL_CACHE_DIR=$run/pocl
check "$build/gradflow" train "$run/config.yaml" --tune off --quiet --out "$run/out" || failed=1
((failed)) || echo 'valgrind: nothing found'
exit $failed
