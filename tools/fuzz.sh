#!/usr/bin/env bash
# Runs each libFuzzer target of fuzz/ for some seconds, from its seeds in the tree and from what
# earlier runs found (build-fuzz/corpus).   usage: fuzz.sh SECONDS [NAME]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=$1
only=${2:-}
cmake --preset fuzz -DCMAKE_C_COMPILER="$(tools/clang_tool.sh clang)" --log-level=WARNING >/dev/null
cmake --build --preset fuzz -j "${JOBS:-$(nproc)}" --target "${only:+fuzz_}${only:-fuzzers}"

export LSAN_OPTIONS=suppressions=$PWD/tools/sanitizers/leaks.txt:print_suppressions=0
status=0
shopt -s nullglob
for program in build-fuzz/fuzz/fuzz_${only:-*}; do
    name=$(basename "$program")
    name=${name#fuzz_}
    corpus=build-fuzz/corpus/$name
    found=build-fuzz/found/$name
    mkdir -p "$corpus" "$found"
    seeds=()
    [[ ! -d fuzz/seeds/$name ]] || seeds=("fuzz/seeds/$name")
    echo "== fuzz $name, $seconds seconds"
    if ! "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=65536 \
        -print_final_stats=0 -artifact_prefix="$found/" "$corpus" "${seeds[@]}" \
        >"build-fuzz/$name.log" 2>&1; then
        tail -60 "build-fuzz/$name.log"
        echo "fuzz: $name FAILED; the input is in $found"
        status=1
    fi
    grep -E '^Done|^stat::number_of_exec' "build-fuzz/$name.log" || true
done
exit $status
