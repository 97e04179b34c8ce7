"""Exporting orders rows from a `parquet` table, against DuckDB's COPY of the same Parquet files.

export.FORMAT.Nt  `stoa export` of the table on N threads: the whole process, with start-up, reading,
                  printing or encoding, sync and rename. DuckDB's is the statement alone, without a
                  sync; it reads the table's own files and keeps the order of their rows, as we do.
                  Parquet is compressed with zstd at level 1 by both.
export.FORMAT.scaling  our two threads against our one.

Files are in the page cache. Medians of runs that take turns; the spread is printed. After the last
run DuckDB reads both outputs and the rows must be the same."""
import importlib.metadata
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import duckdb

FULL = bool(os.environ.get("FULL"))
ROWS = 10_000_000 if FULL else 2_000_000
RUNS = 5 if FULL else 3
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
STOA = os.environ["STOA_BIN"]
WORK = DATA / "export"
OPTIONS = {"csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json",
           "parquet": "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"}
READERS = {"csv": "read_csv", "jsonl": "read_json", "parquet": "read_parquet"}

RIVAL_CODE = """
import duckdb, sys, time
con = duckdb.connect(config={"threads": int(sys.argv[2])})
con.execute("SET enable_progress_bar = false")
started = time.perf_counter()
con.execute(sys.argv[1])
print(time.perf_counter() - started)
"""


def make_table():
    """The table, and the list of its files as DuckDB reads them."""
    parquet, csv = DATA / f"orders-{ROWS}.parquet", DATA / f"orders-{ROWS}.csv"
    if not parquet.exists():
        orders = pathlib.Path(__file__).parent.parent / "ingest/orders.py"
        subprocess.run([sys.executable, orders, str(ROWS), parquet, csv], check=True)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    subprocess.run([STOA, "load", WORK / "db", "orders", parquet, "-q"], check=True)
    files = sorted((WORK / "db").rglob("*.parquet"),
                   key=lambda p: int(p.stem.rsplit("-", 1)[1]))
    return "[" + ", ".join(f"'{p}'" for p in files) + "]"


def ours(name, threads):
    """Seconds of one run."""
    path = WORK / f"ours.{name}"
    path.unlink(missing_ok=True)
    os.sync()
    started = time.perf_counter()
    subprocess.run([STOA, "export", WORK / "db", "orders", "-o", path, "-q"], check=True,
                   env=dict(os.environ, STOA_THREADS=str(threads)))
    return time.perf_counter() - started


def theirs(name, files, threads):
    path = WORK / f"theirs.{name}"
    path.unlink(missing_ok=True)
    os.sync()
    statement = f"COPY (FROM read_parquet({files})) TO '{path}' ({OPTIONS[name]})"
    out = subprocess.run([sys.executable, "-c", RIVAL_CODE, statement, str(threads)], check=True,
                         capture_output=True, text=True)
    return float(out.stdout)


def check_same(name):
    """Both outputs hold the rows of the table, in its order."""
    reader = READERS[name]
    wrong = duckdb.sql(
        f"SELECT count(*) FROM (FROM {reader}('{WORK}/ours.{name}')) a POSITIONAL JOIN "
        f"(FROM {reader}('{WORK}/theirs.{name}')) b WHERE a IS DISTINCT FROM b").fetchone()[0]
    count = duckdb.sql(f"SELECT count(*) FROM {reader}('{WORK}/ours.{name}')").fetchone()[0]
    if wrong != 0 or count != ROWS:
        sys.exit(f"{name}: {count} rows, of which {wrong} differ")


def main():
    files = make_table()
    print(f"rival duckdb {importlib.metadata.version('duckdb')}")
    print(f"figure export.rows {ROWS} rows")
    for name in OPTIONS:
        mine = {}
        for threads in (1, 2):
            samples = [(ours(name, threads), theirs(name, files, threads))
                       for _ in range(RUNS + 1)][1:]  # the first is a warm-up
            columns = [sorted(column) for column in zip(*samples)]
            for who, column in zip(("ours", "duckdb"), columns):
                print(f"# export.{name}.{threads}t {who}: {column[0]:.3f} to {column[-1]:.3f} s")
            mine[threads], other = (ROWS / statistics.median(c) / 1e6 for c in columns)
            print(f"ratio export.{name}.{threads}t {mine[threads]:.3f} Mrows/s vs duckdb "
                  f"{other:.3f} = {mine[threads] / other:.3f}x", flush=True)
        print(f"ratio export.{name}.scaling {mine[2]:.3f} Mrows/s vs 1-thread {mine[1]:.3f} "
              f"= {mine[2] / mine[1]:.3f}x")
        check_same(name)
    shutil.rmtree(WORK, ignore_errors=True)


main()
