#!/usr/bin/env bash
# The gate, after tools/setup.sh test: the house's rules, the release build with every test, the
# address and undefined-behaviour sanitizers with every test, the thread sanitizer with the tests
# of what has threads. Every stage runs even when one before it failed; the end is one summary.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

jobs=${JOBS:-$(nproc)}
logs=build/check
mkdir -p "$logs"
stages=() results=() times=()
failed=()

# Sanitizers of older compilers cannot cope with much randomness in the layout of memory.
plain=()
if setarch "$(uname -m)" -R true 2>/dev/null; then
    plain=(setarch "$(uname -m)" -R)
fi

# stage NAME COMMAND...: runs a command, showing and keeping what it prints.
stage() {
    local name=$1 begun=$SECONDS
    shift
    echo "==== $name"
    if "$@" 2>&1 | tee "$logs/${name// /-}.log"; then
        results+=(passed)
    else
        results+=(FAILED)
        failed+=("$name")
    fi
    stages+=("$name") times+=($((SECONDS - begun)))
}

build() {
    local preset=$1
    shift
    cmake --preset "$preset" --log-level=WARNING "$@" >/dev/null &&
        cmake --build --preset "$preset" -j "$jobs"
}

tests() {
    local folder=$1
    shift
    (cd "$folder" && "${plain[@]}" ctest --output-on-failure -j "$jobs" "$@")
}

if [[ ! -d ${STOA_SHARED:-../shared} ]]; then
    echo "left out: corpora and judges; neither ../shared nor \$STOA_SHARED is there"
fi

stage "release build" build release "-DSTOA_WERROR=${CI:+ON}"
stage "release tests" tests build
stage "asan build" build asan
stage "asan tests" tests build-asan -LE '^house$'
stage "tsan build" build tsan
stage "tsan tests" tests build-tsan -L '^threads$' --no-tests=ignore
stage "quick judges" tools/judge.sh --quick

echo
echo "==== summary"
for i in "${!stages[@]}"; do
    log=$logs/${stages[i]// /-}.log
    note=$(grep -hE '^[0-9]+% tests passed|^score: ' "$log" | tail -1)
    printf '%-14s %-7s %4d s  %s\n' "${stages[i]}" "${results[i]}" "${times[i]}" "$note"
done
grep -h '^left out' build*/Testing/Temporary/LastTest.log "$logs/quick-judges.log" 2>/dev/null | sort -u
echo
# The end is ctest's own: of the first tests that failed, else of the whole suite.
last="release tests"
for name in "${failed[@]}"; do
    [[ $name != *tests ]] || { last=$name && break; }
done
sed -n '/% tests passed/,$p' "$logs/${last// /-}.log"
if ((${#failed[@]})); then
    (IFS=, && echo "check: FAILED: ${failed[*]}; the logs are in $logs")
    exit 1
fi
