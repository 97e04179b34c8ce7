#!/usr/bin/env python3
"""How fast are orders rows written as Parquet, and how large is the file? From memory to a file that
nobody syncs, the same rows, codec and threads for all; row groups of a million rows where speed is
measured, and of 122,880, which is DuckDB's default and ours, where size is.

We are measured in both profiles, DuckDB in both of its versions of Parquet, and PyArrow in three ways: as
it comes, with dictionaries only where they help (as somebody would ask for who knows the data), and
with deltas for what grows as well. `parquet.write.CODEC.Nt` is our faster profile against DuckDB's
faster one, `.arrow` against PyArrow's fastest; `.compatible` is our default profile against DuckDB's
default. The bytes of every file stand beside the speeds. zstd is at level 1 where speed is measured, and
at level 3, DuckDB's default, where size is.

One thread is measured in processor seconds, the kernel's included: what a thread can do, whatever else
the machine is busy with; `.clock` is the same on the clock. Two threads are on the clock."""
import os
import pathlib
import statistics
import subprocess
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

FULL = os.environ.get("FULL") == "1"
ROWS, RUNS = (10_000_000, 5) if FULL else (2_000_000, 3)
GROUP = 1_000_000
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
PROGRAM = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_parquet_write_orders"
CODECS = {"none": ("none", "uncompressed", "none"), "lz4": ("lz4_raw", "lz4_raw", "lz4"),
          "zstd": ("zstd:1", "zstd, COMPRESSION_LEVEL 1", "zstd")}
FEW = ["product_id", "quantity", "unit_price", "total_amount", "status", "payment_method"]
GROWING = {name: "DELTA_BINARY_PACKED" for name in ("order_id", "customer_id", "order_timestamp")}


class Measured:
    """Medians of some runs, and the file."""

    def __init__(self, name, runs, path):
        self.name, self.bytes = name, path.stat().st_size
        self.clock = statistics.median(r[0] for r in runs)
        self.processor = statistics.median(r[1] for r in runs)
        path.unlink()


def ours(profile, codec, threads, group=GROUP):
    path = DATA / "ours.parquet"
    done = subprocess.run([PROGRAM, path, codec, str(threads), str(ROWS), str(RUNS + 1), str(group),
                           profile], check=True, capture_output=True, text=True)
    runs = [tuple(map(float, line.split()[:2])) for line in done.stdout.splitlines()][1:]
    measured = Measured(profile, runs, path)
    measured.peak = float(done.stderr.split(":")[1].split()[0])
    return measured


def timed(name, write):
    path, runs = DATA / "theirs.parquet", []
    for _ in range(RUNS + 1):
        clock, processor = time.perf_counter(), time.process_time()
        write(path)
        runs.append((time.perf_counter() - clock, time.process_time() - processor))
    return Measured(name, runs[1:], path)


def by_duckdb(connection, codec, threads, group=GROUP):
    connection.execute(f"SET threads = {threads}")
    return [timed(version, lambda path, v=version: connection.execute(
        f"COPY o TO '{path}' (FORMAT parquet, COMPRESSION {codec}, PARQUET_VERSION {v}, "
        f"ROW_GROUP_SIZE {group})")) for version in ("V1", "V2")]


def by_arrow(table, codec):
    pa.set_cpu_count(1)
    level = {"compression_level": 1} if codec == "zstd" else {}
    common = dict(compression=codec, row_group_size=GROUP, **level)
    ways = {"default": {}, "informed": dict(use_dictionary=FEW),
            "deltas": dict(use_dictionary=FEW, column_encoding=GROWING)}
    return [timed(name, lambda path, w=way: pq.write_table(table, path, **common, **w))
            for name, way in ways.items()]


def ratio(name, mine, other, rival, key):
    rate, theirs = ROWS / getattr(mine, key) / 1e6, ROWS / getattr(other, key) / 1e6
    print(f"ratio {name} {rate:.2f} Mrows/s vs {rival} {theirs:.2f} = {rate / theirs:.2f}x", flush=True)


def fastest(measured, key):
    return min(measured, key=lambda m: getattr(m, key))


def smaller(name, mine, other):
    print(f"ratio {name} {mine.bytes / 1e6:.1f} MB vs duckdb {other.bytes / 1e6:.1f} "
          f"= {other.bytes / mine.bytes:.3f}x", flush=True)


def main():
    print(f"rival duckdb {duckdb.__version__}")
    print(f"rival pyarrow {pa.__version__}")
    path = DATA / "rows.parquet"
    subprocess.run([PROGRAM, path, "zstd", "2", str(ROWS), "1", str(GROUP), "modern"], check=True,
                   capture_output=True)
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE o AS SELECT * FROM read_parquet('{path}')")
    assert connection.execute("SELECT count(*) FROM o").fetchone()[0] == ROWS
    table = pq.read_table(path).combine_chunks()
    path.unlink()
    for name, (codec, duck, arrow) in CODECS.items():
        for threads, key in ((1, "processor"), (2, "clock")):
            figure = f"parquet.write.{name}.{threads}t"
            mine = [ours(profile, codec, threads) for profile in ("compatible", "modern")]
            ducks = by_duckdb(connection, duck, threads)
            ratio(figure, fastest(mine, key), fastest(ducks, key), "duckdb", key)
            ratio(f"{figure}.compatible", mine[0], ducks[0], "duckdb", key)
            if threads == 1:
                arrows = by_arrow(table, arrow)
                ratio(f"{figure}.arrow", fastest(mine, key), fastest(arrows, key), "pyarrow", key)
                ratio(f"{figure}.clock", fastest(mine, "clock"), fastest(ducks, "clock"), "duckdb",
                      "clock")
                for m in mine + ducks + arrows:
                    print(f"figure {figure}.bytes.{m.name} {m.bytes / 1e6:.1f} MB", flush=True)
                print(f"figure {figure}.memory {max(m.peak for m in mine):.1f} MB", flush=True)
    ducks = by_duckdb(connection, "zstd, COMPRESSION_LEVEL 3", 1, 122880)
    mine = [ours(profile, "zstd:3", 1, 122880) for profile in ("compatible", "modern")]
    smaller("parquet.size.compatible", mine[0], ducks[0])
    smaller("parquet.size.modern", mine[1], ducks[1])
    print(f"figure parquet.write.memory {max(m.peak for m in mine):.1f} MB")


if __name__ == "__main__":
    main()
