"""Rows of a predicate are those that DuckDB finds in the same table: files by PyArrow, DuckDB and Polars
with and without statistics, page index, bloom filters and dictionaries, sorted and not, with nulls and
NaN, in one page and many; and files of parquet-testing with their indexes."""
import datetime
import decimal
import os
import pathlib
import random
import subprocess
import tempfile

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

import oracle

TOOL = oracle.tool("tool_parquet_read")
RANDOM = random.Random(int(os.environ.get("STOA_TEST_SEED", "77")))
ROWS, FILES, PREDICATES = 3000, 20, 10
DAY = datetime.date(2020, 1, 1)
NOON = datetime.datetime(2020, 1, 1, 12)

# Column: type, the i-th value (small i come often), and a value as SQL has it.
COLUMNS = {
    "i8": (pa.int8(), lambda i: i % 256 - 128, str),
    "u8": (pa.uint8(), lambda i: i % 256, str),
    "u16": (pa.uint16(), lambda i: i * 13 % 65536, str),
    "i32": (pa.int32(), lambda i: i * 7 - 4000, str),
    "u32": (pa.uint32(), lambda i: 2**31 - 1500 + i, str),
    "i64": (pa.int64(), lambda i: i * 10**12 - 10**14, str),
    "u64": (pa.uint64(), lambda i: 2**63 - 1500 + i, str),
    "f32": (pa.float32(), lambda i: float("nan") if i % 97 == 5 else -0.0 if i == 3 else i / 8 - 99, str),
    "f64": (pa.float64(), lambda i: float("nan") if i % 89 == 7 else 0.0 if i == 3 else 30 - i / 4, str),
    "flag": (pa.bool_(), lambda i: i % 3 == 0, lambda v: str(v).lower()),
    "text": (pa.string(), lambda i: ["", "ä€", "pre%d" % i, "z" * (i % 80)][i % 4], lambda v: f"'{v}'"),
    "d9": (pa.decimal128(9, 2), lambda i: decimal.Decimal(i * 31 - 5000).scaleb(-2), str),
    "d18": (pa.decimal128(18, 4), lambda i: decimal.Decimal(i * 10**9 - 10**12).scaleb(-4), str),
    "d38": (pa.decimal128(38, 3), lambda i: decimal.Decimal(i * 10**25 - 10**28).scaleb(-3), str),
    "day": (pa.date32(), lambda i: DAY + datetime.timedelta(i - 900), lambda v: f"date '{v}'"),
    "clock": (pa.time64("us"), lambda i: (NOON + datetime.timedelta(seconds=i)).time(),
              lambda v: f"time '{v}'"),
    "ms": (pa.timestamp("ms"), lambda i: NOON + datetime.timedelta(minutes=i), lambda v: f"timestamp '{v}'"),
    "us": (pa.timestamp("us"), lambda i: NOON - datetime.timedelta(hours=i), lambda v: f"timestamp '{v}'"),
}


def is_nan(value):
    return isinstance(value, float) and value != value


def make_table():
    """Random columns, half of them in order, nested ones and the row's number among them."""
    spread = RANDOM.choice([5, 200, ROWS])
    null_part = RANDOM.choice([0, 0.1, 0.6])
    columns = {"n": pa.array(range(ROWS), pa.int64())}
    for name, (kind, value, _) in COLUMNS.items():
        places = [RANDOM.randrange(spread) for _ in range(ROWS)]
        if RANDOM.random() < 0.5:
            places.sort()
        columns[name] = pa.array([None if RANDOM.random() < null_part else value(i) for i in places], kind)
    columns["place"] = pa.StructArray.from_arrays(
        [columns["i32"], columns["text"]], names=["x", "y"],
        mask=pa.array([RANDOM.random() < null_part / 2 for _ in range(ROWS)]))
    columns["list"] = pa.array([None if i % 7 == 3 else list(range(i % 4)) for i in range(ROWS)],
                               pa.list_(pa.int32()))
    return pa.table(columns)


def write(table, path, number):
    group = RANDOM.choice([ROWS, 1000, 137])
    if number % 5 == 3:
        version = RANDOM.choice(["V1", "V2"])
        columns = [n for n in table.column_names if n not in ("u64",)]
        rows = table.select(columns)
        duckdb.sql(f"COPY (FROM rows) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {max(group, 137)}, "
                   f"PARQUET_VERSION {version}, CODEC {RANDOM.choice(['snappy', 'zstd', 'uncompressed'])})")
        return rows
    if number % 5 == 4:
        columns = [n for n in table.column_names if n not in ("d9", "d18")]
        rows = table.select(columns)
        polars.from_arrow(rows).write_parquet(path, row_group_size=group, statistics=RANDOM.random() < 0.8,
                                              data_page_size=RANDOM.choice([None, 1000]))
        return rows
    pq.write_table(table, path, row_group_size=group, version=RANDOM.choice(["1.0", "2.6"]),
                   data_page_version=RANDOM.choice(["1.0", "2.0"]),
                   compression=RANDOM.choice(["none", "snappy", "zstd"]),
                   use_dictionary=RANDOM.choice([True, False, ["text", "i32", "f64"]]),
                   dictionary_pagesize_limit=RANDOM.choice([1 << 20, 300]),
                   write_statistics=RANDOM.random() < 0.8, write_page_index=RANDOM.random() < 0.7,
                   data_page_size=RANDOM.choice([100, 1000, 1 << 20]), write_batch_size=64,
                   store_decimal_as_integer=RANDOM.random() < 0.5)
    return table


def literal(table, name, sql):
    """A value of the column, or one beside it."""
    for _ in range(20):
        value = table[name][RANDOM.randrange(len(table))].as_py()
        if value is not None and not is_nan(value):
            return sql(value)
    return None


def comparison(table, names):
    name = RANDOM.choice(names)
    _, _, sql = COLUMNS[name]
    kind = RANDOM.randrange(8)
    values = [literal(table, name, sql) for _ in range(1 + RANDOM.randrange(5))]
    if kind == 0 or None in values:
        return f"{name} is {RANDOM.choice(['', 'not '])}null"
    if kind == 1:
        return f"{name} {RANDOM.choice(['', 'not '])}in ({', '.join(values)})"
    if kind == 2:
        return f"{name} between {values[0]} and {values[-1]}"
    if kind == 3:
        return RANDOM.choice(["place.x is null", "place is not null", "list is null",
                              f"place.x > {RANDOM.randrange(-4000, 4000)}", "place.y like 'pre%'"])
    return f"{name} {RANDOM.choice(['=', '<>', '<', '<=', '>', '>='])} {values[0]}"


def predicate(table, names, depth=2):
    if depth == 0 or RANDOM.random() < 0.3:
        return comparison(table, names)
    parts = [predicate(table, names, depth - 1) for _ in range(2)]
    return RANDOM.choice([f"({parts[0]} and {parts[1]})", f"({parts[0]} or {parts[1]})",
                          f"not ({parts[0]})"])


def read(path, folder, where, *words):
    out = folder / "out.arrows"
    done = subprocess.run([TOOL, path, out, f"where={where}", *words], capture_output=True, text=True)
    assert done.returncode == 0, (path, where, done.stderr)
    with ipc.open_stream(out) as stream:
        return stream.read_all()


def check(rows, path, folder, where, number):
    words = [["threads=2"], ["batch=100"], []][number % 3]
    expected = [r[0] for r in duckdb.sql(f"SELECT n FROM held WHERE {where} ORDER BY n").fetchall()]
    found = read(path, folder, where, *words)
    assert found["n"].to_pylist() == expected, (path, where, len(expected), found.num_rows)
    wanted = rows.take(pa.array(expected, pa.int64())) if expected else rows.slice(0, 0)
    for name in ("text", "i32", "f64", "place", "list"):
        left, right = found[name].to_pylist(), wanted[name].to_pylist()
        assert repr(left) == repr(right), (path, where, name)
    return len(expected)


def check_random(folder):
    selected = 0
    duckdb.execute("SET threads = 1")
    for number in range(FILES):
        path = folder / f"{number}.parquet"
        rows = write(make_table(), path, number)
        # In DuckDB's own table: over Arrow it would hand predicates on, and Arrow orders NaN otherwise.
        duckdb.execute("CREATE OR REPLACE TABLE held AS FROM rows")
        names = [n for n in rows.column_names if n in COLUMNS]
        for i in range(PREDICATES):
            selected += check(rows, path, folder, predicate(rows, names), i)
        path.unlink()
    assert 0 < selected < FILES * PREDICATES * ROWS


# Files with bloom filters, page indexes or tiny pages: every row is found by its own values, and a value
# that is not there finds none.
CORPUS = ["data_index_bloom_encoding_stats.parquet", "data_index_bloom_encoding_with_length.parquet",
          "alltypes_tiny_pages.parquet", "alltypes_tiny_pages_plain.parquet", "alltypes_plain.parquet",
          "alltypes_dictionary.parquet", "binary_truncated_min_max.parquet",
          "float16_nonzeros_and_nans.parquet", "int32_decimal.parquet", "fixed_length_decimal.parquet",
          "page_index_test.parquet", "nan_in_stats.parquet", "sort_columns.parquet"]


def check_corpus(folder):
    data = pathlib.Path(oracle.SHARED) / "corpora/parquet-testing/data"
    if not data.exists():
        return 0
    count = 0
    for name in CORPUS:
        if not (data / name).exists():
            continue
        table = pq.read_table(data / name)
        for column in table.schema:
            number = pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)
            if not (number or pa.types.is_string(column.type)):
                continue
            values = pc.unique(table[column.name].drop_null()).to_pylist()
            for value in RANDOM.sample(values, min(3, len(values))):
                text = str(value) if number else "'" + value.replace("'", "''") + "'"
                for sign, compare in (("=", pc.equal), (">", pc.greater), ("<=", pc.less_equal)):
                    expected = table.filter(compare(table[column.name], pa.scalar(value, column.type)))
                    found = read(data / name, folder, f'"{column.name}" {sign} {text}')
                    assert found[column.name].to_pylist() == expected[column.name].to_pylist(), (name, column)
                    count += 1
    return count


# A footer that counts plain pages as pages with a dictionary: they are read as what they are.
def check_mixed(folder):
    path = folder / "mixed.parquet"
    table = pa.table({"n": pa.array(range(4000), pa.int64()),
                      "text": pa.array(["word %d" % (i * 7 % 900) for i in range(4000)])})
    pq.write_table(table, path, dictionary_pagesize_limit=2000, data_page_size=1500, write_batch_size=50,
                   compression="none", use_dictionary=["text"])
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    plain, coded = b"\x15\x00\x15\x00\x15", b"\x15\x00\x15\x10\x15"  # DATA_PAGE, encoding, count
    assert data[footer:].count(plain) == 2 and coded in data[footer:]
    path.write_bytes(data[:footer] + data[footer:].replace(plain, coded))
    for where, wanted in (("text = 'word 7'", lambda t: t == "word 7"),
                          ("text > 'word 5'", lambda t: t > "word 5"), ("n >= 3990", None)):
        found = read(path, folder, where)
        rows = [i for i, t in enumerate(table["text"].to_pylist()) if (wanted(t) if wanted else i >= 3990)]
        assert found["n"].to_pylist() == rows, where
        assert found["text"].to_pylist() == table["text"].take(pa.array(rows)).to_pylist(), where


with tempfile.TemporaryDirectory() as place:
    check_mixed(pathlib.Path(place))
    check_random(pathlib.Path(place))
    print(f"{FILES * PREDICATES} random predicates, {check_corpus(pathlib.Path(place))} on the corpus")
