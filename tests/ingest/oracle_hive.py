"""Folders that others partitioned: PyArrow, DuckDB and Polars write them, stoa loads and shows them,
with the values that went in; and what stoa says where a folder and a file disagree."""
import collections
import datetime
import json
import sys

import oracle

sys.dont_write_bytecode = True
import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

TEXTS = ["new", "a/b", "50%", "x=y", "a b", "ünï", "..", "007", None, "q'uote", "[x]", "c:d", "日本"]
DAYS = [datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), None]
ROWS = 390
IDS = list(range(ROWS))
STATUS = [TEXTS[i % len(TEXTS)] for i in IDS]
DAY = [DAYS[i % len(DAYS)] for i in IDS]
NUMBER = [i % 5 - 2 for i in IDS]
TABLE = pa.table({"id": pa.array(IDS), "status": pa.array(STATUS, pa.string()),
                  "day": pa.array(DAY, pa.date32()), "k": pa.array(NUMBER, pa.int64())})
KEYS = ["status", "day", "k"]


def by_pyarrow(folder):
    kinds = pa.schema([TABLE.schema.field(key) for key in KEYS])
    pyarrow.dataset.write_dataset(TABLE, folder, format="parquet", max_partitions=2000,
                                  partitioning=pyarrow.dataset.partitioning(kinds, flavor="hive"))


def by_duckdb(folder):
    duckdb.from_arrow(TABLE).create_view("rows", replace=True)
    duckdb.sql(f"COPY rows TO '{folder}' (FORMAT parquet, PARTITION_BY (status, day, k))")


def by_polars(folder):
    polars.from_arrow(TABLE).write_parquet(folder, partition_by=KEYS, mkdir=True)


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def same(label, expected, found):
    expected, found = collections.Counter(expected), collections.Counter(found)
    assert expected == found, (label, list((expected - found).items())[:5],
                               list((found - expected).items())[:5])


EXPECTED = [(i, s, d and str(d), k) for i, s, d, k in zip(IDS, STATUS, DAY, NUMBER)]
for write in (by_pyarrow, by_duckdb, by_polars):
    name = write.__name__
    folder = oracle.TMP / name
    write(folder)
    for source in (folder, f"{folder}/", f"{folder}/**/*.parquet"):
        shown = rows_of(oracle.stoa("cat", source, "--format", "jsonl"))
        same(f"{name}, cat {source}", EXPECTED,
             [(row["id"], row["status"], row["day"], row["k"]) for row in shown])
    db = oracle.TMP / f"{name}.stoa"
    oracle.stoa("load", db, "t", folder, "--quiet", "--partition", "day")
    types = rows_of(oracle.stoa("schema", db, "t", "--format", "jsonl"))
    assert {row["column"]: row["type"] for row in types} == \
        {"id": "long", "status": "string", "day": "date", "k": "long"}, types
    found = rows_of(oracle.stoa("sql", db, "SELECT * FROM t", "--format", "jsonl"))
    same(f"{name}, load", EXPECTED,
         [(row["id"], row["status"], row["day"], row["k"]) for row in found])
    # Columns of folders alone, and those of files alone.
    only = rows_of(oracle.stoa("cat", folder, "--columns", "k", "--where", "status = 'x=y'",
                               "--format", "jsonl"))
    same(f"{name}, columns", [k for s, k in zip(STATUS, NUMBER) if s == "x=y"],
         [row["k"] for row in only])
    plain = rows_of(oracle.stoa("cat", folder, "--no-hive", "--limit", "1", "--format", "jsonl"))
    kept = ["id", *KEYS] if write is by_polars else ["id"]  # Polars keeps the columns in the files
    assert list(plain[0]) == kept, plain
    # A table's types are those of its columns, whatever the texts look like.
    oracle.stoa("load", db, "u", folder, "--quiet", "--schema",
                "k int, id long, status string, day timestamp")
    found = rows_of(oracle.stoa("sql", db, "SELECT typeof(k) AS t, sum(k) AS s FROM u GROUP BY 1",
                                "--format", "jsonl"))
    assert found == [{"t": "INTEGER", "s": sum(NUMBER)}], found

# The folder's value counts, in the file's column and with its type.
both = oracle.TMP / "both" / "k=7"
both.mkdir(parents=True)
pyarrow.parquet.write_table(pa.table({"k": pa.array([1, 2], pa.int32()), "v": ["a", "b"]}),
                            both / "x.parquet")
assert rows_of(oracle.stoa("cat", both.parent, "--format", "jsonl")) == \
    [{"k": 7, "v": "a"}, {"k": 7, "v": "b"}]
# It is also what predicates look at.
for where, values in (("k = 7", ["a", "b"]), ("k <> 7", []), ("k > 1 and v = 'a'", ["a"]),
                      ("k = 1 or v = 'b'", ["b"])):
    found = rows_of(oracle.stoa("cat", both.parent, "--where", where, "--format", "jsonl"))
    assert [row["v"] for row in found] == values, (where, found)
wrong = oracle.TMP / "both" / "k=seven"
wrong.mkdir()
pyarrow.parquet.write_table(pa.table({"k": pa.array([1], pa.int32()), "v": ["a"]}),
                            wrong / "x.parquet")
oracle.stoa("cat", both.parent, status=1)
oracle.stoa("cat", both.parent, "--no-hive")
