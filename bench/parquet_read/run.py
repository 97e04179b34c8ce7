#!/usr/bin/env python3
"""How fast are orders rows read from Parquet to Arrow, every value consumed? Against DuckDB and against
PyArrow on the same bytes (written by Stoa), with the same number of threads. DuckDB is given the better
of two ways: sums within the engine, and its Arrow batches summed by PyArrow. Warm: the file is in the
page cache. Checksums of pages are on for us and, by their defaults, off for both."""
import os
import pathlib
import statistics
import subprocess
import time

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FULL = os.environ.get("FULL") == "1"
ROWS, RUNS = (10_000_000, 5) if FULL else (4_000_000, 3)
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
PROGRAM = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_parquet_read_orders"
CODECS = {"none": "none", "lz4_raw": "lz4", "snappy": "snappy", "zstd": "zstd"}


def ours(path, threads, *words):
    out = subprocess.run([PROGRAM, "read", path, str(threads), str(RUNS + 1), *words], check=True,
                         capture_output=True, text=True).stdout.split()
    assert len(set(out[1::2])) == 1, "the runs differ"
    return statistics.median([float(s) for s in out[0::2]][1:])


def timed(function):
    seconds = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


def sum_table(table):
    for column in table.columns:
        (pc.max if pa.types.is_temporal(column.type) else pc.sum)(column)


def by_duckdb(path, threads):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    columns = connection.execute(f"DESCRIBE FROM '{path}'").fetchall()
    sums = ", ".join(f"{'max' if 'TIME' in c[1] else 'sum'}({c[0]})" for c in columns)

    def to_arrow():
        for batch in connection.execute(f"FROM '{path}'").fetch_record_batch(122880):
            sum_table(batch)

    within = timed(lambda: connection.execute(f"SELECT {sums} FROM '{path}'").fetchall())
    return min(within, timed(to_arrow)), within


def by_arrow(path, threads):
    pa.set_cpu_count(threads)
    return timed(lambda: sum_table(pq.read_table(path, use_threads=threads > 1)))


def main():
    print(f"rival duckdb {duckdb.__version__}")
    print(f"rival pyarrow {pa.__version__}")
    for codec, name in CODECS.items():
        path = DATA / f"read_{codec}.parquet"
        subprocess.run([PROGRAM, "make", path, codec, str(ROWS)], check=True)
        one = None
        for threads in (1, 2):
            mine = ours(path, threads)
            duck, _ = by_duckdb(path, threads)
            arrow = by_arrow(path, threads)
            rate, figure = ROWS / mine / 1e6, f"parquet.read.{name}.{threads}t"
            for rival, suffix, seconds in (("duckdb", "", duck), ("pyarrow", ".arrow", arrow)):
                print(f"ratio {figure}{suffix} {rate:.2f} Mrows/s vs {rival} "
                      f"{ROWS / seconds / 1e6:.2f} = {seconds / mine:.2f}x", flush=True)
            if threads == 1:
                one = mine
            else:
                print(f"figure parquet.read.{name}.scaling {one / mine:.2f} x", flush=True)
        if codec == "none":
            print(f"figure parquet.crc {ours(path, 1) / ours(path, 1, 'no-checksums') - 1:.3f} part")
        path.unlink()


if __name__ == "__main__":
    main()
