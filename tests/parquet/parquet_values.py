"""What PyArrow reads and what Stoa reads, in one plain form: None, bool, int (temporals in nanoseconds,
floats as bits of a double), decimals, bytes for texts and binaries, lists, tuples for structs."""
import struct

import pyarrow as pa

UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAY_NS = 86400 * 10**9


def combine(array):
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    return array


def bits(value):
    if value is None:
        return None
    return "nan" if value != value else struct.unpack("<Q", struct.pack("<d", value))[0]


def scaled(array, kind, width):
    numbers = array.view(pa.int64() if width == 64 else pa.int32()).to_pylist()
    unit = DAY_NS if kind == pa.date32() else UNIT_NS[getattr(kind, "unit", "ms")]
    return [None if n is None else n * unit for n in numbers]


def nested(array):
    kind, valid = array.type, array.is_valid().to_pylist()
    if pa.types.is_struct(kind):
        parts = [plain(part) for part in
                 (array.field(i) for i in range(kind.num_fields))]
        return [tuple(part[i] for part in parts) if ok else None for i, ok in enumerate(valid)]
    if pa.types.is_fixed_size_list(kind):
        size, items = kind.list_size, plain(array.values)
        at = array.offset
        return [items[(at + i) * size:(at + i + 1) * size] if ok else None
                for i, ok in enumerate(valid)]
    offsets = array.offsets.to_pylist()
    if pa.types.is_map(kind):
        items = list(zip(plain(array.keys), plain(array.items)))
    else:
        items = plain(array.values)
    return [items[offsets[i]:offsets[i + 1]] if ok else None for i, ok in enumerate(valid)]


def plain(array):
    array = combine(array)
    kind = array.type
    if pa.types.is_nested(kind):
        return nested(array)
    if pa.types.is_floating(kind):
        if pa.types.is_float16(kind):
            array = array.cast(pa.float32())
        return [bits(value) for value in array.to_pylist()]
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return scaled(array, kind, 32)
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind) or pa.types.is_duration(kind) or \
            pa.types.is_date64(kind):
        return scaled(array, kind, 64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        array = array.cast(pa.binary() if pa.types.is_string(kind) else pa.large_binary())
    return array.to_pylist()


def difference(ours, theirs):
    """In words what differs between two tables; None: nothing."""
    if ours.num_rows != theirs.num_rows:
        return f"{ours.num_rows} rows for {theirs.num_rows}"
    if ours.column_names != theirs.column_names:
        return f"columns {ours.column_names} for {theirs.column_names}"
    for name, mine, other in zip(ours.column_names, ours.columns, theirs.columns):
        left, right = plain(mine), plain(other)
        if left != right:
            row = next(i for i, (a, b) in enumerate(zip(left, right)) if a != b)
            return f"column {name}, row {row}: {str(left[row])[:200]} for {str(right[row])[:200]}"
    return None
