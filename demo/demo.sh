#!/usr/bin/env bash
# The main job on real input: flight records go in, are kept as columns in Parquet files, and SQL
# answers questions over them. Expects a release build (STOA_BIN) and the data of the npm package
# vega-datasets (STOA_DEMO_DATA); `make demo` sees to both.
set -euo pipefail
cd "$(dirname "$0")/.."

stoa=${STOA_BIN:-build/stoa}
data=${STOA_DEMO_DATA:-build/deps/vega}
database=${STOA_DEMO_DATABASE:-build/demo/flights.stoa}

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\033[1m'; dim=$'\033[2m'; plain=$'\033[0m'; else bold=; dim=; plain=; fi
if [ -t 1 ]; then width=0; else width=100; fi

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
run() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; "$@"; }

started=$(now_ms)
rm -rf "$database"
mkdir -p "$(dirname "$database")"

step "Load 3,000,000 flights from Parquet, 200,000 from JSON, 3,376 airports from CSV"
run "$stoa" load "$database" flights "$data/flights-3m.parquet"
run "$stoa" load "$database" flights_sample "$data/flights-200k.json"
run "$stoa" load "$database" airports "$data/airports.csv"

step "What is there"
run "$stoa" tables "$database" --format table
run "$stoa" schema "$database" flights --format table

options=(--format table)
[ "$width" -gt 0 ] && options+=(--width "$width")
for question in demo/questions/*.sql; do
    step "$(sed -n '1s/^-- //p' "$question")"
    sed "1d;s/^/${dim}    /;s/\$/${plain}/" "$question"
    before=$(now_ms)
    "$stoa" sql "$database" -f "$question" "${options[@]}"
    printf '%s %d ms, the start of the program included%s\n' "$dim" "$(($(now_ms) - before))" "$plain"
done

step "Every byte on disk is an open format, and every checksum is right"
run "$stoa" verify "$database"
find "$database" -type f -name '*.parquet' -printf '%s %P\n' | sort -k2 | while read -r bytes path; do
    printf '  %12s bytes  %s\n' "$bytes" "$path"
done
kept=$(find "$database" -type f -printf '%s\n' | awk '{s += $1} END {print s}')
given=$(cat "$data/flights-3m.parquet" "$data/flights-200k.json" "$data/airports.csv" | wc -c)
printf '  %12s bytes in all, from %s bytes of input\n' "$kept" "$given"
printf '\n%sdone in %d.%01d s%s\n' "$bold" $((($(now_ms) - started) / 1000)) $((($(now_ms) - started) / 100 % 10)) "$plain"

step "Try next"
cat <<END
  $stoa shell $database
  $stoa sql $database "select * from flights where origin = 'SFO' and delay > 600"
  $stoa export $database "from flights where destination = 'JFK'" -o jfk.parquet
END
