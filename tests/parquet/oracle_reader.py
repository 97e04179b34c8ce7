"""Files by PyArrow over types, encodings, codecs, page versions, nesting and nulls are read with
PyArrow's values: whole, in small batches, on two threads, by ranges of rows."""
import datetime
import decimal
import itertools
import random
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import oracle
import parquet_values

TOOL = oracle.tool("tool_parquet_read")
ROWS = 2500
CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]
RANDOM = random.Random(20)


def numbers(kind, low, high):
    return kind, lambda i: RANDOM.choice([low, high, i % 7, RANDOM.randint(low, high)])


def text(i):
    return RANDOM.choice(["", "a", "ä€😀", "common prefix of many %d" % i, "x" * (i % 90)])


def digits(precision, scale):
    return (pa.decimal128(precision, scale),
            lambda i: decimal.Decimal(RANDOM.randint(1 - 10**precision, 10**precision - 1))
            .scaleb(-scale))


def moment(unit, zone=None):
    return pa.timestamp(unit, zone), lambda i: RANDOM.randint(-2**52, 2**52)


FLAT = {
    "i8": numbers(pa.int8(), -128, 127), "i16": numbers(pa.int16(), -2**15, 2**15 - 1),
    "i32": numbers(pa.int32(), -2**31, 2**31 - 1), "i64": numbers(pa.int64(), -2**63, 2**63 - 1),
    "u8": numbers(pa.uint8(), 0, 255), "u16": numbers(pa.uint16(), 0, 2**16 - 1),
    "u32": numbers(pa.uint32(), 0, 2**32 - 1), "u64": numbers(pa.uint64(), 0, 2**64 - 1),
    "f16": (pa.float16(), lambda i: i % 2000 / 8), "f32": (pa.float32(), lambda i: i / 7),
    "f64": (pa.float64(), lambda i: RANDOM.choice([float("nan"), -0.0, float("inf"), i / 3])),
    "bool": (pa.bool_(), lambda i: i % 3 == 0), "text": (pa.string(), text),
    "bytes": (pa.binary(), lambda i: bytes(i % 50)), "fixed": (pa.binary(5), lambda i: b"%5d" % (i % 900)),
    "dec5": digits(5, 2), "dec15": digits(15, 3), "dec38": digits(38, 10),
    "date": (pa.date32(), lambda i: datetime.date(1970, 1, 1) + datetime.timedelta(i - 900)),
    "time_ms": (pa.time32("ms"), lambda i: i * 1000), "time_us": (pa.time64("us"), lambda i: i * 10**6),
    "time_ns": (pa.time64("ns"), lambda i: i * 10**9), "ts_ms": moment("ms"), "ts_us": moment("us"),
    "ts_ns": moment("ns"), "tz_us": moment("us", "UTC"),
    "duration": (pa.duration("us"), lambda i: i * 1000),
}


def items(make, i):
    return None if i % 11 == 5 else [None if j % 4 == 3 else make(i + j) for j in range(i % 5)]


NESTED = {
    "list": (pa.list_(pa.int32()), lambda i: items(lambda j: j, i)),
    "texts": (pa.list_(pa.string()), lambda i: items(lambda j: text(j), i)),
    "deep": (pa.list_(pa.list_(pa.list_(pa.int16()))),
             lambda i: items(lambda j: items(lambda k: items(lambda n: n % 99, k), j), i)),
    "struct": (pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.string()), ("d", pa.bool_())]))]),
               lambda i: {"a": i if i % 3 else None, "b": {"c": text(i), "d": None} if i % 4 else None}),
    "map": (pa.map_(pa.string(), pa.float64()),
            lambda i: None if i % 13 == 1 else [("k%d" % j, None if j == 2 else j / 2) for j in range(i % 4)]),
    "rows": (pa.list_(pa.struct([("x", pa.int32()), ("y", pa.list_(pa.string())),
                                 ("z", pa.map_(pa.int32(), pa.decimal128(20, 4)))])),
             lambda i: items(lambda j: {"x": j, "y": items(text, j),
                                        "z": [(n, decimal.Decimal(n)) for n in range(j % 3)]}, i)),
}


def table(columns, nulls):
    """nulls: percent; 0 makes every column required."""
    arrays, fields = [], []
    for name, (kind, make) in columns.items():
        values = [None if nulls and RANDOM.randrange(100) < nulls else make(i) for i in range(ROWS)]
        if nulls == 0:
            values = [make(0) if value is None else value for value in values]
            values = [[] if value is None else value for value in values]
        arrays.append(pa.array(values, kind))
        fields.append(pa.field(name, kind, nullable=nulls > 0))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def encodings():
    """Options that choose how values are encoded; the columns that they hold for, or None for all."""
    yield {"use_dictionary": True}, None
    yield {"use_dictionary": True, "dictionary_pagesize_limit": 200}, None
    yield {"use_dictionary": False}, None
    yield {"use_dictionary": False, "store_decimal_as_integer": True}, ["dec5", "dec15", "dec38"]
    whole = ["i8", "i32", "i64", "u16", "u64", "date", "time_us", "ts_us"]
    fixed = ["i32", "i64", "f16", "f32", "f64", "fixed", "dec38", "u8"]
    for name, columns in (("DELTA_BINARY_PACKED", whole), ("BYTE_STREAM_SPLIT", fixed),
                          ("DELTA_LENGTH_BYTE_ARRAY", ["text", "bytes"]),
                          ("DELTA_BYTE_ARRAY", ["text", "bytes", "fixed", "dec38"]),
                          ("RLE", ["bool"])):
        yield {"use_dictionary": False, "column_encoding": {c: name for c in columns}}, columns


def read(path, out, *words):
    done = subprocess.run([TOOL, path, out, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{path}: {done.returncode}: {done.stderr}"
    with pa.ipc.open_stream(out) as stream:
        return stream.read_all()


def check(folder, rows, what, **options):
    path, out = f"{folder}/in.parquet", f"{folder}/out.arrows"
    pq.write_table(rows, path, **options)
    for words in ([], ["batch=77", "threads=2"]):
        found = parquet_values.difference(read(path, out, *words), rows)
        assert found is None, f"{what} {options} {words}: {found}"
    found = parquet_values.difference(read(path, out, "rows=3+4,700+900,2400+100"),
                                      pa.concat_tables([rows.slice(3, 4), rows.slice(700, 900),
                                                        rows.slice(2400, 100)]))
    assert found is None, f"{what} {options} ranges: {found}"


def main():
    count, codecs = 0, itertools.cycle(CODECS)
    tables = [(nulls, table(FLAT, nulls), table(NESTED, nulls)) for nulls in (0, 30, 100)]
    with tempfile.TemporaryDirectory() as folder:
        for nulls, flat, nested in tables:
            for version, (options, columns) in itertools.product(("1.0", "2.0"), encodings()):
                rows = flat if columns is None else flat.select(columns)
                check(folder, rows, f"flat, {nulls} % null", compression=next(codecs),
                      data_page_version=version, data_page_size=900, row_group_size=1100,
                      write_page_checksum=True, **options)
                count += 1
            for version, codec in itertools.product(("1.0", "2.0"), CODECS):
                check(folder, nested, f"nested, {nulls} % null", compression=codec,
                      data_page_version=version, data_page_size=700, row_group_size=1100)
                count += 1
        flat = tables[1][1].select(["ts_us"]).cast(pa.schema([("ts_us", pa.timestamp("ns"))]), safe=False)
        check(folder, flat, "INT96", use_deprecated_int96_timestamps=True)
        for old in (True, False):
            check(folder, tables[1][2], "names of items", use_compliant_nested_type=old)
    print(f"{count} files")


main()
