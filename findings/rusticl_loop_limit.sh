#!/usr/bin/env bash
# Package: mesa-opencl-icd 22.3.6-1+deb12u2 (rusticl on llvmpipe, LLVM 15) with python3-pyopencl
# 2022.2.4, from Debian 12, unpacked into a temporary folder by mmdebstrap.
#
# Behaviour: a work-item that counts the rounds of a loop stops at 65,535. A kernel that should count
# to 140,000 returns 65,535, and one that spreads these rounds over two nested loops returns still
# fewer, since all loops of a work-item share one budget. Building, enqueueing and finishing report
# success and the event is complete (state 0), so a program cannot tell a finished kernel from one that
# was cut off. One would expect either the whole loop or an error.
#
# Output seen:
#   1 x 60000 rounds: counted 60000, state 0
#   1 x 65535 rounds: counted 65535, state 0
#   1 x 65536 rounds: counted 65535, state 0
#   1 x 140000 rounds: counted 65535, state 0
#   400 x 350 rounds: counted 65163, state 0
set -euo pipefail

if ((EUID != 0)) || ! command -v mmdebstrap >/dev/null; then
  echo 'this needs root and mmdebstrap' >&2
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mmdebstrap --quiet --variant=apt --include=mesa-opencl-icd,ocl-icd-libopencl1,python3-pyopencl \
  bookworm "$folder/root"
[[ $(chroot "$folder/root" dpkg-query -Wf '${Version}' mesa-opencl-icd) == 22.3.6-1+deb12u* ]]

cat >"$folder/root/loops.py" <<'PYTHON'
import numpy
import pyopencl

context = pyopencl.Context(
    [d for p in pyopencl.get_platforms() if p.name == "rusticl" for d in p.get_devices()]
)
queue = pyopencl.CommandQueue(context)
program = pyopencl.Program(
    context,
    """
    kernel void count(global uint *result, uint outer, uint inner) {
      volatile uint counted = 0;
      for (uint i = 0; i < outer; i++)
        for (uint j = 0; j < inner; j++) counted++;
      result[get_global_id(0)] = counted;
    }
    """,
).build()


def count(outer, inner):
    result = numpy.zeros(1, numpy.uint32)
    buffer = pyopencl.Buffer(context, pyopencl.mem_flags.WRITE_ONLY, result.nbytes)
    event = program.count(queue, (1,), None, buffer, numpy.uint32(outer), numpy.uint32(inner))
    queue.finish()
    pyopencl.enqueue_copy(queue, result, buffer)
    return int(result[0]), event.command_execution_status


for outer, inner in ((1, 60000), (1, 65535), (1, 65536), (1, 140000), (400, 350)):
    counted, state = count(outer, inner)
    print(f"{outer} x {inner} rounds: counted {counted}, state {state}")
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$(RUSTICL_ENABLE=llvmpipe chroot "$folder/root" python3 /loops.py)
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
