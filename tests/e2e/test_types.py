"""Every type from file to table to file: what PyArrow puts in comes out again, by value and by type,
through a `parquet` table, and after rows were changed by SQL."""
import datetime
import decimal
import uuid

import pyarrow as pa
import pyarrow.feather as feather

import command
import oracle
from command import ok

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 28, 23, 59, 58)
INSTANT = MOMENT.replace(tzinfo=UTC)
TYPES = {
    "boolean": (pa.bool_(), [True, False, None]),
    "int8": (pa.int8(), [-128, 127, None]),
    "int16": (pa.int16(), [-2**15, 2**15 - 1, None]),
    "int": (pa.int32(), [-2**31, 2**31 - 1, None]),
    "long": (pa.int64(), [-2**63, 2**63 - 1, None]),
    "uint8": (pa.uint8(), [0, 255, None]),
    "uint16": (pa.uint16(), [0, 2**16 - 1, None]),
    "uint32": (pa.uint32(), [0, 2**32 - 1, None]),
    "uint64": (pa.uint64(), [0, 2**64 - 1, None]),
    "float": (pa.float32(), [1.5, float("-inf"), None]),
    "double": (pa.float64(), [0.1, 1e300, None]),
    "decimal_4": (pa.decimal128(4, 2), [decimal.Decimal("-99.99"), decimal.Decimal("0.01"), None]),
    "decimal_18": (pa.decimal128(18, 0), [decimal.Decimal(10**18 - 1), decimal.Decimal(-1), None]),
    "decimal_38": (pa.decimal128(38, 10),
                   [decimal.Decimal("9" * 28 + "." + "9" * 10), decimal.Decimal(-1), None]),
    "date": (pa.date32(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "time_ms": (pa.time32("ms"), [datetime.time(0), datetime.time(23, 59, 59, 999000), None]),
    "time_us": (pa.time64("us"), [datetime.time(0), datetime.time(23, 59, 59, 999999), None]),
    "timestamp_ms": (pa.timestamp("ms"), [MOMENT, MOMENT.replace(year=1900), None]),
    "timestamp_us": (pa.timestamp("us"), [MOMENT.replace(microsecond=1), MOMENT, None]),
    "timestamp_ns": (pa.timestamp("ns"), [pa.scalar(1709251198000000001, pa.timestamp("ns")),
                                          MOMENT, None]),
    "timestamptz_ms": (pa.timestamp("ms", "UTC"), [INSTANT, INSTANT.replace(year=1900), None]),
    "timestamptz_us": (pa.timestamp("us", "UTC"), [INSTANT.replace(microsecond=1), INSTANT, None]),
    "string": (pa.string(), ["", "zwölf 十二 🂡 " * 9, None]),
    "binary": (pa.binary(), [b"", bytes(range(256)), None]),
    "fixed": (pa.binary(5), [b"\x00" * 5, b"\xff" * 5, None]),
    "uuid": (pa.uuid(), [uuid.UUID(int=0).bytes, uuid.UUID(int=2**128 - 1).bytes, None]),
    "list": (pa.list_(pa.int64()), [[], [1, None, 3], None]),
    "struct": (pa.struct([("a", pa.int32()), ("b", pa.string())]),
               [{"a": 1, "b": None}, {"a": None, "b": "x"}, None]),
    "map": (pa.map_(pa.string(), pa.int64()), [[], [("k", 1), ("l", None)], None]),
    "nested": (pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.list_(pa.float64())))])),
               [[], [{"m": [("k", [1.0, None])]}, None, {"m": None}], None]),
}

# What the engine has no type for comes out of a query in the next wider one.
WIDENED = {"time_ms": pa.time64("us"), "timestamp_ms": pa.timestamp("us"),
           "timestamptz_ms": pa.timestamp("us", "UTC"),
           "fixed": pa.binary()}


def widened(table):
    """The table with the types that a query gives it."""
    for name in table.column_names:
        if name in WIDENED:
            place = table.column_names.index(name)
            table = table.set_column(place, name, table[name].cast(WIDENED[name]))
    return table


def table_of(names):
    """The columns by name, and a key to order by."""
    columns = {"key": pa.array([1, 2, 3], pa.int64())}
    for name in names:
        kind, values = TYPES[name]
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


def exported(database, what):
    """What the table holds."""
    path = oracle.TMP / "out.arrow"
    ok("export", database, what, "-o", path, "-q")
    return feather.read_table(path)


def check(found, expected):
    """Equal names, types and values."""
    wrong = []
    for name in expected.column_names:
        left, right = found[name], expected[name]
        if left.type != right.type:
            wrong.append(f"{name}: expected {right.type} but found {left.type}")
        elif not left.combine_chunks().equals(right.combine_chunks()):
            wrong.append(f"{name}: expected {right} but found {left}")
    assert not wrong, "\n".join(wrong)


def load(db, table):
    """The table, by way of an Arrow file."""
    path = oracle.TMP / "in.arrow"
    feather.write_feather(table, path, compression="uncompressed")
    ok("load", db, "t", path)


def test_scan(db):
    table = table_of(TYPES)
    load(db, table)
    check(exported(db, "t"), table)


def test_query(db):
    table = table_of(TYPES)
    load(db, table)
    check(exported(db, "select * from t order by key"), widened(table))


def test_rows_that_were_changed(db):
    for name in TYPES:
        table = table_of([name])
        database = db.with_name(f"{name}.stoa")
        load(database, table)
        ok("sql", database, "update t set key = key + 10 where key = 2")
        ok("sql", database, f'insert into t select key + 20, "{name}" from t where key <= 12')
        ok("sql", database, "delete from t where key < 10")
        found = exported(database, "t").sort_by("key")
        values = TYPES[name][1]
        expected = pa.table({"key": pa.array([12, 21, 23, 32], pa.int64()),
                             name: pa.array([values[1], values[0], values[2], values[1]],
                                            TYPES[name][0])})
        check(found, expected)


def test_tables_made_by_sql(db):
    table = table_of(TYPES)
    load(db, table)
    ok("sql", db, "create table u as select * from t")
    check(exported(db, "u").sort_by("key"), widened(table))


def test_parquet_export(db):
    import pyarrow.parquet as pq
    table = table_of(TYPES)
    load(db, table)
    ok("export", db, "t", "-o", oracle.TMP / "out.parquet", "-q")
    check(pq.read_table(oracle.TMP / "out.parquet"), table)


command.tests(globals())
