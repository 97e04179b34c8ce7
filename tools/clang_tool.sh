#!/usr/bin/env bash
# Runs the newest installed clang, clang-format or clang-tidy: clang_tool.sh NAME ARGUMENT...
# With no argument after NAME, prints the path of the program.
set -euo pipefail
name=$1
shift
for version in "" -22 -21 -20 -19 -18 -17 -16 -15 -14; do
    if program=$(command -v "$name$version"); then
        (($#)) || { echo "$program" && exit 0; }
        exec "$program" "$@"
    fi
done
echo "$name is not installed; 'tools/setup.sh tools' installs it" >&2
exit 1
