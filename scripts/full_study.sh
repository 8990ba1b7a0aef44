#!/usr/bin/env bash
# Trains the runs of docs/results.md at full size, one after the other, and resumes them.
set -euo pipefail

# name             config                  epochs to train  what differs from the config
queue='
plain7             plain7.yaml             100
residual7          residual7.yaml          100
residual37         residual37.yaml         100
residual37_best    residual37.yaml         100  optimizer.weight_decay=5e-4 train.batch_size=50
plain37            plain37.yaml            20
plain37_batch_norm plain37_batch_norm.yaml 100
residual37_batch_norm remedies/residual37_batch_norm.yaml 100
decay_1e-3_batch_50 residual37.yaml        30   optimizer.weight_decay=1e-3 train.batch_size=50
rate_1e-2          residual37.yaml         10   optimizer.learning_rate=1e-2
decay_1e-3         residual37.yaml         100  optimizer.weight_decay=1e-3
residual37_2045458 residual37.yaml         100  train.seed=2045458
residual37_186285  residual37.yaml         100  train.seed=186285
residual37_2122020 residual37.yaml         100  train.seed=2122020
residual37_11132   residual37.yaml         100  train.seed=11132
'

usage() {
  cat <<'END_OF_USAGE'
usage: scripts/full_study.sh --data DIR [OPTION]... [NAME]...

Trains the networks of docs/results.md on the whole of CIFAR-100, at the lowest
priority, so that it can go on in the background for days. Call it again after
it was stopped: a run resumes where it was, bit for bit, with the program that it
was begun with, of which each output folder keeps a copy. SIGTERM or Ctrl-C saves
a checkpoint and ends it. A run that is listed with fewer than 100 epochs follows
the schedule of 100 and is stopped after those.

options:
      --data DIR     the folder with CIFAR-100's train.bin and test.bin
      --out DIR      where the runs go; default runs/full
      --program FILE the gradflow that begins new runs; default
                     build/release/gradflow
  -l, --list         print the state of each run, and train nothing
  -h, --help         print this help

NAME: only these, in this order; default all, in the order of --list.
END_OF_USAGE
}

wrong_usage() {
  printf 'full_study.sh: %s; see scripts/full_study.sh --help\n' "$1" >&2
  exit 2
}

data='' out='' program='' lists=false names=()
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    -l | --list) lists=true && shift ;;
    --data | --out | --program)
      (($# > 1)) || wrong_usage "$1 needs a value"
      printf -v "${1#--}" %s "$(realpath -m "$2")"
      shift 2
      ;;
    -*) wrong_usage "unknown option '$1'" ;;
    *) names+=("$1") && shift ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${out:-$PWD/runs/full} program=${program:-$PWD/build/release/gradflow}

# column NAME N: the Nth column of a run's row
column() {
  awk -v name="$1" -v n="$2" '$1 == name { print $n }' <<<"$queue"
}

# settings NAME: what differs from the config, KEY=VALUE each
settings() {
  awk -v name="$1" '$1 == name { for (i = 4; i <= NF; i++) print $i }' <<<"$queue"
}

epochs_of() {
  if [[ -f $out/$1/metrics.csv ]]; then awk -F, '$1 ~ /^[0-9]+$/ { n = $1 } END { print n + 0 }' "$out/$1/metrics.csv"; else echo 0; fi
}

# The state of a run: waiting, begun, finished, diverged, or stopped after the epochs that it is
# listed with.
state_of() {
  local run=$out/$1 result=''
  [[ -f $run/config.yaml ]] || { echo waiting && return; }
  if [[ -f $run/result.json ]]; then
    result=$(sed -n 's/.*"status": *"\([a-z]*\)".*/\1/p' "$run/result.json")
  fi
  if [[ $result == finished || $result == diverged ]]; then echo "$result"
  elif (($(epochs_of "$1") >= $(column "$1" 3))); then echo stopped
  else echo begun; fi
}

((${#names[@]})) || mapfile -t names < <(awk 'NF { print $1 }' <<<"$queue")
for name in "${names[@]}"; do
  [[ $(column "$name" 2) ]] || wrong_usage "no run is called '$name'; --list has their names"
done
if $lists; then
  for name in "${names[@]}"; do
    printf '%-22s %-9s %3d of %3d epochs\n' "$name" "$(state_of "$name")" "$(epochs_of "$name")" "$(column "$name" 3)"
  done
  exit 0
fi
[[ -f $data/train.bin && -f $data/test.bin ]] ||
  wrong_usage "--data must name a folder with CIFAR-100's train.bin and test.bin (gradflow fetch cifar100)"
[[ -x $program ]] || wrong_usage "--program: '$program' is no program; build it as README.md says"

mkdir -p "$out"
exec 9>"$out/lock"
flock -n 9 || wrong_usage "another full_study.sh works in $out"

child='' ends=false
# shellcheck disable=SC2317 # by trap
stop() {
  ends=true
  if [[ $child ]]; then kill -TERM "$child" 2>/dev/null || true; fi
}
trap stop TERM INT HUP

# Waits for the child; a run with fewer epochs than its schedule is stopped when it has them.
watch() {
  local name=$1 epochs=$2 status=0
  while kill -0 "$child" 2>/dev/null; do
    if ((epochs < 100 && $(epochs_of "$name") >= epochs)); then kill -TERM "$child" 2>/dev/null || true; fi
    sleep 5 &
    wait $! || true
  done
  wait "$child" || status=$?
  child=''
  return $status
}

for name in "${names[@]}"; do
  case $(state_of "$name") in
    finished | stopped | diverged) continue ;;
    waiting)
      cp "$program" "$out/$name.program"
      arguments=("configs/$(column "$name" 2)" --out "$out/$name" --set "data.path=$data")
      for pair in $(settings "$name"); do arguments+=(--set "$pair"); done
      ;;
    begun) arguments=(--resume "$out/$name") ;;
  esac
  printf '%s  %s: %s\n' "$(date '+%F %T')" "$name" "$(state_of "$name")"
  # Linux may weigh sessions against each other before it looks at the priorities within one, so the
  # run gets a session of its own, whose priority is the lowest, too.
  setsid sh -c '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec nice -n 19 "$@"' sh \
    "$out/$name.program" train --quiet "${arguments[@]}" >>"$out/$name.log" 2>&1 &
  child=$!
  status=0
  watch "$name" "$(column "$name" 3)" || status=$?
  $ends && exit 130
  state=$(state_of "$name")
  printf '%s  %s: %s\n' "$(date '+%F %T')" "$name" "$state"
  if [[ $state == begun || $state == waiting ]]; then
    printf 'full_study.sh: %s ended with status %d; the last lines of %s:\n' "$name" "$status" "$out/$name.log" >&2
    tail -n 5 "$out/$name.log" >&2
    exit 1
  fi
done
printf 'all runs are done; draw the tables and figures: gradflow study report, as docs/results.md says\n'
