"""Loading orders rows from a Parquet file into files by partition, on two threads.

partition.load.NAME          `stoa load --partition` against DuckDB's COPY … (PARTITION_BY …) of the same
                             bytes: ours is the whole process with start-up, a sync of every file and the
                             commit, theirs the statement alone, without a sync. zstd at level 1 for both.
partition.load.NAME.pyarrow  the same against PyArrow's write_dataset of a scan of the file.
partition.load.NAME.plain    the same against our own load without partitions.

NAME is status (five folders) or month (some tens, of a timestamp that grows with the rows). The file is
in the page cache. Medians of runs that take turns; the spread is printed. After the last run DuckDB
counts and sums what everybody wrote, which must be the same."""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import duckdb
import pyarrow

ROWS = 10_000_000 if os.environ.get("FULL") else 4_000_000
RUNS = 5
THREADS = "2"
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
STOA = os.environ["STOA_BIN"]
WORK = DATA / "partition"
SOURCE = DATA / f"partition-{ROWS}.parquet"
SPECS = {"status": ("status", "status"),
         "month": ("month(ts)", "strftime(ts, '%Y-%m')")}

DUCKDB_CODE = """
import duckdb, sys, time
con = duckdb.connect(config={"threads": int(sys.argv[2])})
con.execute("SET enable_progress_bar = false")
con.execute("SET preserve_insertion_order = false")
started = time.perf_counter()
con.execute(sys.argv[1])
print(time.perf_counter() - started)
"""
PYARROW_CODE = """
import sys, time
import pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset as ds
source, target, name, threads = sys.argv[1:]
pa.set_cpu_count(int(threads))
started = time.perf_counter()
data = ds.dataset(source)
columns = {field.name: ds.field(field.name) for field in data.schema}
key = "status"
if name == "month":
    key = "ts_month"
    columns[key] = pc.strftime(ds.field("ts"), format="%Y-%m")
form = ds.ParquetFileFormat()
ds.write_dataset(data.scanner(columns=columns), target, format=form, partitioning=[key],
                 partitioning_flavor="hive", max_rows_per_group=122880,
                 file_options=form.make_write_options(compression="zstd", compression_level=1))
print(time.perf_counter() - started)
"""


def make_source():
    if SOURCE.exists():
        return
    part = SOURCE.with_suffix(".part")
    duckdb.execute(f"""COPY (SELECT i AS id, (hash(i) % 200000)::int AS customer,
        ['new', 'paid', 'shipped', 'returned', 'done'][1 + (hash(i * 7) % 5)::int] AS status,
        timestamp '2023-01-01' + to_seconds((i * 63072000 // {ROWS})::bigint) AS ts,
        ((hash(i * 3) % 100000) / 100)::double AS total, (hash(i * 13) % 50)::smallint AS quantity,
        'order note ' || (hash(i * 11) % 1000000)::varchar AS note, hash(i * 17) % 2 = 0 AS gift
        FROM range({ROWS}) t(i)) TO '{part}' (FORMAT parquet, COMPRESSION snappy)""")
    part.rename(SOURCE)


def fresh(name):
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    os.sync()
    return path


def ours(spec):
    path = fresh("ours")
    subprocess.run([STOA, "init", path, "--quiet"], check=True)
    options = [] if spec is None else ["--partition", spec]
    started = time.perf_counter()
    subprocess.run([STOA, "load", path, "orders", SOURCE, "--quiet", *options], check=True,
                   env={**os.environ, "STOA_THREADS": THREADS})
    return time.perf_counter() - started


def rival(code, *arguments):
    return float(subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True,
                                capture_output=True, text=True).stdout)


def by_duckdb(name):
    path = fresh("duckdb")
    columns = "*" if name == "status" else f"*, {SPECS[name][1]} AS ts_month"
    key = "status" if name == "status" else "ts_month"
    return rival(DUCKDB_CODE, f"COPY (SELECT {columns} FROM '{SOURCE}') TO '{path}' (FORMAT parquet, "
                 f"COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY ({key}))", THREADS)


def by_pyarrow(name):
    return rival(PYARROW_CODE, SOURCE, fresh("pyarrow"), name, THREADS)


def checksum(path):
    """By partition: rows, and the sum of hashes of some columns."""
    key = "status" if "status=" in str(next(path.rglob("*.parquet"))) else "ts_month"
    return duckdb.execute(
        f"SELECT {key}, count(*), sum(hash(id, customer, note, total, gift)::hugeint) FROM "
        f"read_parquet('{path}/**/*.parquet', hive_partitioning = true, "
        f"hive_types = {{'{key}': VARCHAR}}) GROUP BY 1 ORDER BY 1").fetchall()


def report(name, mine, rival_name, theirs):
    for label, times in (("ours", mine), (rival_name, theirs)):
        print(f"# {name} {label}: {min(times):.2f} to {max(times):.2f} s")
    a, b = statistics.median(mine), statistics.median(theirs)
    print(f"ratio {name} {a:.3f} s vs {rival_name} {b:.3f} = {b / a:.2f}x")


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    make_source()
    SOURCE.read_bytes()
    print(f"rival duckdb {duckdb.__version__}\nrival pyarrow {pyarrow.__version__}")
    for name, (spec, _) in SPECS.items():
        times = {"plain": [], "duckdb": [], "pyarrow": [], "ours": []}
        for _ in range(RUNS):
            times["plain"].append(ours(None))
            times["duckdb"].append(by_duckdb(name))
            times["pyarrow"].append(by_pyarrow(name))
            times["ours"].append(ours(spec))
        found = checksum(WORK / "ours")
        assert found == checksum(WORK / "duckdb") == checksum(WORK / "pyarrow"), name
        report(f"partition.load.{name}", times["ours"], "duckdb", times["duckdb"])
        report(f"partition.load.{name}.pyarrow", times["ours"], "pyarrow", times["pyarrow"])
        report(f"partition.load.{name}.plain", times["ours"], "plain", times["plain"])
    shutil.rmtree(WORK)


main()
