"""PyArrow and DuckDB as judges of the twins.

Every type and layout that PyArrow makes is read as the type that it means, and conforms to the
canonical layout with the values that PyArrow's own cast gives. DuckDB accepts the name of every
type's twin, and what it exports of that type is read as the type again.
"""
import collections
import datetime
import decimal
import os
import random
import subprocess
import uuid

import oracle

try:
    import pyarrow as pa
except ImportError:
    oracle.leave_out("the Python package pyarrow is not there")
try:
    import duckdb
except ImportError:
    duckdb = None

SEED = int(os.environ.get("STOA_TEST_SEED", random.SystemRandom().randrange(2**32)))
print(f"schema.oracle_arrow: STOA_TEST_SEED={SEED}")
rng = random.Random(SEED)
TWINS = oracle.tool("tool_schema_twins")
ROWS = 200


def whole(low, high):
    return lambda: rng.randint(low, high)


def text():
    return "".join(rng.choice("aé日 z😀") for _ in range(rng.choice([0, 1, 3, 30])))


def blob():
    return bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 3, 30])))


def number(digits, scale):
    return lambda: decimal.Decimal(rng.randint(-10**digits + 1, 10**digits - 1)).scaleb(
        -scale, decimal.Context(prec=80))


def real():
    return rng.choice([0.0, -0.0, 1.5, float("inf"), -2.25, 1024.0])


def date():
    return datetime.date(1960, 1, 1) + datetime.timedelta(days=rng.randrange(40000))


def clock(step):
    return lambda: (datetime.datetime(2000, 1, 1) + datetime.timedelta(
        microseconds=rng.randrange(86400 * 10**6 // step) * step)).time()


def moment(step, zone=None):
    return lambda: datetime.datetime(1960, 1, 1, tzinfo=zone) + datetime.timedelta(
        microseconds=rng.randrange(10**15 // step) * step)


def span(step):
    return lambda: datetime.timedelta(microseconds=rng.randrange(10**12 // step) * step)


def items(make, most=4):
    return lambda: [maybe(make) for _ in range(rng.randint(0, most))]


def maybe(make):
    return None if rng.random() < 0.2 else make()


UTC = datetime.timezone.utc
# PyArrow's type, ours in text, PyArrow's type of the canonical layout (None: the same), values
TYPES = [
    (pa.null(), "unknown", None, lambda: None),
    (pa.bool_(), "boolean", None, lambda: rng.random() < 0.5),
    (pa.int8(), "int8", None, whole(-128, 127)),
    (pa.int16(), "int16", None, whole(-32768, 32767)),
    (pa.int32(), "int", None, whole(-2**31, 2**31 - 1)),
    (pa.int64(), "long", None, whole(-2**63, 2**63 - 1)),
    (pa.uint8(), "uint8", None, whole(0, 255)),
    (pa.uint16(), "uint16", None, whole(0, 65535)),
    (pa.uint32(), "uint32", None, whole(0, 2**32 - 1)),
    (pa.uint64(), "uint64", None, whole(0, 2**64 - 1)),
    (pa.float16(), "float", pa.float32(), real),
    (pa.float32(), "float", None, real),
    (pa.float64(), "double", None, real),
    (pa.decimal32(7, 2), "decimal(7, 2)", pa.decimal128(7, 2), number(7, 2)),
    (pa.decimal64(18, 9), "decimal(18, 9)", pa.decimal128(18, 9), number(18, 9)),
    (pa.decimal128(38, 10), "decimal(38, 10)", None, number(38, 10)),
    (pa.decimal256(38, 0), "decimal(38, 0)", pa.decimal128(38, 0), number(38, 0)),
    (pa.date32(), "date", None, date),
    (pa.date64(), "date", pa.date32(), date),
    (pa.time32("s"), "time_ms", pa.time32("ms"), clock(10**6)),
    (pa.time32("ms"), "time_ms", None, clock(1000)),
    (pa.time64("us"), "time", None, clock(1)),
    (pa.time64("ns"), "time_ns", None, clock(1)),
    (pa.timestamp("s"), "timestamp_s", None, moment(10**6)),
    (pa.timestamp("ms"), "timestamp_ms", None, moment(1000)),
    (pa.timestamp("us"), "timestamp", None, moment(1)),
    (pa.timestamp("ns"), "timestamp_ns", None, moment(1)),
    (pa.timestamp("us", "UTC"), "timestamptz", None, moment(1, UTC)),
    (pa.timestamp("ns", "UTC"), "timestamptz_ns", None, moment(1, UTC)),
    (pa.timestamp("s", "Europe/Athens"), "timestamptz_s", pa.timestamp("s", "UTC"),
     moment(10**6, UTC)),
    (pa.duration("s"), "duration_s", None, span(10**6)),
    (pa.duration("us"), "duration", None, span(1)),
    (pa.duration("ns"), "duration_ns", None, span(1)),
    (pa.month_day_nano_interval(), "interval", None,
     lambda: pa.MonthDayNano([rng.randint(-20, 20), rng.randint(-40, 40), rng.randint(-9, 9)])),
    (pa.string(), "string", None, text),
    (pa.large_string(), "string", pa.string(), text),
    (pa.string_view(), "string", pa.string(), text),
    (pa.binary(), "binary", None, blob),
    (pa.large_binary(), "binary", pa.binary(), blob),
    (pa.binary_view(), "binary", pa.binary(), blob),
    (pa.binary(3), "fixed[3]", None, lambda: bytes(rng.randrange(256) for _ in range(3))),
    (pa.binary(16), "fixed[16]", None, lambda: bytes(rng.randrange(256) for _ in range(16))),
    (pa.dictionary(pa.int8(), pa.string()), "string", pa.string(), lambda: rng.choice("abcé")),
    (pa.dictionary(pa.uint16(), pa.int64()), "long", pa.int64(), whole(-5, 5)),
    (pa.list_(pa.int32()), "list<int>", None, items(whole(-9, 9))),
    (pa.large_list(pa.string_view()), "list<string>", pa.list_(pa.string()), items(text)),
    (pa.list_(pa.int16(), 2), "list<int16>", pa.list_(pa.int16()),
     lambda: [maybe(whole(-9, 9)) for _ in range(2)]),
    (pa.list_(pa.list_(pa.date64())), "list<list<date>>", pa.list_(pa.list_(pa.date32())),
     items(items(date))),
    (pa.map_(pa.string(), pa.decimal64(5, 1)), "map<string, decimal(5, 1)>",
     pa.map_(pa.string(), pa.decimal128(5, 1)),
     lambda: [(f"k{i}", maybe(number(5, 1))) for i in range(rng.randint(0, 3))]),
    (pa.struct([("a", pa.large_string()), ("b", pa.list_(pa.float16()))]),
     "struct<a: string, b: list<float>>",
     pa.struct([("a", pa.string()), ("b", pa.list_(pa.float32()))]),
     lambda: {"a": maybe(text), "b": maybe(items(real))}),
    (pa.struct([("x", pa.struct([("y", pa.int8())]))]), "struct<x: struct<y: int8>>", None,
     lambda: {"x": maybe(lambda: {"y": maybe(whole(-5, 5))})}),
]
WIDER = [  # PyArrow's type, a wider one of ours, its canonical PyArrow type, values
    (pa.int8(), "long", pa.int64(), whole(-128, 127)),
    (pa.uint32(), "long", pa.int64(), whole(0, 2**32 - 1)),
    (pa.int32(), "double", pa.float64(), whole(-2**31, 2**31 - 1)),
    (pa.float32(), "double", pa.float64(), real),
    (pa.decimal128(5, 2), "decimal(12, 5)", pa.decimal128(12, 5), number(5, 2)),
    (pa.timestamp("s"), "timestamp_ns", pa.timestamp("ns"), moment(10**6)),
    (pa.duration("ms"), "duration_ns", pa.duration("ns"), span(1000)),
    (pa.dictionary(pa.int32(), pa.int16()), "long", pa.int64(), whole(-99, 99)),
    (pa.null(), "list<struct<a: uuid>>", None, lambda: None),
]


def write(name, table, **options):
    path = oracle.TMP / name
    with pa.ipc.new_file(path, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=77)
    return path


def conform(table, schema=None):
    """The text of the schema, and the conformed table."""
    path, made = write("in.arrow", table), oracle.TMP / "out.arrow"
    printed = oracle.run(TWINS, "conform", path, made, *([schema] if schema else []))
    with pa.ipc.open_file(made) as reader:
        return printed.strip(), reader.read_all()


def check_column(kind, ours, canonical, make, schema):
    values = [None if rng.random() < 0.15 else make() for _ in range(ROWS)]
    column = pa.chunked_array([pa.array(values, kind)]).slice(rng.randrange(5))
    printed, made = conform(pa.table({"c": column}), schema)
    assert printed == f"c {ours}", f"{kind}: {printed}"
    found = made.column("c")
    found.validate(full=True)
    if canonical is not None or kind != pa.null():
        wanted = canonical or kind
        assert str(found.type).replace("element:", "item:") == str(wanted).replace(
            "element:", "item:"), f"{kind}: {found.type} is not {wanted}"
    expected = column.to_pylist()
    if pa.types.is_date64(kind):
        expected = [v if v is None or type(v) is datetime.date else v.date() for v in expected]
    got = found.to_pylist()
    if pa.types.is_timestamp(kind) and kind.tz:
        expected, got = ([v if v is None else v.astimezone(UTC) for v in side]
                         for side in (expected, got))
    assert repr(got) == repr(expected) or got == expected, f"{kind}: {got[:9]} {expected[:9]}"


def check_types():
    for kind, ours, canonical, make in TYPES:
        check_column(kind, ours, canonical, make, None)
    for kind, ours, canonical, make in WIDER:
        check_column(kind, ours, canonical, make, f"c {ours}")


def check_extensions():
    ids = [uuid.UUID(int=rng.getrandbits(128)).bytes for _ in range(9)]
    storage = pa.array(ids, pa.binary(16))
    printed, made = conform(pa.table({"c": pa.ExtensionArray.from_storage(pa.uuid(), storage)}))
    assert printed == "c uuid", printed
    assert made.schema.field("c").type == pa.uuid(), made.schema
    assert [v.bytes for v in made.column("c").to_pylist()] == ids
    bits = pa.array([None if i % 5 == 0 else i % 3 for i in range(70)], pa.int8())
    printed, made = conform(pa.table({"c": pa.ExtensionArray.from_storage(pa.bool8(), bits)}))
    assert printed == "c boolean", printed
    assert made.column("c").to_pylist() == [None if i % 5 == 0 else i % 3 != 0 for i in range(70)]
    json = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}']))
    printed, made = conform(pa.table({"c": json}))
    assert printed == "c string", printed


def check_fields():
    inner = pa.field("x", pa.int32(), nullable=False, metadata={"PARQUET:field_id": "40"})
    schema = pa.schema([
        pa.field("id", pa.int64(), nullable=False,
                 metadata={"PARQUET:field_id": "7", "doc": "it's one"}),
        pa.field("s", pa.struct([inner]), metadata={"PARQUET:field_id": "9"})])
    printed, made = conform(schema.empty_table())
    assert printed == "id long not null 'it''s one', s struct<x: int not null>", printed
    found = made.schema.field("id")
    assert found.metadata == {b"PARQUET:field_id": b"7", b"doc": b"it's one"}, found.metadata
    assert not found.nullable
    assert made.schema.field("s").type.field(0).metadata[b"PARQUET:field_id"] == b"40"
    for broken in ("", "x", "0", "7"):  # no id, none, none, one that stands twice
        other = schema.field("s").with_metadata({"PARQUET:field_id": broken} if broken else {})
        _, made = conform(pa.schema([schema.field("id"), other]).empty_table())
        ids = [made.schema.field(n).metadata[b"PARQUET:field_id"] for n in ("id", "s")]
        assert ids == [b"1", b"2"], ids


def check_refusals():
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    runs = pa.RunEndEncodedArray.from_arrays([1], [5])
    wide = pa.array([decimal.Decimal(1)], pa.decimal256(50, 0))
    for array, words in ((union, "a union"), (runs, "run-end"), (wide, "more than 38 digits")):
        path = write("refused.arrow", pa.table({"c": array}))
        done = subprocess.run([TWINS, "conform", path, oracle.TMP / "none.arrow"],
                              capture_output=True, text=True)
        assert done.returncode == 1 and "unsupported" in done.stderr, done.stderr
        assert words in done.stderr, done.stderr


def check_duckdb():
    """What docs/design/types.md says of each type's twin: exact, widening or refused."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'; SET arrow_lossless_conversion = true")
    seen = collections.Counter()
    for line in (oracle.SOURCE / "docs/design/types.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if not line.startswith("| `"):
            continue
        name, said = cells[1].strip("`"), cells[4]
        verdict = said.rsplit(": ", 1)[-1]
        seen[verdict] += 1
        done = subprocess.run([TWINS, "duckdb", f"c {name}"], capture_output=True, text=True)
        if verdict == "refused":
            assert done.returncode == 1 and "has no twin in DuckDB" in done.stderr, done.stderr
            continue
        twin = done.stdout.strip()
        assert f"`{twin}`" in said, f"{name}: {twin}"
        if twin == '"NULL"':
            assert db.sql(f"SELECT typeof(NULL::{twin})").fetchone()[0] == twin
            continue
        # A type that DuckDB has, and hands out in Arrow as ours, or as a wider one.
        result = db.sql(f"SELECT NULL::{twin} AS c").to_arrow_table()
        printed, _ = conform(result)
        assert (printed == f"c {name}") == (verdict != "widening"), f"{name}: {twin}: {printed}"
    assert seen["exact"] > 20 and seen["widening"] > 5 and seen["refused"] >= 2, seen


check_types()
check_extensions()
check_fields()
check_refusals()
if duckdb is None:
    print("left out: DuckDB's part; the Python package duckdb is not there")
else:
    check_duckdb()
print(f"{len(TYPES) + len(WIDER)} types conform as PyArrow says")
