#!/usr/bin/env python3
"""How fast are the rows of a predicate read from Parquet, every value consumed? Against DuckDB and PyArrow, on
the same bytes in one run, one thread each.

Files     filter: orders rows written by DuckDB (V1 encodings, row groups of a million rows), with its default
          codec snappy as parquet.filter, and in three more under longer names. range: orders rows written
          by Stoa with a page index, laid out for such reads (zstd, row groups of a million rows, pages
          of 32 KiB, dictionaries of 64 KiB at most), and the same uncompressed under a longer name.
Work      filter: rows and sum(total_amount) where status = 0 (4 in 100 rows, all over the file). range: rows
          and the sums of all ten columns of 1,001 rows by their order_id, other ones each time.
Rivals    DuckDB in a warm connection, sums within the engine, with its cache of Parquet metadata on;
          PyArrow in the best of two ways (read_table with filters, a dataset), chosen in a trial.
Clock     ours: open, footer, index, read, sum, close. The file is in the page cache; the three in turn,
          round by round; the median."""
import os
import pathlib
import random
import statistics
import subprocess
import time

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

FULL = os.environ.get("FULL") == "1"
ROWS, ROUNDS, RANGES = (10_000_000, 15, 60) if FULL else (4_000_000, 5, 20)
GROUP_ROWS, RANGE_ROWS = 1_000_000, 1001
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
PROGRAM = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_parquet_filter_filter"
CODECS = {"snappy": "snappy", "none": "uncompressed", "lz4": "lz4_raw", "zstd": "zstd"}


class Ours:
    """A process that reads the file once for each predicate that it is sent."""

    def __init__(self, path, columns):
        self.process = subprocess.Popen([PROGRAM, "serve", path, "1", columns], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, where):
        self.process.stdin.write(where + "\n")
        self.process.stdin.flush()
        seconds, rows, *sums = self.process.stdout.readline().split()
        return float(seconds), [int(rows), *(float(s[1:]) if s[0] == "f" else int(s) for s in sums)]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(function):
    begin = time.perf_counter()
    sums = function()
    return time.perf_counter() - begin, sums


def by_duckdb(path, columns):
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET parquet_metadata_cache = true")
    sums = ", ".join(f"sum({'epoch_ms(' + c + ')' if c.endswith('timestamp') else c})"
                     for c in columns)
    return lambda where, _: timed(
        lambda: list(connection.execute(f"SELECT count(*), {sums} FROM '{path}' WHERE {where}")
                     .fetchone()))


def sum_table(table):
    sums = [table.num_rows]
    for column in table.columns:
        values = column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column
        sums.append(pc.sum(values).as_py() or 0)
    return sums


def arrow_ways(path, columns):
    def table(_, expression):
        return timed(lambda: sum_table(pq.read_table(path, columns=columns, filters=expression,
                                                     use_threads=False, memory_map=True)))

    def dataset(_, expression):
        return timed(lambda: sum_table(ds.dataset(path).to_table(
            columns=columns, filter=expression, use_threads=False)))

    return [table, dataset]


def same(left, right):
    return len(left) == len(right) and all(
        abs(a - b) <= 1e-9 * abs(b) if isinstance(b, float) else (a - b) % 2**64 == 0
        for a, b in zip(left, right))


def compare(path, columns, questions):
    """Median seconds of ours, DuckDB's and PyArrow's."""
    mine = Ours(path, ",".join(columns))
    duck = by_duckdb(path, columns)
    arrow = min(arrow_ways(path, columns), key=lambda way: min(way(*questions[0])[0] for _ in "12"))
    seconds = [[], [], []]
    for where, expression in questions[:1] + questions:
        results = [mine(where), duck(where, expression), arrow(where, expression)]
        assert same(results[1][1], results[0][1]), (path, where, results)
        assert same(results[2][1], results[0][1]), (path, where, results)
        for times, result in zip(seconds, results):
            times.append(result[0])
    mine.close()
    return [statistics.median(times[1:]) for times in seconds]


def report(name, unit, scale, seconds):
    mine, duck, arrow = (s * scale for s in seconds)
    for suffix, rival, theirs in (("", "duckdb", duck), (".arrow", "pyarrow", arrow)):
        print(f"ratio {name}{suffix} {mine:.3f} {unit} vs {rival} {theirs:.3f} = {theirs / mine:.2f}x",
              flush=True)


def compare_filter(source):
    for name, codec in CODECS.items():
        path = DATA / f"filter_{name}.parquet"
        duckdb.execute(f"COPY (FROM '{source}') TO '{path}' (FORMAT parquet, CODEC {codec}, "
                       f"PARQUET_VERSION V1, ROW_GROUP_SIZE {GROUP_ROWS})")
        seconds = compare(path, ["total_amount"], [("status = 0", pc.field("status") == 0)] * ROUNDS)
        report("parquet.filter" + ("" if name == "snappy" else f".{name}"), "ms", 1e3, seconds)
        path.unlink()


def compare_range():
    generator = random.Random(7)
    firsts = [1_000_000 + generator.randrange(ROWS - RANGE_ROWS) for _ in range(RANGES)]
    key = pc.field("order_id")
    questions = [(f"order_id >= {first} and order_id <= {first + RANGE_ROWS - 1}",
                  (key >= first) & (key <= first + RANGE_ROWS - 1)) for first in firsts]
    for codec in ("zstd", "none"):
        path = DATA / f"range_{codec}.parquet"
        subprocess.run([PROGRAM, "make", path, str(ROWS), str(GROUP_ROWS), "32768", codec], check=True)
        columns = pq.ParquetFile(path).schema_arrow.names
        report("parquet.range" + ("" if codec == "zstd" else f".{codec}"), "ms", 1e3,
               compare(path, columns, questions))
        path.unlink()


def main():
    print(f"rival duckdb {duckdb.__version__}")
    print(f"rival pyarrow {pa.__version__}")
    pa.set_cpu_count(1)
    source = DATA / "filter_source.parquet"
    subprocess.run([PROGRAM, "make", source, str(ROWS), "122880", "1048576", "none"], check=True)
    compare_filter(source)
    compare_range()
    source.unlink()


if __name__ == "__main__":
    main()
