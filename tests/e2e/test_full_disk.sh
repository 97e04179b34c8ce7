#!/usr/bin/env bash
# A disk that fills up: one clear line, exit code 3, and everything that was there before.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    if ! unshare -rm true 2>/dev/null; then
        echo "left out: e2e.full_disk needs a mount namespace, which this machine does not give"
        exit 77
    fi
    exec unshare -rm bash "$0" inside
fi

fail() { echo "failed: $*"; exit 1; }

disk=$STOA_TMP/disk
mkdir "$disk"
mount -t tmpfs -o size=12m tmpfs "$disk" || { echo "left out: tmpfs cannot be mounted"; exit 77; }

"$STOA_BIN" sql :memory: "select i as id, md5(i::varchar) as text from range(1000000) t(i)" \
    -o "$STOA_TMP/big.csv"
head -1001 "$STOA_TMP/big.csv" > "$STOA_TMP/small.csv"
"$STOA_BIN" load "$disk/db" t "$STOA_TMP/small.csv" -q

status=0
"$STOA_BIN" load "$disk/db" t "$STOA_TMP/big.csv" --mode append -q 2> "$STOA_TMP/err" || status=$?
[ "$status" = 3 ] || fail "expected exit code 3 but found $status: $(cat "$STOA_TMP/err")"
[ "$(wc -l < "$STOA_TMP/err")" = 1 ] || fail "expected one line: $(cat "$STOA_TMP/err")"
grep -qi "no space" "$STOA_TMP/err" || fail "the reason is not named: $(cat "$STOA_TMP/err")"

rows=$("$STOA_BIN" sql "$disk/db" "select count(*) from t" --format csv | tail -1)
[ "$rows" = 1000 ] || fail "expected 1000 rows but found $rows"
status=0
"$STOA_BIN" export "$disk/db" "from '$STOA_TMP/big.csv'" -o "$disk/out.csv" 2> /dev/null || status=$?
[ "$status" = 3 ] || fail "export: expected exit code 3 but found $status"
[ ! -e "$disk/out.csv" ] || fail "half a file was left"

# The failed load and export gave their space back.
head -20001 "$STOA_TMP/big.csv" > "$STOA_TMP/medium.csv"
"$STOA_BIN" load "$disk/db" t "$STOA_TMP/medium.csv" --mode append -q
rows=$("$STOA_BIN" sql "$disk/db" "select count(*) from t" --format csv | tail -1)
[ "$rows" = 21000 ] || fail "expected 21000 rows but found $rows"
"$STOA_BIN" verify "$disk/db" > /dev/null
status=0
"$STOA_BIN" sql "$disk/db" "select * from range(1000000)" --format csv > /dev/full 2> /dev/null || status=$?
[ "$status" = 3 ] || fail "a full standard output: expected exit code 3 but found $status"
umount "$disk"
echo "a full disk refuses, keeps and recovers"
