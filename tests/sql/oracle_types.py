"""Every type through tables of both kinds, against the duckdb package: the same query on both sides,
compared value by value as PyArrow reads them, and type by type."""
import decimal
import sys
import uuid

import oracle

sys.dont_write_bytecode = True
import duckdb
import pyarrow as pa

TOOL = oracle.tool("tool_sql_query")

# name: (expression over i, the Arrow type that a query gives). Every third value is null.
TYPES = {
    "boolean": ("i % 2 = 0", pa.bool_()),
    "tinyint": ("(i % 250 - 125)::TINYINT", pa.int8()),
    "smallint": ("(i * 6 - 20000)::SMALLINT", pa.int16()),
    "integer": ("(i * 70001 - 100000)::INTEGER", pa.int32()),
    "bigint": ("i * 900719925474099 - 12", pa.int64()),
    "utinyint": ("(i % 256)::UTINYINT", pa.uint8()),
    "usmallint": ("(i * 9)::USMALLINT", pa.uint16()),
    "uinteger": ("(i * 600003)::UINTEGER", pa.uint32()),
    "ubigint": ("18446744073709551615::UBIGINT - i::UBIGINT", pa.uint64()),
    "hugeint": ("i::HUGEINT * -12345678901234567890123456", pa.decimal128(38, 0)),
    "float": ("(i / 3)::FLOAT", pa.float32()),
    "double": ("CASE i % 5 WHEN 0 THEN 'inf'::DOUBLE WHEN 1 THEN -0.0 ELSE i / 7 END", pa.float64()),
    "decimal4": ("(i % 100 - 50.55)::DECIMAL(4, 2)", pa.decimal128(4, 2)),
    "decimal9": ("(i * -12.345)::DECIMAL(9, 3)", pa.decimal128(9, 3)),
    "decimal18": ("(i * 1234567.891)::DECIMAL(18, 5)", pa.decimal128(18, 5)),
    "decimal38": ("i::DECIMAL(38, 10) * 1234567890123456", pa.decimal128(38, 10)),
    "date": ("DATE '1800-02-28' + i::INT * 97", pa.date32()),
    "time": ("TIME '00:00:00.000001' + to_microseconds(i * 86399991)", pa.time64("us")),
    "timestamp_s": ("make_timestamp(i * 1234567890123456)::TIMESTAMP_S", pa.timestamp("s")),
    "timestamp_ms": ("make_timestamp(i * 1234567890123)::TIMESTAMP_MS", pa.timestamp("ms")),
    "timestamp": ("make_timestamp(i * 123456789012345 - 99999999999999)", pa.timestamp("us")),
    "timestamp_ns": ("make_timestamp_ns(i * 1234567890123457)", pa.timestamp("ns")),
    "timestamptz": ("make_timestamp(i * 12345678901234)::TIMESTAMPTZ", pa.timestamp("us", tz="UTC")),
    "interval": ("to_months(i::INT % 40) + to_days(i::INT) + to_milliseconds(i * 17)",
                 pa.month_day_nano_interval()),
    "varchar": ("repeat('å', (i % 30)::INT) || i", pa.string()),
    "json": ("('{\"a\": ' || i || '}')::JSON", pa.string()),
    "blob": ("(chr(92) || 'xFF' || i)::BLOB", pa.binary()),
    "uuid": ("('00000000-0000-4000-8000-' || lpad(i::VARCHAR, 12, 'f'))::UUID", None),
    "list": ("[i, NULL, i + 1][1:(i % 4)::INT]", pa.list_(pa.int64())),
    "array": ("array_value(i::INTEGER, NULL)", pa.list_(pa.int32())),
    "lists": ("[[i::VARCHAR], NULL, [], ['a longer text than twelve', NULL]]", pa.list_(pa.list_(pa.string()))),
    "struct": ("{'x': i, 'y': {'z': i::VARCHAR, 'n': CASE WHEN i % 2 = 0 THEN [i / 2] END}}",
               pa.struct([("x", pa.int64()), ("y", pa.struct([("z", pa.string()),
                                                               ("n", pa.list_(pa.float64()))]))])),
    "map": ("MAP {'k' || i: i, 'l': NULL}", pa.map_(pa.string(), pa.int64())),
    "enum": ("(CASE WHEN i % 2 = 0 THEN 'one' ELSE 'other than one' END)::ENUM('one', 'other than one')",
             pa.string()),
}
ROWS = 7000


def query():
    # DuckDB has no CASE over arrays.
    columns = ", ".join(f"CASE WHEN i % 3 <> 2 THEN {expression} END AS \"{name}\""
                        if name != "array" else f"{expression} AS array"
                        for name, (expression, _) in TYPES.items())
    return f"SELECT i, {columns} FROM range({ROWS}) r(i)"


def plain(value):
    """What both sides mean, whatever PyArrow calls it."""
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, decimal.Decimal):
        return int(value.scaleb(20))
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    return value


def values(table, name):
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if name == "uuid":
        return [v if v is None else (v.bytes if isinstance(v, uuid.UUID) else
                                     v if isinstance(v, bytes) else uuid.UUID(v).bytes)
                for v in column.to_pylist()]
    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        width = pa.int32() if column.type.bit_width == 32 else pa.int64()
        return column.cast(width).to_pylist()
    return [plain(v) for v in column.to_pylist()]


def read_ours(database, *statements):
    path = oracle.TMP / "ours.arrow"
    oracle.run(TOOL, database, *statements[:-1], "--arrow", statements[-1], path)
    with pa.ipc.open_stream(path) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table


def check_types(table, skip=()):
    for name, (_, wanted) in TYPES.items():
        found = table.schema.field(name).type
        if name == "uuid":
            assert found == pa.uuid(), f"{name}: {found}"
        elif name not in skip:
            assert found.equals(wanted) or str(found).replace("element", "item") == str(wanted).replace(
                "element", "item"), f"{name}: expected {wanted} but found {found}"


def check_values(ours, theirs, what):
    assert ours.num_rows == theirs.num_rows == ROWS
    for name in TYPES:
        mine, real = values(ours, name), values(theirs, name)
        for row, (a, b) in enumerate(zip(mine, real, strict=True)):
            assert a == b, f"{what}: {name}, row {row}: ours {a!r}, duckdb's {b!r}"


def main():
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    theirs = engine.execute(query()).to_arrow_table()
    direct = read_ours(":memory:", query())
    check_types(direct)
    check_values(direct, theirs, "a query")
    for database, what in ((":memory:", "a memory table"), (oracle.TMP / "types.stoa", "a Parquet table")):
        table = read_ours(database, f"CREATE TABLE t AS {query()}", "SELECT * FROM t ORDER BY i")
        # Parquet keeps no seconds and no enums; DuckDB reads its milliseconds as microseconds.
        units = {"timestamp_s": 1000000, "timestamp_ms": 1000}
        if what == "a Parquet table":
            for name in units:
                position = table.schema.get_field_index(name)
                kind = theirs.schema.field(name).type
                table = table.set_column(position, name, table.column(name).cast(kind))
        check_values(table, theirs, what)
        print(f"{what}: {len(TYPES)} types, {ROWS} rows agree with duckdb {duckdb.__version__}")


main()
