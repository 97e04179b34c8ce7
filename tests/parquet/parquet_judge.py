"""What PyArrow, DuckDB and Polars read from a Parquet file, in one plain form, to be compared with the
JSON of tool_write.c: None, bool, int (temporals in nanoseconds, dates in days, decimals unscaled,
floats as bits), str, hexadecimal text for bytes, lists, tuples for structs, lists of pairs for maps."""
import decimal
import json
import struct

import pyarrow as pa

UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
UNITS = ["s", "ms", "us", "ns"]
NAN = "nan"
decimal.getcontext().prec = 80


def float_bits(value, double):
    """A float as its bits; all NaN are one."""
    if value is None:
        return None
    if value != value:
        return NAN
    return struct.unpack("<Q" if double else "<I", struct.pack("<d" if double else "<f", value))[0]


def bits_of(bits, double):
    """The bits that the tool printed, with all NaN one."""
    exponent, mantissa = (0x7FF << 52, (1 << 52) - 1) if double else (0xFF << 23, (1 << 23) - 1)
    return NAN if bits & exponent == exponent and bits & mantissa else bits


def expected(field, value):
    """A value of the tool's JSON in the plain form."""
    if value is None:
        return None
    kind, children = field["type"], field["children"]
    if kind == "list":
        return [expected(children[0], item) for item in value]
    if kind == "map":
        return [(expected(children[0], k), expected(children[1], v)) for k, v in value]
    if kind == "struct":
        return tuple(expected(child, item) for child, item in zip(children, value))
    if kind in ("float", "double"):
        return bits_of(value, kind == "double")
    if kind.startswith(("time", "duration")):
        return value * UNIT_NS[UNITS[field["unit"]]]
    if kind == "interval":
        return tuple(value)
    return value


def combine(column):
    """One array of a chunked one, extension types by their storage."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    return array


def plain_nested(field, array):
    """Lists, maps and structs."""
    valid = array.is_valid().to_pylist()
    children = field["children"]
    kind = array.type
    if pa.types.is_struct(kind):
        parts = [plain(child, array.field(i)) for i, child in enumerate(children)]
        return [tuple(part[i] for part in parts) if ok else None for i, ok in enumerate(valid)]
    offsets = array.offsets.to_pylist()
    if pa.types.is_map(kind):
        keys, items = plain(children[0], array.keys), plain(children[1], array.items)
        values = list(zip(keys, items))
    elif field["type"] == "map":  # Polars: a list of structs
        entries = array.values
        values = list(zip(plain(children[0], entries.field(0)), plain(children[1], entries.field(1))))
    else:
        values = plain(children[0], array.values)
    return [values[offsets[i]:offsets[i + 1]] if ok else None for i, ok in enumerate(valid)]


def plain(field, column):
    """A whole column in the plain form."""
    array = combine(column)
    kind = array.type
    name = field["type"]
    if name in ("list", "map", "struct"):
        return plain_nested(field, array)
    if name == "unknown":
        assert array.null_count == len(array), "a value where only nulls are"
        return [None] * len(array)
    if name in ("float", "double"):
        return [float_bits(v, name == "double") for v in array.to_pylist()]
    if name.startswith(("time", "duration")):
        unit = kind.unit if hasattr(kind, "unit") else UNITS[field["unit"]]
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        return [None if v is None else v * UNIT_NS[unit] for v in array.view(width).to_pylist()]
    if name == "date":
        return array.view(pa.int32()).to_pylist()
    if name.startswith("decimal"):
        return [None if v is None else int(v.scaleb(field["scale"])) for v in array.to_pylist()]
    if name == "uuid" and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return [None if v is None else v.replace("-", "") for v in array.to_pylist()]
    if name == "interval":
        if pa.types.is_fixed_size_binary(kind):  # as it stands in the file
            cut = [None if v is None else struct.unpack("<III", v) for v in array.to_pylist()]
            return [None if v is None else (v[0], v[1], v[2] * 10**6) for v in cut]
        return [None if v is None else (v.months, v.days, v.nanoseconds) for v in array.to_pylist()]
    values = array.to_pylist()
    if name == "uuid" or name == "binary" or name.startswith("fixed"):
        return [None if v is None else v.hex() for v in values]
    return values


def load(text):
    """Schema and columns of the tool's JSON, the latter in the plain form."""
    lines = text.splitlines()
    fields = json.loads(lines[0])
    rows = [json.loads(line, strict=False) for line in lines[1:]]
    return fields, [[expected(field, row[i]) for row in rows] for i, field in enumerate(fields)]


def first_difference(left, right):
    """Where two columns part, for the message."""
    if len(left) != len(right):
        return f"{len(left)} rows and {len(right)} rows"
    for i, (a, b) in enumerate(zip(left, right)):
        if a != b:
            return f"row {i}: expected {a!r} but found {b!r}"
    return None


def microseconds(values):
    """Nanoseconds cut off towards zero."""
    return [None if v is None else (abs(v) // 1000 * 1000) * (-1 if v < 0 else 1) for v in values]


def check_table(judge, fields, columns, table):
    """Compares a table that a judge read with what was written."""
    for i, field in enumerate(fields):
        want = columns[i]
        if judge == "duckdb" and field["type"] == "timestamptz_ns":
            want = microseconds(want)  # DuckDB keeps instants in microseconds
        found = first_difference(want, plain(field, table.column(i)))
        assert found is None, f"{judge}: column '{field['name']}' ({field['type']}): {found}"
