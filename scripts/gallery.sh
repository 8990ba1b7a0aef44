#!/usr/bin/env bash
# Trains the gallery of ailments, and compares the verdicts with what was planted.
set -euo pipefail

usage() {
  cat <<'END_OF_USAGE'
usage: scripts/gallery.sh [OPTION]... [NAME]...

Trains the small runs of configs/ailments/gallery.txt, each with a planted cause or
healthy, and prints which verdict gradflow diagnose names first for how many of
each. Runs that are there are not trained again, so that it goes on where it was
stopped. Exits with 1 if a healthy run is called ill, or more than one planted
cause in twenty is not named first. docs/gallery.md has what came out.

options:
      --out DIR      where the runs go; default runs/gallery
      --program FILE the gradflow that trains; default build/release/gradflow
  -l, --list         print names, expected verdicts and commands, and train nothing
  -h, --help         print this help

NAME: only these; default all.
END_OF_USAGE
}

wrong_usage() {
  printf 'gallery.sh: %s; see scripts/gallery.sh --help\n' "$1" >&2
  exit 2
}

out='' program='' lists=false names=()
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    -l | --list) lists=true && shift ;;
    --out | --program)
      (($# > 1)) || wrong_usage "$1 needs a value"
      printf -v "${1#--}" %s "$(realpath -m "$2")"
      shift 2
      ;;
    -*) wrong_usage "unknown option '$1'" ;;
    *) names+=("$1") && shift ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${out:-$PWD/runs/gallery} program=${program:-$PWD/build/release/gradflow}
gallery=configs/ailments/gallery.txt
data=$out/data

rows() { grep -v '^#' $gallery | grep .; }

# arguments of gradflow train for a row, one per line
arguments() {
  local config=$3 pair
  printf '%s\n' "configs/ailments/$config.yaml"
  for pair in "${@:4}"; do printf '%s\n' --set "${pair//DATA/$data}"; done
}

((${#names[@]})) || mapfile -t names < <(rows | awk '{ print $1 }')
declare -A row_of
while read -r name rest; do row_of[$name]="$name $rest"; done < <(rows)
for name in "${names[@]}"; do
  [[ ${row_of[$name]-} ]] || wrong_usage "no run is called '$name'; --list has their names"
done
if $lists; then
  for name in "${names[@]}"; do
    read -ra row <<<"${row_of[$name]}"
    printf '%-22s %-22s gradflow train %s\n' "${row[0]}" "${row[1]//_/ }" "$(arguments "${row[@]}" | tr '\n' ' ')"
  done
  exit 0
fi
[[ -x $program ]] || wrong_usage "--program: '$program' is no program; build it as README.md says"
mkdir -p "$out"
[[ -d $data ]] || { scripts/gallery_data.py "$data.new" && mv "$data.new" "$data"; }

# The verdict that is named first.
verdict_of() {
  "$program" diagnose "$1" --json | sed -n 's/.*"verdict": "\(.*\)".*/\1/p' | head -n 1
}

results=$out/verdicts.txt
: >"$results.new"
for name in "${names[@]}"; do
  read -ra row <<<"${row_of[$name]}"
  run=$out/$name
  if [[ ! -f $run/result.json ]]; then
    mapfile -t words < <(arguments "${row[@]}")
    # A run that diverges exits with 1, and is what was wanted.
    "$program" train "${words[@]}" --overwrite --quiet --out "$run" >"$run.log" 2>&1 || [[ -f $run/result.json ]] || {
      printf 'gallery.sh: %s was not trained:\n' "$name" >&2
      tail -n 3 "$run.log" >&2
      exit 1
    }
  fi
  verdict=$(verdict_of "$run")
  mark=''
  [[ $verdict == "${row[1]//_/ }" ]] || mark='  <- expected '${row[1]//_/ }
  printf '%-22s %s%s\n' "$name" "$verdict" "$mark"
  printf '%s\t%s\t%s\n' "$name" "${row[1]//_/ }" "$verdict" >>"$results.new"
done
mv "$results.new" "$results"

awk -F'\t' '
  { expected[$2]++; named[$2 "\t" $3]++ }
  $2 == "healthy" { healthy++; if ($3 != $2) ill++ }
  $2 != "healthy" { planted++; if ($3 == $2) right++ }
  END {
    printf "\n%-24s %5s  named first\n", "planted", "runs"
    for (e in expected) {
      line = ""
      for (key in named) {
        split(key, pair, "\t")
        if (pair[1] == e) line = line sprintf("%s%s %d", line == "" ? "" : ", ", pair[2], named[key])
      }
      printf "%-24s %5d  %s\n", e, expected[e], line | "sort"
    }
    close("sort")
    printf "\n%d of %d planted causes are named first, %d of %d healthy runs are called ill\n", right, planted, ill, healthy
    exit !(right >= 0.95 * planted && ill == 0)
  }' "$results"
