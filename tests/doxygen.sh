#!/bin/sh
# doxygen.sh DOXYFILE SOURCE [DOXYGEN]: reads the comments of the public headers; a warning is a
# failure. Then the same with a comment removed, which must be one.
set -eu
doxyfile=$1 source=$2 doxygen=${3-}
[ -x "$doxygen" ] || { echo 'skipped: doxygen is missing (Debian: apt-get install doxygen)'; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# reads FOLDER OUT: with FOLDER/include as the headers
reads() {
  mkdir -p "$folder/$2"
  sed "s|@PROJECT_SOURCE_DIR@|$1|; s|@PROJECT_VERSION@|0|; s|@PROJECT_DESCRIPTION@|test|
       s|@GRADFLOW_API_FOLDER@|$folder/$2|" "$doxyfile" >"$folder/Doxyfile"
  "$doxygen" "$folder/Doxyfile" >"$folder/log" 2>&1
}

reads "$source" api || { cat "$folder/log"; exit 1; }
for page in index train_8h structgf__train__options; do
  [ -s "$folder/api/$page.html" ] || { echo "there is no page $page.html"; exit 1; }
done
cp -r "$source/include" "$folder/include"
sed -i '/\*\*< a checkpoint every so many steps/s|/\*\*<.*||' "$folder/include/gradflow/train.h"
! reads "$folder" other || { echo 'a member without a comment is not found'; exit 1; }
grep -q 'checkpoint_steps' "$folder/log" || { cat "$folder/log"; exit 1; }
