#!/usr/bin/env bash
# Package: pocl-binary-distribution 3.0 (pocl 3.0-rc2 with LLVM 14) under pyopencl 2023.1.4, from PyPI;
# Debian 12's pocl-opencl-icd 3.1 (LLVM 15) behaves the same.
#
# Behaviour: asking for the devices of the platform, before any kernel is compiled, installs handlers
# for hangup, interrupt, termination and others, although the program ignores these signals. The
# handler passes the first signal on to what was set before, so that nothing is ended; but a program
# that asks whether a signal is ignored, as one under nohup is, must ask before it looks for devices:
# afterwards the signal looks like one that somebody handles. One would expect a library to leave a
# signal alone that the program ignores.
#
# Output seen:
#   hangup before asking for devices: ignored
#   hangup after asking for devices: caught
#   a process that ignored the signal, and then receives it: goes on
#   hangup after it was received: ignored
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'numpy<2' pyopencl==2023.1.4 pocl-binary-distribution==3.0

cat >"$folder/signals.py" <<'PYTHON'
import os
import signal


def state(number):
    bit = 1 << (number - 1)
    for line in open("/proc/self/status"):
        if line.startswith("SigIgn") and int(line.split()[1], 16) & bit:
            return "ignored"
        if line.startswith("SigCgt") and int(line.split()[1], 16) & bit:
            return "caught"
    return "left to its default"


child = os.fork()
if child == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    import pyopencl

    print("hangup before asking for devices:", state(signal.SIGHUP), flush=True)
    for platform in pyopencl.get_platforms():
        platform.get_devices()
    print("hangup after asking for devices:", state(signal.SIGHUP), flush=True)
    os.kill(os.getpid(), signal.SIGHUP)
    print("a process that ignored the signal, and then receives it: goes on", flush=True)
    print("hangup after it was received:", state(signal.SIGHUP), flush=True)
    os._exit(0)
status = os.waitpid(child, 0)[1]
if os.WIFSIGNALED(status):
    print("the process was ended by signal %d" % os.WTERMSIG(status))
PYTHON

expected='hangup before asking for devices: ignored
hangup after asking for devices: caught
a process that ignored the signal, and then receives it: goes on
hangup after it was received: ignored'
# Only the driver of the package, whatever the system has.
vendors=$(dirname "$(find "$folder/venv" -name pocl.icd -print -quit)")
seen=$(OCL_ICD_VENDORS=$vendors POCL_CACHE_DIR=$folder "$folder/venv/bin/python" "$folder/signals.py")
printf '%s\n' "$seen"
[[ $seen == "$expected" ]] || {
  echo 'pocl_ignored_signals.sh: this is not what was seen before' >&2
  exit 1
}
