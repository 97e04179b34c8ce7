#!/usr/bin/env bash
# Runs the outside judges tests/judge/*.sh, each of which prints `score: PASSED/TOTAL` (and exits
# with 77, saying why, when what it needs is not there). With --quick, only those that hold a line
# `# judge: quick`; with a name, only that one.   usage: judge.sh [--quick] [NAME]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

quick=
only=
for word in "$@"; do
    if [[ $word == --quick ]]; then quick=yes; else only=$word; fi
done
export STOA_JUDGE_QUICK=$quick # what must be built first, for minutes, is then left out

logs=build/judge
mkdir -p "$logs"
names=() scores=()
status=0
shopt -s nullglob
for script in tests/judge/*.sh; do
    name=$(basename "$script" .sh)
    [[ -z $only || $name == "$only" ]] || continue
    [[ -z $quick ]] || grep -q '^# judge: quick$' "$script" || continue
    echo "== judge $name"
    tools/run_script.sh "$script" 2>&1 | tee "$logs/$name.log"
    code=${PIPESTATUS[0]}
    score=$(grep '^score: ' "$logs/$name.log" | tail -1)
    if [[ $code == 77 ]]; then
        score=$(grep '^left out' "$logs/$name.log" | tail -1)
        score=${score:-left out}
    elif [[ $code != 0 ]]; then
        score="FAILED (exit status $code) $score"
        status=1
    fi
    names+=("$name") scores+=("$score")
done

if ((${#names[@]} == 0)); then
    [[ -z $only ]] || { echo "there is no judge '$only' in tests/judge" && exit 2; }
    exit 0
fi
echo
for i in "${!names[@]}"; do printf '%-24s %s\n' "${names[i]}" "${scores[i]}"; done
exit $status
