#!/usr/bin/env bash
# The state store for as long as one likes, with fresh seeds: histories against a model, machines that go
# down at any call, processes that are killed, also beside readers. `make soak MINUTES=60`; the end is how
# much of it there was.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

minutes=${1:-10}
programs=(prop_lsm_store crash_lsm_store crash_lsm_store_kill crash_lsm_store_readers)
seconds=$((minutes * 60 / ${#programs[@]}))
log=build/soak.log
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
status=0

: >"$log"
for program in "${programs[@]}"; do
    echo "==== $program, $seconds s" | tee -a "$log"
    if ! STOA_TMP=$tmp STOA_TEST_SECONDS=$seconds "build/tests/$program" >>"$log" 2>&1; then
        status=1
        grep -A60 'ERROR' "$log" | head -100
    fi
done

echo "==== summary ($log)"
grep -E '^[0-9]+ (histories|crashes|kills)' "$log"
exit $status
