"""PyArrow, DuckDB and Polars read every file that the writer makes as equal to what was given to it:
all types, codecs, nesting, null patterns, sizes, with and without dictionaries, pages and threads."""
import itertools
import os
import pathlib
import sys

import oracle

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from parquet_judge import check_table, load

TOOL = oracle.tool("tool_parquet_write")

FLAT = ("i8 int8, i16 int16, i int, l long, u8 uint8, u16 uint16, u32 uint32, u64 uint64, "
        "b boolean, f float, d double, s string, bin binary, fx fixed[5], id uuid, "
        "d5 decimal(5,2), d9 decimal(9,0), d10 decimal(10,4), d18 decimal(18,18), "
        "d19 decimal(19,3), d38 decimal(38,10), day date, t1 time_ms, t2 time_us, "
        "ts1 timestamp_ms, ts2 timestamp, tz1 timestamptz_ms, tz2 timestamptz, "
        "n0 unknown")
NANOS = "t3 time_ns, ts0 timestamp_s, ts3 timestamp_ns, tz0 timestamptz_s, tz3 timestamptz_ns"
DURATIONS = "u0 duration_s, u1 duration_ms, u2 duration, u3 duration_ns"
REQUIRED = ", ".join(f"{c} not null" for c in FLAT.split(", ") if "unknown" not in c)
NESTED = ("a list<int>, b list<list<string>>, c map<string, long>, d map<int, list<double>>, "
          "e struct<x: int, y: struct<z: string, w: list<boolean>>>, "
          "f list<struct<p: uuid, q: map<string, struct<r: decimal(20,3), s: list<date>>>>>, "
          "g struct<m: map<long, map<string, float>>>")
NESTED_REQUIRED = ("a list<int not null> not null, c map<string, long not null> not null, "
                   "e struct<x: int not null, y: struct<z: string not null> not null> not null, "
                   "f list<list<struct<p: int not null>> not null>, k long not null")
INTERVAL = "iv interval, k int"

SCHEMAS = {"flat": FLAT, "required": REQUIRED, "nanos": NANOS, "durations": DURATIONS,
           "nested": NESTED, "nested_required": NESTED_REQUIRED, "interval": INTERVAL}
CODECS = ["none", "snappy", "gzip", "zstd", "lz4_raw", "brotli"]

# What a judge cannot read of a file that is right; each with its reason.
NOT_FOR = {
    ("polars", "interval"): "Polars has no intervals",
}


def cases():
    """Schema and settings; every value of every setting meets every schema once at least."""
    for number, (name, codec) in enumerate(itertools.product(SCHEMAS, CODECS)):
        sizes = [dict(rows=0), dict(rows=1), dict(rows=997, group=100, page=300),
                 dict(rows=2500, group=1000), dict(rows=3000, page=4096)]
        nulls = [0, 1, 20, 99, 100]
        distinct = [0, 1, 2, 30, 1000]
        settings = dict(sizes[number % 5], codec=codec, seed=number + 1,
                        nulls=nulls[(number // 5 + number) % 5],
                        distinct=distinct[(number // 7 + number) % 5],
                        threads=1 + number % 3, text=[3, 20, 200][number % 3],
                        items=[0, 1, 5, 40][number % 4], batch=[50, 700, 5000][number % 3],
                        modern=number // 2 % 2, page_rows=[20480, 100][number % 2])
        yield name, settings
    for name in SCHEMAS:  # what the turns above may miss
        yield name, dict(rows=2000, nulls=30, distinct=20, codec="zstd", group=700, seed=77)
        yield name, dict(rows=2000, nulls=10, distinct=0, codec="snappy", page=64, seed=78)
        yield name, dict(rows=300, nulls=50, distinct=5, dictionary=0, codec="none", seed=79)
        yield name, dict(rows=300, nulls=50, distinct=100, dictionary=200, codec="lz4_raw", seed=80)
    yield "flat", dict(rows=20000, nulls=5, distinct=3000, codec="zstd", seed=81)
    yield "required", dict(rows=20000, distinct=0, codec="zstd", seed=82, sorted=1)
    yield "nested", dict(rows=5000, nulls=5, distinct=0, codec="gzip", seed=83, page=1000)


def read_pyarrow(path):
    return pq.read_table(path, page_checksum_verification=True)


def read_duckdb(path):
    return duckdb.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()


def read_polars(path):
    return polars.read_parquet(path, use_pyarrow=False).to_arrow()


JUDGES = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "polars": read_polars}


def main():
    files = reads = 0
    only = os.environ.get("ONLY_CASE")
    failures = []
    for number, (name, settings) in enumerate(cases()):
        if only and int(only) != number:
            continue
        path = oracle.TMP / f"{number}.parquet"
        words = [f"{k}={v}" for k, v in settings.items()]
        fields, columns = load(oracle.run(TOOL, path, SCHEMAS[name], *words))
        files += 1
        for judge, read in JUDGES.items():
            if (judge, name) in NOT_FOR:
                continue
            try:
                check_table(judge, fields, columns, read(path))
                reads += 1
            except Exception as problem:  # every judge has its own
                failures.append(f"case {number} ({name}, {' '.join(words)}): {judge}: {problem}")
        path.unlink()
    for line in failures[:40]:
        print(line[:600])
    print(f"{files} files, {reads} reads equal, {len(failures)} not")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
