#!/usr/bin/env python3
"""How fast are orders rows written as Parquet, and how large is the file? Against DuckDB's COPY of the
same rows from a table in memory, with the same codec, threads and row group size, into the same
folder. Warm: the rows are in memory on both sides, the file goes to the page cache and is synced by
us and not by DuckDB."""
import os
import pathlib
import statistics
import subprocess
import time

import duckdb

ROWS = 10_000_000 if os.environ.get("FULL") == "1" else 4_000_000
RUNS = 5 if os.environ.get("FULL") == "1" else 3
GROUP = 122880
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
PROGRAM = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_parquet_write_orders"
CODECS = {"none": "uncompressed", "zstd": "zstd", "lz4_raw": "lz4_raw"}


def ours(codec, threads):
    """Seconds of each run, and the file's bytes."""
    path = DATA / "ours.parquet"
    out = subprocess.run([PROGRAM, path, codec, str(threads), str(ROWS), str(RUNS + 1), str(GROUP)],
                         check=True, capture_output=True, text=True).stdout.split()
    return [float(s) for s in out[0::2]][1:], int(out[1]), path


def theirs(connection, codec, threads):
    path = DATA / "theirs.parquet"
    connection.execute(f"SET threads = {threads}")
    seconds = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        connection.execute(f"COPY o TO '{path}' (FORMAT parquet, COMPRESSION {CODECS[codec]}, "
                           f"ROW_GROUP_SIZE {GROUP})")
        seconds.append(time.perf_counter() - begin)
    return seconds[1:], path.stat().st_size, path


def main():
    print(f"rival duckdb {duckdb.__version__}")
    connection = duckdb.connect()
    _, _, path = ours("zstd", 2)
    connection.execute(f"CREATE TABLE o AS SELECT * FROM read_parquet('{path}')")
    assert connection.execute("SELECT count(*) FROM o").fetchone()[0] == ROWS
    for codec in CODECS:
        for threads in (1, 2):
            mine, my_bytes, my_path = ours(codec, threads)
            other, their_bytes, their_path = theirs(connection, codec, threads)
            rate, rival = ROWS / statistics.median(mine) / 1e6, ROWS / statistics.median(other) / 1e6
            name = f"parquet.write.{codec}.{threads}t"
            print(f"figure {name}.spread {(max(mine) - min(mine)) / statistics.median(mine):.3f} part")
            print(f"ratio {name} {rate:.2f} Mrows/s vs duckdb {rival:.2f} = {rate / rival:.2f}x",
                  flush=True)
            if threads == 2:
                mine_mb, other_mb = my_bytes / 1e6, their_bytes / 1e6
                print(f"ratio parquet.size.{codec} {mine_mb:.1f} MB vs duckdb {other_mb:.1f} "
                      f"= {other_mb / mine_mb:.2f}x", flush=True)
                same = connection.execute(
                    f"SELECT count(*) FROM (SELECT * FROM read_parquet('{my_path}') EXCEPT ALL "
                    "SELECT * FROM o)").fetchone()[0] if codec == "zstd" else 0
                assert same == 0, "the rows are not the same"
            my_path.unlink()
            their_path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
