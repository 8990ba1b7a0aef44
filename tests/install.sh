#!/bin/sh
# Installs a build into an empty prefix, moves the prefix, and uses what is in it as its users do:
# by CMake and by pkg-config, from C and C++, with the man pages and the completions.
# usage: install.sh BUILD_FOLDER VERSION
set -eu
export CMAKE_GENERATOR=Ninja

build=$1 version=$2
consumer=$(cd "$(dirname "$0")/consumer" && pwd)
examples=$(cd "$(dirname "$0")/../examples/c" && pwd)
root=$(mktemp -d /tmp/gradflow-install-XXXXXX)
trap 'rm -rf "$root"' EXIT
prefix=$root/moved

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# quietly COMMAND...: its output is shown where it fails.
quietly() {
  "$@" >"$root/log" 2>&1 || {
    cat "$root/log" >&2
    fail "failed: $*"
  }
}

# What is noted of a real installation from this build is kept.
manifest=$build/gradflow_installed.txt
[ ! -e "$manifest" ] || mv "$manifest" "$root/kept"
restore_manifest() {
  if [ -e "$root/kept" ]; then mv "$root/kept" "$manifest"; else rm -f "$manifest"; fi
}
trap 'restore_manifest; rm -rf "$root"' EXIT

quietly cmake --install "$build" --prefix "$root/first"
mv "$root/first" "$prefix"
lib=$(dirname "$(find "$prefix" -name libgradflow.so)")

# ---- the shared library ----

[ "$(readlink "$lib/libgradflow.so")" = "libgradflow.so.${version%%.*}" ] || fail 'no SOVERSION link'
[ "$(readlink "$lib/libgradflow.so.${version%%.*}")" = "libgradflow.so.$version" ] ||
  fail 'no version link'
nm -D --defined-only "$lib/libgradflow.so" | awk '{print $3}' >"$root/symbols"
grep -qx gf_config_parse "$root/symbols" || fail 'gf_config_parse is not exported'
if grep -vE '^gf_[^_]' "$root/symbols"; then fail 'the symbols above should be hidden'; fi

# ---- programs of others ----

# check PROGRAM: the parameters are those of the study's plain network of 7 convolutions.
check() {
  "$@" >"$root/out" || fail "failed: $*"
  printf 'gradflow %s\n59716 parameters\n' "$version" | diff - "$root/out" >&2 ||
    fail "wrong output: $*"
}

quietly cmake -S "$consumer" -B "$root/cmake" -DCMAKE_PREFIX_PATH="$prefix"
quietly cmake --build "$root/cmake"
for program in shared static cpp; do check "$root/cmake/$program"; done
grep -q "gradflow_DIR:PATH=$prefix" "$root/cmake/CMakeCache.txt" || fail 'another gradflow was found'
sed 's/gradflow 0.1/gradflow 99/' "$consumer/CMakeLists.txt" >"$root/CMakeLists.txt"
cp "$consumer/main.c" "$root"
if cmake -S "$root" -B "$root/newer" -DCMAKE_PREFIX_PATH="$prefix" >"$root/log" 2>&1; then
  fail 'find_package took version 99 for this one'
fi
grep -q 'compatible with requested' "$root/log" || fail "find_package 99: $(cat "$root/log")"

export PKG_CONFIG_PATH="$lib/pkgconfig"
[ "$(pkg-config --modversion gradflow)" = "$version" ] || fail 'pkg-config has another version'
flags=$(pkg-config --cflags --libs gradflow)
# Flags are words.
# shellcheck disable=SC2086
quietly cc -std=c11 -Wall -Wextra -Werror -pedantic "$consumer/main.c" -o "$root/c" $flags
# shellcheck disable=SC2086
quietly c++ -Wall -Wextra -Werror -x c++ "$consumer/main.c" -o "$root/cpp" $flags
check env LD_LIBRARY_PATH="$lib" "$root/c"

# The examples of programs in C, on a few images.
export GRADFLOW_CACHE_DIR="$root/cache"
for example in train_graph own_layer; do
  # shellcheck disable=SC2086
  quietly cc -std=c11 -Wall -Wextra -Werror -pedantic "$examples/$example.c" -o "$root/$example" $flags
  LD_LIBRARY_PATH="$lib" quietly "$root/$example" "$root/run" train.epochs=1 data.train_limit=600 \
    data.test_limit=100
  grep -q '^epoch 1 of 1: loss 2' "$root/log" || fail "$example: $(cat "$root/log")"
  grep -q '^test accuracy ' "$root/log" || fail "$example: $(cat "$root/log")"
done
unset GRADFLOW_CACHE_DIR
check env LD_LIBRARY_PATH="$lib" "$root/cpp"
flags=$(pkg-config --static --cflags --libs gradflow | sed 's/-lgradflow/-l:libgradflow.a/')
# shellcheck disable=SC2086
quietly cc "$consumer/main.c" -o "$root/static" $flags
check "$root/static"

# Headers of the library's own stay at home.
for header in base/error.h device/device.h gradflow/base/error.h CL/gradflow.h; do
  printf '#include <%s>\n' "$header" >"$root/inner.c"
  # shellcheck disable=SC2046
  if cc -fsyntax-only $(pkg-config --cflags gradflow) "$root/inner.c" 2>"$root/log"; then
    fail "<$header> can be included"
  fi
  grep -q "$header: No such file" "$root/log" || fail "<$header>: $(cat "$root/log")"
done

# ---- the program ----

program=$prefix/bin/gradflow
"$program" --version | grep -qx "gradflow $version" || fail 'the program has another version'
quietly "$program" summary "$prefix/share/gradflow/configs/plain7.yaml"
commands=$("$program" --help | sed -n '/^commands:/,/^$/s/^  \([a-z_-]*\) .*/\1/p')
[ -n "$commands" ] || fail 'no commands in the help'

man=$prefix/share/man/man1
# Commands are words.
# shellcheck disable=SC2086
for page in gradflow $(printf 'gradflow-%s ' $commands); do
  [ -s "$man/$page.1" ] || fail "no man page $page.1"
  if command -v man >/dev/null; then
    LC_ALL=C.UTF-8 man -l --warnings=w "$man/$page.1" >"$root/page" 2>"$root/log"
    if [ -s "$root/log" ]; then fail "$page.1: $(cat "$root/log")"; fi
    grep -q '^NAME' "$root/page" || fail "$page.1 has no NAME"
  fi
  if command -v mandoc >/dev/null; then
    # The pages have no date, so that they are always the same.
    if mandoc -T lint -W warning "$man/$page.1" | grep -v 'missing date'; then
      fail "mandoc complains of $page.1"
    fi
  fi
done
# Every option of the help is in its page, and the other way round.
for command in $commands; do
  "$program" help "$command" | grep -oE '^  (-., |    )--[a-z-]+' | sed 's/.*--/--/' >"$root/help"
  sed -n '/^\.SH OPTIONS/,/^\.SH EX/s/^\\fB/&/p' "$man/gradflow-$command.1" |
    grep -oE '(\\-){2}([a-z]|\\-)+\\fR' | sed 's/\\fR//; s/\\//g' >"$root/page"
  [ -s "$root/help" ] || fail "no options in the help of $command"
  diff "$root/help" "$root/page" >&2 || fail "options of gradflow-$command.1"
done

# ---- completions ----

completions=$prefix/share/bash-completion/completions/gradflow
# completed WORD...: what bash offers for the last word.
completed() {
  bash -c 'source "$1"; shift; COMP_WORDS=(gradflow "$@"); COMP_CWORD=$#
           _gradflow; printf "%s\n" "${COMPREPLY[@]}"' bash "$completions" "$@" 2>"$root/log"
}
# offers EXPECTED WORD...
offers() {
  expected=$1
  shift
  got=$(completed "$@" | tr '\n' ' ')
  [ "$got" = "$expected " ] || fail "completion of '$*' is '$got', not '$expected'; $(cat "$root/log")"
  [ ! -s "$root/log" ] || fail "completion of '$*': $(cat "$root/log")"
}
if command -v bash >/dev/null; then
  quietly bash -n "$completions"
  mkdir -p "$root/files/a folder"
  : >"$root/files/a file.yaml"
  cd "$root/files"
  offers 'train' tra
  offers '--help' --h
  offers '--device' train --dev
  offers 'cpu' train --device c
  offers 'cpu' train --device = c
  offers 'auto' train -d a
  offers 'a folder' train --out a
  offers '' train --checkpoint-every ''
  offers 'report' study rep
  offers 'compare' bench c
  offers 'cifar100 cifar10' fetch c
  offers 'auto again' train --balance a
  offers 'equal auto again' train --balance =
  offers 'fast full' train --tune f
  offers 'train.epochs=' train --set train.ep
  offers 'model.tune=off model.tune=known model.tune=fast model.tune=full' train --set model.tu
  offers 'adam adamw' train --set optimizer.name = a
  offers 'cosine constant' train --set = schedule.name = c
  offers 'max_pool/layer' verify --case max_pool/
  offers 'summary' help summ
  [ "$(completed summary a | sort | tr '\n' ,)" = 'a file.yaml,a folder,' ] ||
    fail 'files are not completed'
  cd "$root"
fi
if "$program" help --completion fish >"$root/out" 2>"$root/log"; then fail 'fish is taken'; fi
[ "$(cat "$root/log")" = "gradflow: --completion takes bash or zsh, not 'fish'; see gradflow help \
--help" ] || fail "fish: $(cat "$root/log")"
if command -v zsh >/dev/null; then quietly zsh -n "$prefix/share/zsh/site-functions/_gradflow"; fi

# ---- packages ----

# pack KIND NAME: makes a package and leaves its path in $package.
pack() {
  quietly cpack --config "$build/CPackConfig.cmake" -G "$1" -B "$root/packages"
  package=$root/packages/$2
  [ -s "$package" ] || fail "no package $2 but $(ls "$root/packages")"
}
pack TGZ "gradflow-$version-$(uname -s).tar.gz"
tar -xzf "$package" -C "$root"
"$root/gradflow-$version-$(uname -s)/bin/gradflow" --version | grep -qx "gradflow $version" ||
  fail 'the program of the .tar.gz does not run'
if command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null; then
  pack DEB "gradflow_${version}_$(dpkg --print-architecture).deb"
  dpkg-deb -f "$package" Depends | grep -q libclblast1 || fail 'the .deb does not depend on CLBlast'
  dpkg-deb -x "$package" "$root/deb"
  "$root/deb/usr/bin/gradflow" --version | grep -qx "gradflow $version" ||
    fail 'the program of the .deb does not run'
fi

# ---- and away with it ----

# Once more below a DESTDIR, as packagers do; and other files in the same places, as of a package.
(
  DESTDIR=$root/dest
  export DESTDIR
  quietly cmake --install "$build" --prefix /usr
)
mv "$prefix" "$root/first"
echo 'of the user' >"$root/first/share/gradflow/kept"
echo '# of the user' >>"$root/first/share/gradflow/configs/plain7.yaml"
rm "$root/dest/usr/bin/gradflow"
echo 'of a package' >"$root/dest/usr/bin/gradflow"
if [ -e "$root/deb" ]; then
  find "$root/deb" ! -type d | sort >"$root/before"
fi
quietly cmake --build "$build" --target uninstall
left=$(cd "$root" && find first dest ! -type d | LC_ALL=C sort | tr '\n' ' ')
[ "$left" = "dest/usr/bin/gradflow first/share/gradflow/configs/plain7.yaml \
first/share/gradflow/kept " ] || fail "uninstall leaves $left"
grep -q "Keeping $root/dest/usr/bin/gradflow, which is not as it was installed" "$root/log" ||
  fail "uninstall does not say what it keeps: $(cat "$root/log")"
[ ! -e "$root/first/include/gradflow" ] || fail 'uninstall leaves the folder of the headers'
if [ -e "$root/deb" ]; then
  find "$root/deb" ! -type d | sort | diff "$root/before" - >&2 || fail 'uninstall reaches elsewhere'
fi
if cmake --build "$build" --target uninstall >"$root/log" 2>&1; then
  fail 'uninstall does not say that there is nothing to remove'
fi
grep -q 'nothing to remove' "$root/log" || fail "uninstall: $(cat "$root/log")"
