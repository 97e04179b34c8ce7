#!/usr/bin/env bash
# Compiles each header alone: all as C17, the public ones also strictly and as C++17.
# usage: check_headers.sh [CC]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CC=${1:-cc} CXX=${CXX:-c++}

one() {
    local header=$1 flags=(-fsyntax-only -Wall -Wextra -Werror -Iinclude -Isrc -D_GNU_SOURCE)
    # A main file that includes the header: `#pragma once` in a main file would be warned of.
    local text="#include \"$PWD/$header\""
    if [[ $header == include/* ]]; then
        text="#include <${header#include/}>"
        "$CC" "${flags[@]}" -std=c17 -Wpedantic -xc - <<<"$text" || return 1
        "$CXX" "${flags[@]}" -std=c++17 -Wpedantic -xc++ - <<<"$text" || return 1
    else
        "$CC" "${flags[@]}" -std=gnu17 -xc - <<<"$text" || return 1
    fi
}
export -f one

mapfile -t headers < <(find include src -name '*.h' | sort)
failed=0
if ((${#headers[@]})); then
    printf '%s\n' "${headers[@]}" |
        xargs -P "$(nproc)" -I{} bash -c 'one {} || { echo "{}: does not compile alone"; exit 1; }' ||
        failed=1
fi
echo "headers: ${#headers[@]} compiled alone"
exit $failed
