"""PyArrow, DuckDB and Polars read every file that the writer makes as equal to what was given to it:
all types, encodings, codecs, nesting, null patterns, sizes, with and without dictionaries, pages of both
versions, and threads. Each is met, but not each pair: the judge parquet_matrix takes every encoding with
every codec, version, null pattern and size."""
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

IN_STRUCTS = ("st struct<x: long not null, s: string not null, d: double not null>, "
              "ls list<struct<y: int not null>>")

SCHEMAS = {"in_structs": IN_STRUCTS, "flat": FLAT, "required": REQUIRED, "nanos": NANOS,
           "durations": DURATIONS, "nested": NESTED, "nested_required": NESTED_REQUIRED, "interval": INTERVAL}
CODECS = ["none", "snappy", "gzip", "zstd", "lz4_raw", "brotli"]

# Columns that may have an encoding; it is asked for by name, nested leaves included.
INTEGERS = ("i8 int8, i16 int16, i int, l long not null, u8 uint8, u16 uint16, u32 uint32, u64 uint64, "
            "d5 decimal(5,2), d10 decimal(10,4), day date, t1 time_ms, t2 time_us, ts timestamp, "
            "li list<int>, st struct<x: long>")
FIXED = "fx fixed[5], id uuid not null, d38 decimal(38,10)"
ENCODED = {
    "delta_binary_packed": INTEGERS,
    "delta_binary_packed in structs": "st struct<x: long not null>, ls list<struct<y: int not null>>",
    "delta_length_byte_array": "s string, bin binary not null, ls list<string>",
    "delta_byte_array": "s string, bin binary not null, ls list<string>",
    "delta_byte_array of fixed": FIXED,
    "byte_stream_split": "f float, d double not null, ld list<double>",
    "byte_stream_split of integers": INTEGERS,
    "byte_stream_split of fixed": FIXED,
    "rle": "b boolean, c boolean not null, lb list<boolean>",
    "plain": FLAT,
    "dictionary": FLAT.replace("b boolean, ", "").replace(", n0 unknown", ""),
}

# What a judge cannot read of a file that is right; each with its reason.
NOT_FOR = {
    ("polars", "interval"): "Polars has no intervals",
    ("duckdb", "byte_stream_split of integers"): "DuckDB has it for floats only",
    ("duckdb", "byte_stream_split of fixed"): "DuckDB has it for floats only",
    ("polars", "byte_stream_split of fixed"): "Polars lacks it for optional fixed bytes",
    ("polars", "delta_binary_packed in structs"): "Polars fails, on PyArrow's files too",
    ("polars", "delta_byte_array of fixed"): "Polars lacks it for optional fixed bytes",
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
    yield "nested_required", dict(rows=1300, nulls=20, group=400, page_rows=130, modern=1, seed=84)
    yield "in_structs", dict(rows=1300, nulls=20, group=400, page_rows=130, modern=1, seed=84, sorted=1)
    yield "nested", dict(rows=5000, nulls=5, distinct=0, codec="gzip", seed=83, page=1000)


def encoded_cases(whole=False):
    """Every encoding as asked for, in both versions of pages; `whole`: with every codec, null pattern
    and size."""
    sizes = [dict(rows=0), dict(rows=1), dict(rows=1300, group=400, page_rows=130),
             dict(rows=3000, distinct=900, page=700)]
    patterns = [dict(nulls=n) for n in (0, 20, 100)]
    if whole:
        chosen = itertools.product(ENCODED, CODECS, (0, 1), patterns, sizes)
    else:
        chosen = ((name, CODECS[(n + v) % 6], v, patterns[(n + v) % 2], sizes[2 + (n // 2 + v) % 2])
                  for n, name in enumerate(ENCODED) for v in (0, 1))
    for number, (name, codec, modern, pattern, size) in enumerate(chosen):
        encoding = name.split()[0]
        columns = [c.split()[0] for c in ENCODED[name].split(", ")]
        yield name, dict(size, **pattern, codec=codec, modern=modern, seed=500 + number,
                         sorted=number % 2), [f"{c}:{encoding}" for c in columns]


def read_pyarrow(path):
    return pq.read_table(path, page_checksum_verification=True)


def read_duckdb(path):
    return duckdb.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()


def read_polars(path):
    return polars.read_parquet(path, use_pyarrow=False).to_arrow()


JUDGES = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "polars": read_polars}


def check_encodings(path, wanted):
    """What was asked for is in the file, where there is a value to write so."""
    if not wanted:
        return
    metadata, encoding = pq.read_metadata(path), wanted[0].split(":")[1].upper()
    encoding = "RLE_DICTIONARY" if encoding == "DICTIONARY" else encoding
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(at)
            values = chunk.num_values - (chunk.statistics.null_count if chunk.statistics else 0)
            assert values == 0 or encoding in chunk.encodings, (chunk.path_in_schema, chunk.encodings)


def main():
    files = reads = 0
    only = os.environ.get("ONLY_CASE")
    failures = []
    schemas = {**SCHEMAS, **ENCODED}
    everything = itertools.chain(((*case, []) for case in cases()), encoded_cases())
    for number, (name, settings, encodings) in enumerate(everything):
        if only and int(only) != number:
            continue
        path = oracle.TMP / f"{number}.parquet"
        words = [f"{k}={v}" for k, v in settings.items()] + encodings
        fields, columns = load(oracle.run(TOOL, path, schemas[name], *words))
        check_encodings(path, encodings)
        files += 1
        for judge, read in JUDGES.items():
            if (judge, name) in NOT_FOR:
                continue
            try:
                check_table(judge, fields, columns, read(path))
                reads += 1
            except BaseException as problem:  # every judge has its own; a panic is no Exception
                if isinstance(problem, KeyboardInterrupt):
                    raise
                failures.append(f"case {number} ({name}, {' '.join(words)}): {judge}: {problem}")
        path.unlink()
    for line in failures[:40]:
        print(line[:600])
    print(f"{files} files, {reads} reads equal, {len(failures)} not")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
