#!/usr/bin/env python3
"""How fast is Parquet read to Arrow, every value consumed? Against DuckDB and PyArrow, on the same bytes
in one run, with the same number of threads.

Files     orders rows written by DuckDB (its V1 encodings, row groups of a million rows, where it makes
          one page a column) in four codecs; nested: the flights of vega-datasets, written by Polars
          (dictionaries, nulls, short texts, zstd), and events with texts of JSON, lists and lists of
          structs, written by DuckDB with snappy.
Work      a sum of every column (lengths of texts, items of lists), which must be equal for all three.
Rivals    DuckDB in the better of two ways, sums within the engine or its Arrow batches summed by PyArrow;
          PyArrow in the best of all ways to call it, chosen in a trial.
Clock     opening to the last sum, the file in the page cache; the three in turn, round by round; the
          median.
CRC       DuckDB and Polars write no checksums of pages. parquet.crc is about a file that has them, written
          by PyArrow, uncompressed: our time with checking over that without, less 1."""
import itertools
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
ROWS, EVENTS, ROUNDS = (10_000_000, 1_000_000, 7) if FULL else (2_000_000, 300_000, 3)
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
PROGRAM = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_parquet_read_read"
FLIGHTS = pathlib.Path(os.environ["STOA_DEPS_DIR"]) / "vega" / "flights-3m.parquet"
CODECS = {"none": "uncompressed", "lz4": "lz4_raw", "snappy": "snappy", "zstd": "zstd"}

ORDERS_SUMS = ["sum(order_id)", "sum(customer_id)", "sum(product_id)", "sum(quantity)",
               "sum(unit_price)", "sum(total_amount)", "sum(status)", "sum(payment_method)",
               "sum(epoch_us(order_timestamp))", "sum(address_hash)"]
FLIGHTS_SUMS = ["sum(epoch_us(date))", "sum(delay)", "sum(distance)", "sum(strlen(origin))",
                "sum(strlen(destination))"]
EVENTS_SUMS = ["sum(event_id)", "sum(epoch_us(ts))", "sum(strlen(person))", "sum(strlen(kind))",
               "sum(strlen(payload))", "sum(len(tags))",
               "sum(list_sum(list_transform(tags, lambda x: strlen(x))))", "sum(len(items))",
               "sum(list_sum(list_transform(items, lambda x: strlen(x.sku))))",
               "sum(list_sum(list_transform(items, lambda x: x.quantity)))",
               "sum(list_sum(list_transform(items, lambda x: x.price)))"]
EVENTS_ROWS = """
    SELECT i AS event_id, make_timestamp(1700000000000000 + i * 37000) AS ts,
           CASE WHEN hash(i) % 10 > 0 THEN 'person-' || (hash(i * 3) % 50000) END AS person,
           (['view', 'click', 'cart', 'buy', 'search'])[(hash(i * 5) % 5)::INT + 1] AS kind,
           CASE WHEN hash(i * 7) % 20 > 0 THEN
               '{"session":"' || md5(i::VARCHAR) || '","page":"/product/' || (hash(i) % 5000) ||
               '","ms":' || (hash(i * 2) % 900) || ',"referrer":null,"width":1280}' END AS payload,
           list_transform(range((hash(i * 11) % 4)::INT), lambda x: 'tag' || ((i + x) % 40)) AS tags,
           list_transform(range((hash(i * 13) % 5)::INT),
                          lambda x: {'sku': 'SKU-' || ((i * 31 + x) % 20000),
                                     'quantity': (x + 1)::INT,
                                     'price': ((i * 7 + x) % 10000) / 100.0::DOUBLE}) AS items
    FROM range(EVENT_COUNT) AS rows(i)"""
FLIGHTS_ROWS = """
    SELECT make_timestamp(978307260000000 + i * 10000000) AS date,
           CASE WHEN hash(i) % 50 > 0 THEN (hash(i) % 200)::BIGINT - 40 END AS delay,
           (hash(i * 3) % 1200 + 60)::BIGINT AS distance,
           'A' || (hash(i * 5) % 240)::VARCHAR AS origin,
           'A' || (hash(i * 7) % 240)::VARCHAR AS destination
    FROM range(3000000) AS rows(i)"""


# ---- Ours ---------------------------------------------------------------------------------------

class Ours:
    """A process that reads the file once for each line that it is sent."""

    def __init__(self, path, threads, *words):
        self.process = subprocess.Popen([PROGRAM, "serve", path, str(threads), *words], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, *sums = self.process.stdout.readline().split()
        return float(seconds), [float(s[1:]) if s[0] == "f" else int(s) for s in sums]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- Sums of Arrow arrays ------------------------------------------------------------------------

def add_array(array, sums):
    """Appends the sums of an array's leaves."""
    kind = array.type
    if pa.types.is_struct(kind):
        for child in array.flatten():
            add_array(child, sums)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        items = array.flatten()
        sums.append(len(items))
        add_array(items, sums)
    elif kind in (pa.string(), pa.large_string()):
        sums.append(pc.sum(pc.binary_length(array)).as_py() or 0)
    else:
        values = array.view(pa.int64()) if pa.types.is_temporal(kind) else array
        sums.append(pc.sum(values).as_py() or 0)


def sum_batches(batches):
    """The sums of record batches or of a table's columns, chunk by chunk."""
    total = None
    for batch in batches:
        sums = []
        for column in batch.columns:
            add_array(column, sums)
        total = sums if total is None else [a + b for a, b in zip(total, sums)]
    return total


# ---- Rivals --------------------------------------------------------------------------------------

def timed(function):
    begin = time.perf_counter()
    sums = function()
    return time.perf_counter() - begin, sums


def duckdb_ways(path, threads, sums):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    query = f"SELECT {', '.join(sums)} FROM '{path}'"
    return [lambda: timed(lambda: list(connection.execute(query).fetchone())),
            lambda: timed(lambda: sum_batches(
                connection.execute(f"FROM '{path}'").to_arrow_reader(122880)))]


def arrow_ways(path, threads):
    def table(mapped, buffered):
        return sum_batches(pq.read_table(path, use_threads=threads > 1, memory_map=mapped,
                                         pre_buffer=buffered).to_batches())

    def batches(mapped, buffered):
        file = pq.ParquetFile(path, memory_map=mapped, pre_buffer=buffered)
        return sum_batches(file.iter_batches(batch_size=65536, use_threads=threads > 1))

    return [lambda way=way, m=mapped, b=buffered: timed(lambda: way(m, b))
            for way, mapped, buffered in itertools.product((table, batches), (True, False),
                                                           (True, False))]


def best(ways):
    """The fastest of several ways, each tried twice."""
    return min(ways, key=lambda way: min(way()[0], way()[0]))


def same(left, right):
    return len(left) == len(right) and all(
        abs(a - b) <= 1e-9 * abs(a) if isinstance(a, float) else (a - b) % 2**64 == 0
        for a, b in zip(left, right))


# ---- Comparing -----------------------------------------------------------------------------------

def compare(path, threads, sums):
    """Median seconds of ours, DuckDB's and PyArrow's."""
    pa.set_cpu_count(threads)
    mine = Ours(path, threads)
    three = [mine, best(duckdb_ways(path, threads, sums)), best(arrow_ways(path, threads))]
    mine()
    seconds = [[], [], []]
    for _ in range(ROUNDS):
        results = [one() for one in three]
        assert same(results[0][1], results[1][1]), (path, results[0][1], results[1][1])
        assert same(results[0][1], results[2][1]), (path, results[0][1], results[2][1])
        for times, result in zip(seconds, results):
            times.append(result[0])
    mine.close()
    return [statistics.median(times) for times in seconds]


def report(name, rows, seconds):
    mine, duck, arrow = (rows / s / 1e6 for s in seconds)
    print(f"ratio {name} {mine:.2f} Mrows/s vs duckdb {duck:.2f} = {mine / duck:.2f}x")
    print(f"ratio {name}.arrow {mine:.2f} Mrows/s vs pyarrow {arrow:.2f} = {mine / arrow:.2f}x",
          flush=True)


def compare_orders(source):
    for name, codec in CODECS.items():
        path = DATA / f"read_{name}.parquet"
        duckdb.execute(f"COPY (FROM '{source}') TO '{path}' (FORMAT parquet, CODEC {codec}, "
                       "PARQUET_VERSION V1, ROW_GROUP_SIZE 1000000)")
        one = compare(path, 1, ORDERS_SUMS)
        report(f"parquet.read.{name}.1t", ROWS, one)
        two = compare(path, 2, ORDERS_SUMS)
        report(f"parquet.read.{name}.2t", ROWS, two)
        print(f"figure parquet.read.{name}.scaling {one[0] / two[0]:.2f} x", flush=True)
        path.unlink()


def compare_nested():
    flights, events = FLIGHTS, DATA / "read_events.parquet"
    if not flights.exists():
        flights = DATA / "read_flights.parquet"
        print("flights: generated, of the same shape ('make demo' fetches the file)")
        pq.write_table(duckdb.sql(FLIGHTS_ROWS).fetch_arrow_table(), flights, compression="zstd")
    duckdb.execute(f"COPY ({EVENTS_ROWS.replace('EVENT_COUNT', str(EVENTS))}) TO '{events}' (FORMAT parquet, CODEC snappy)")
    rows = pq.ParquetFile(flights).metadata.num_rows
    by_flights = compare(flights, 1, FLIGHTS_SUMS)
    by_events = compare(events, 1, EVENTS_SUMS)
    report("parquet.read.flights.1t", rows, by_flights)
    report("parquet.read.events.1t", EVENTS, by_events)
    report("parquet.read.nested.1t", rows + EVENTS,
           [a + b for a, b in zip(by_flights, by_events)])
    events.unlink()


def compare_checksums(source):
    path = DATA / "read_checksums.parquet"
    pq.write_table(pq.read_table(source), path, compression="none", row_group_size=1_000_000,
                   write_page_checksum=True)
    checked, unchecked = Ours(path, 1), Ours(path, 1, "no-checksums")
    assert same(checked()[1], unchecked()[1])
    ratios = []
    for _ in range(3 * ROUNDS):
        ratios.append(checked()[0] / unchecked()[0])
    print(f"figure parquet.crc {statistics.median(ratios) - 1:.3f} part", flush=True)
    checked.close()
    unchecked.close()
    path.unlink()


def main():
    print(f"rival duckdb {duckdb.__version__}")
    print(f"rival pyarrow {pa.__version__}")
    source = DATA / "read_source.parquet"
    subprocess.run([PROGRAM, "make", source, str(ROWS)], check=True)
    compare_orders(source)
    compare_nested()
    compare_checksums(source)
    source.unlink()


if __name__ == "__main__":
    main()
