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

# State tables: writes are refused, rows are read on, and the next write finds the space that came back.
"$STOA_BIN" load "$disk/db" s "$STOA_TMP/small.csv" --kind state --key id -q
"$STOA_BIN" put "$disk/db" s 2000 before
refuse() {
    local status=0 row rows
    "$STOA_BIN" "$@" 2> "$STOA_TMP/err" > /dev/null || status=$?
    [ "$status" = 3 ] || fail "$1: expected exit code 3 but found $status"
    row=$("$STOA_BIN" get "$disk/db" s 2000 --columns text | tail -1)
    [ "$row" = before ] || fail "after $1: expected the row of before but found '$row'"
    rows=$("$STOA_BIN" scan "$disk/db" s --columns id | wc -l)
    [ "$rows" = 1002 ] || fail "after $1: expected 1001 rows and a head but found $rows lines"
}
head -c 64M /dev/zero > "$disk/filler" 2> /dev/null || true
refuse put "$disk/db" s 2001 never
truncate -s -200K "$disk/filler" # what the catalog needs to be opened for a write
refuse load "$disk/db" s "$STOA_TMP/big.csv" --mode upsert -q
grep -qi "no space" "$STOA_TMP/err" || fail "the reason is not named: $(cat "$STOA_TMP/err")"
rm "$disk/filler"
"$STOA_BIN" put "$disk/db" s 2001 after --durability sync
"$STOA_BIN" compact "$disk/db" s
rows=$("$STOA_BIN" sql "$disk/db" "select count(*) from s" --format csv | tail -1)
[ "$rows" = 1002 ] || fail "expected 1002 rows but found $rows"
"$STOA_BIN" verify "$disk/db" > /dev/null
umount "$disk"
echo "a full disk refuses, keeps and recovers"
