"""Partitioned tables as other readers see their folders: DuckDB, PyArrow and Polars read what stoa
wrote, by their own rules for names of folders, and find the values that went in; our own SQL finds
them too, nulls and empty strings told apart."""
import collections
import datetime
import decimal
import json
import os
import subprocess
import sys
import uuid

import oracle

sys.dont_write_bytecode = True
import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

TEXTS = ["new", "paid", "", None, "a/b", "50%", "x=y", "a b", "ünï", ".", "..", "tail.", "NULL",
         "007", "-1", "2024-01-01", "q'uote", "br[ack]{et}^", "c:d*e?f\\g\"#", "a..b", "\t\n", "100%25",
         "__HIVE_DEFAULT_PARTITION_", "日本", "x" * 200, "+1", "%2F", "a&b;c", "~", "`$(x)`"]
TYPES = {  # name: (Arrow type, values, DuckDB's type)
    "int": (pa.int32(), [1, -2, 2**31 - 1, None], "INTEGER"),
    "long": (pa.int64(), [0, -2**63, 2**63 - 1, None], "BIGINT"),
    "day": (pa.date32(), [datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), None], "DATE"),
    "ts": (pa.timestamp("us"), [datetime.datetime(2024, 1, 1, 10), None,
                                datetime.datetime(1969, 12, 31, 23, 59, 59, 500000)], "TIMESTAMP"),
    "price": (pa.decimal128(9, 2), [decimal.Decimal("-12.50"), decimal.Decimal("0.05"), None],
              "DECIMAL(9, 2)"),
    "ok": (pa.bool_(), [True, False, None], "BOOLEAN"),
    "ratio": (pa.float64(), [1.5, -0.25, 1e100, None], "DOUBLE"),
}


def load(name, table, *options, **env):
    """The table in a database of its own; gives the database and the table's folder."""
    file, db = oracle.TMP / f"{name}.parquet", oracle.TMP / f"{name}.stoa"
    pyarrow.parquet.write_table(table, file)
    oracle.stoa("load", db, "t", file, "--quiet", *options, env={**os.environ, **env})
    return db, folder_of(db)


def folder_of(db):
    return db / "tables" / files(db)[0].split("/")[1]


def files(db):
    rows = json.loads(oracle.stoa("files", db, "t", "--format", "json"))
    return [row["file"] for row in rows]


def query(db, sql):
    return [tuple(json.loads(line).values())
            for line in oracle.stoa("sql", db, sql, "--format", "jsonl").splitlines()]


def same(label, expected, found):
    expected, found = collections.Counter(expected), collections.Counter(found)
    if expected != found:
        raise AssertionError(f"{label}: lacks {list((expected - found).items())[:5]}, "
                             f"has {list((found - expected).items())[:5]}")


def readers(folder, column, arrow, engine):
    """(id, value) of all rows, as each of the others reads the folder with the column's type."""
    pattern = f"{folder}/**/*.parquet"
    yield "duckdb", duckdb.sql(
        f"SELECT id, {column} FROM read_parquet('{pattern}', hive_partitioning = true, "
        f"hive_types = {{'{column}': '{engine}'}})").fetchall()
    if pa.types.is_decimal(arrow):
        return  # PyArrow and Polars know none in names of folders
    schema = pa.schema([(column, arrow)])
    hive = pyarrow.dataset.partitioning(schema, flavor="hive")
    rows = pyarrow.dataset.dataset(folder, partitioning=hive).to_table()
    yield "pyarrow", list(zip(rows["id"].to_pylist(), rows[column].to_pylist()))
    kinds = polars.from_arrow(schema.empty_table()).schema
    frame = polars.scan_parquet(folder, hive_partitioning=True, hive_schema=kinds).collect()
    yield "polars", list(zip(frame["id"], frame[column]))


def check_texts():
    rows = 40 * len(TEXTS)
    values = [TEXTS[i % len(TEXTS)] for i in range(rows)]
    table = pa.table({"id": pa.array(range(rows)), "status": pa.array(values, pa.string())})
    db, folder = load("texts", table, "--partition", "status")
    found = [(row[0], row[1]) for row in query(db, "SELECT id, status FROM t")]
    same("stoa", zip(range(rows), values), found)
    # In a folder's name an empty string is a null, as Hive and Spark have it.
    told = [(i, value or None) for i, value in enumerate(values)]
    for name, found in readers(folder, "status", pa.string(), "VARCHAR"):
        # DuckDB takes the text NULL for a null as well.
        ours = [(i, None if value == "NULL" else value) for i, value in told]
        same(f"texts, {name}", ours if name == "duckdb" else told, found)
    plain = pyarrow.dataset.dataset(folder, partitioning="hive").to_table()
    same("pyarrow, types found", told, zip(plain["id"].to_pylist(), plain["status"].to_pylist()))
    for value in TEXTS:
        where = "status IS NULL" if value is None else "status = '" + value.replace("'", "''") + "'"
        sql = f"SELECT count(*) FROM t WHERE {where}"
        assert query(db, sql) == [(40,)], (value, query(db, sql))


def check_types():
    for column, (arrow, values, engine) in TYPES.items():
        rows = [values[i % len(values)] for i in range(60)]
        table = pa.table({"id": pa.array(range(60)), column: pa.array(rows, arrow)})
        db, folder = load(f"type_{column}", table, "--partition", column)
        assert len(files(db)) == len(values), files(db)
        for name, found in readers(folder, column, arrow, engine):
            same(f"{column}, {name}", enumerate(rows), found)
        out = oracle.TMP / f"type_{column}.arrow"
        oracle.stoa("sql", db, f"SELECT id, {column} FROM t", "-o", out)
        again = pa.ipc.open_file(out).read_all()
        assert again.schema.field(column).type == arrow, again.schema
        same(f"{column}, stoa", enumerate(rows),
             zip(again["id"].to_pylist(), again[column].to_pylist()))
        oracle.stoa("export", db, "t", "-o", out)
        again = pa.ipc.open_file(out).read_all()
        same(f"{column}, export", enumerate(rows),
             zip(again["id"].to_pylist(), again[column].to_pylist()))


def check_transforms():
    start = datetime.datetime(2023, 11, 1)
    stamps = [None if i % 50 == 0 else start + datetime.timedelta(hours=5 * i) for i in range(600)]
    table = pa.table({"id": pa.array(range(600)), "ts": pa.array(stamps, pa.timestamp("us"))})
    db, folder = load("transforms", table, "--partition", "month(ts), bucket(4, id)")
    found = duckdb.sql(f"SELECT id, ts, ts_month FROM read_parquet('{folder}/**/*.parquet', "
                       "hive_partitioning = true, hive_types_autocast = false)").fetchall()
    same("months", [(i, ts, ts and f"{ts:%Y-%m}") for i, ts in enumerate(stamps)], found)
    done = subprocess.run([os.environ["STOA_BIN"], "sql", db, "--explain", "--format", "csv",
                           "SELECT count(*) FROM t WHERE ts >= '2024-02-01' AND id IN (443, 444)"],
                          text=True, capture_output=True, check=True)
    told = json.loads(done.stderr)[0]
    assert done.stdout.split() == ["count_star()", "2"], done.stdout
    assert told["parts"] <= 2 and told["skipped"] >= 20, told


def check_changes():
    table = pa.table({"id": pa.array(range(100)), "k": pa.array([i % 4 for i in range(100)])})
    db, folder = load("changes", table, "--partition", "k")
    before = set(files(db))
    file = oracle.TMP / "changes.parquet"
    oracle.stoa("load", db, "t", file, "--mode", "append", "--quiet")
    assert before < set(files(db)) and len(files(db)) == 8
    oracle.stoa("sql", db, "UPDATE t SET k = 9 WHERE id = 3; DELETE FROM t WHERE k = 2; "
                           "INSERT INTO t VALUES (1000, 2)")
    expected = [(i, 9 if i == 3 else i % 4) for i in range(100) if i % 4 != 2] * 2 + [(1000, 2)]
    same("changes", expected, query(db, "SELECT id, k FROM t"))
    same("changes, k of the folder", [9, 9],
         [k for file in files(db) if "/k=9/" in file
          for k in duckdb.sql(f"SELECT k FROM read_parquet('{db}/{file}', "
                              "hive_partitioning = true)").fetchone()][:1] * 2)
    oracle.stoa("load", db, "t", file, "--mode", "overwrite", "--quiet")
    assert len(files(db)) == 4 and folder_of(db) == folder
    oracle.stoa("expire", db, "t", "--older-than", "0s")
    assert sorted(path.name for path in folder.iterdir()) == ["k=0", "k=1", "k=2", "k=3"]
    oracle.stoa("verify", db)


def check_export():
    start = datetime.date(2023, 12, 30)
    days = [None if i % 9 == 0 else start + datetime.timedelta(days=i % 4) for i in range(90)]
    table = pa.table({"id": pa.array(range(90)), "day": pa.array(days, pa.date32())})
    db, _ = load("export", table)
    folder = oracle.TMP / "exported"
    folder.mkdir()
    oracle.stoa("export", db, "t", "-o", folder, "--partition", "day", "--quiet")
    for name, found in readers(folder, "day", pa.date32(), "DATE"):
        same(f"export, {name}", enumerate(days), found)
    before = sorted(folder.rglob("*"))
    oracle.stoa("export", db, "t", "-o", folder, "--partition", "day", status=1)
    assert sorted(folder.rglob("*")) == before
    oracle.stoa("export", db, "SELECT id, id % 3 AS k FROM t", "-o", f"{folder}/", "--partition", "k",
                "--overwrite", "--quiet")
    assert sorted(path.name for path in folder.iterdir()) == ["k=0", "k=1", "k=2"]
    rows = pyarrow.dataset.dataset(folder, partitioning="hive").to_table()
    same("export of a query", [(i, i % 3) for i in range(90)],
         zip(rows["id"].to_pylist(), rows["k"].to_pylist()))
    link = oracle.TMP / "link"
    link.symlink_to(folder)
    oracle.stoa("export", db, "t", "-o", link, "--partition", "day", "--overwrite", "--quiet")
    assert link.is_symlink() and any(path.name.startswith("day=") for path in folder.iterdir())
    for target in (db, db / "tables", oracle.TMP):  # a database is never replaced
        oracle.stoa("export", db, "t", "-o", target, "--partition", "day", "--overwrite", status=1)
    elsewhere, _ = load("elsewhere", table)
    oracle.stoa("export", db, "t", "-o", elsewhere, "--partition", "day", "--overwrite", status=1)
    assert len(query(elsewhere, "SELECT id FROM t")) == len(query(db, "SELECT id FROM t")) == 90
    oracle.stoa("export", db, "SELECT id, 1 / (id - 80) FROM t", "-o", oracle.TMP / "bad",
                "--partition", "nothing", status=1)
    left = [path.name for path in oracle.TMP.iterdir() if path.name.startswith((".stoa-tmp", "bad"))]
    assert not left, left


def check_many():
    """More partitions than can be open, in less memory than the rows take: runs on disk."""
    rows = 300_000
    keys = [(i * 7919) % 307 for i in range(rows)]
    text = pa.array([f"{i:040d}" for i in range(rows)])
    table = pa.table({"id": pa.array(range(rows)), "k": pa.array(keys), "s": text, "r": text})
    db, folder = load("many", table, "--partition", "k", STOA_MEMORY="160MB")
    assert len(files(db)) == 307, len(files(db))
    assert query(db, "SELECT count(*), sum(id), sum(k) FROM t WHERE s = r") == \
        [(rows, sum(range(rows)), sum(keys))]
    for file in files(db)[:50]:
        k = int(file.split("/k=")[1].split("/")[0])
        found = pyarrow.parquet.ParquetFile(db / file).read()["id"].to_pylist()
        assert found == [i for i in range(rows) if keys[i] == k], file
    assert not list((db / "tmp").glob("*/run-*")), list((db / "tmp").iterdir())


def sorted_by(file):
    """The sorting columns of every row group: name, descending, nulls first."""
    about = pyarrow.parquet.ParquetFile(file)
    names = [about.metadata.schema.column(i).path for i in range(about.metadata.num_columns)]
    found = {tuple((names[c.column_index], c.descending, c.nulls_first)
                   for c in about.metadata.row_group(i).sorting_columns)
             for i in range(about.metadata.num_row_groups)}
    assert len(found) == 1, found
    return found.pop()


def check_sorting():
    """What PyArrow finds written down of the order: the part of it that holds within a file."""
    count = 5000
    table = pa.table({"k": pa.array([(i * 7919) % 300 for i in range(count)], pa.int32()),
                      "part": pa.array([f"p{i % 3}" for i in range(count)]),
                      "v": pa.array([None if i % 7 == 0 else i / 3 for i in range(count)]),
                      "id": pa.array([uuid.UUID(int=i * 7919).bytes for i in range(count)],
                                     pa.binary(16))})
    expected = (("k", False, False), ("v", True, True))
    db, _ = load("sorted", table, "--sort", "k, part, v desc nulls first, id", "--partition", "part")
    assert len(files(db)) == 3
    for file in files(db):
        assert sorted_by(db / file) == expected, sorted_by(db / file)
    folder = oracle.TMP / "sorted-folder"
    oracle.stoa("export", db, "t", "-o", folder, "--partition", "part", "--quiet", "--sort",
                "k, part, v desc nulls first, id, k")
    found = sorted(folder.rglob("*.parquet"))
    assert len(found) == 3 and all(sorted_by(file) == expected for file in found)
    keys = pyarrow.parquet.ParquetFile(found[0]).read(["k"])["k"].to_pylist()
    assert keys == sorted(keys)
    db, _ = load("sorted-plain", table, "--sort", "part desc")
    assert [sorted_by(db / file) for file in files(db)] == [(("part", True, False),)]


def check_order():
    """Every way a batch falls apart, whole, in runs, row by row: a partition's rows keep their order."""
    count = 300_000
    start = datetime.datetime(2024, 1, 1)
    table = pa.table({
        "id": pa.array(range(count)),
        "name": pa.array([None if i % 97 == 0 else ("", "a", "bc")[i // 1000 % 3]
                          for i in range(count)]),
        "n": pa.array([(i * 7919) % 500 - 250 for i in range(count)], pa.int32()),
        "ts": pa.array([start + datetime.timedelta(seconds=i * 40) for i in range(count)])})
    month = [int((start + datetime.timedelta(seconds=i * 40)).strftime("%Y%m")) for i in range(count)]
    names, numbers = table["name"].to_pylist(), table["n"].to_pylist()
    for label, spec, key in (("months", "month(ts)", lambda i: month[i]),
                             ("names", "name, month(ts)", lambda i: (names[i], month[i])),
                             ("numbers", "truncate(50, n)", lambda i: numbers[i] // 50),
                             ("both", "truncate(100, n), name",
                              lambda i: (numbers[i] // 100, names[i]))):
        for memory in ("1GiB", "96MB"):
            db, _ = load(f"order-{label}-{memory}", table, "--partition", spec, STOA_MEMORY=memory)
            expected = collections.defaultdict(list)
            for i in range(count):
                expected[key(i)].append(i)
            found = [pyarrow.parquet.ParquetFile(db / file).read(["id"])["id"].to_pylist()
                     for file in files(db)]
            assert sorted(found) == sorted(expected.values()), (label, memory)


check_texts()
check_types()
check_transforms()
check_changes()
check_export()
check_many()
check_sorting()
check_order()
