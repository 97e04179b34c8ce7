"""What PyArrow and DuckDB find in our footers: field ids, types, statistics against values computed
anew, encodings, codecs, sizes, checksums that break when a byte does."""
import json
import pathlib
import struct
import subprocess
import sys

import oracle

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from parquet_judge import load
from oracle_readers import FLAT, NESTED, SCHEMAS

TOOL = oracle.tool("tool_parquet_write")
BOUND_BYTES = 64


def write(name, schema, **settings):
    path = oracle.TMP / f"{name}.parquet"
    fields, columns = load(oracle.run(TOOL, path, schema, *(f"{k}={v}" for k, v in settings.items())))
    return path, fields, columns


# ---- Field ids ----------------------------------------------------------------------------------

def ids_wanted(fields):
    return [(f["id"], ids_wanted(f["children"])) for f in fields]


def ids_found(fields):
    out = []
    for f in fields:
        kind = f.type
        if pa.types.is_map(kind):
            children = [kind.key_field, kind.item_field]
        elif pa.types.is_list(kind):
            children = [kind.value_field]
        else:
            children = [kind.field(i) for i in range(kind.num_fields)]
        out.append((int(f.metadata[b"PARQUET:field_id"]), ids_found(children)))
    return out


def check_field_ids():
    for name, schema in SCHEMAS.items():
        path, fields, _ = write("ids", schema, rows=10)
        arrow = pq.read_schema(path)
        found = ids_found([arrow.field(i) for i in range(len(arrow))])
        assert found == ids_wanted(fields), f"{name}: {found}"


def check_restored_types():
    """What Parquet has no type for comes back through the Arrow schema in the footer."""
    path, _, _ = write("restored", "u0 duration_s, u1 duration_ms, u2 duration, u3 duration_ns, "
                       "tz timestamptz, l list<duration>, id uuid, n unknown", rows=10)
    schema = pq.read_schema(path)
    for name, unit in (("u0", "s"), ("u1", "ms"), ("u2", "us"), ("u3", "ns")):
        assert schema.field(name).type == pa.duration(unit), schema.field(name)
    assert schema.field("l").type.value_type == pa.duration("us")
    assert schema.field("tz").type == pa.timestamp("us", "UTC")
    assert schema.field("id").type == pa.uuid(), schema.field("id")
    assert schema.field("n").type == pa.null()


# ---- Statistics ---------------------------------------------------------------------------------

def float_of(bits, double):
    return struct.unpack("<d" if double else "<f", struct.pack("<Q" if double else "<I", bits))[0]


def bounds_wanted(field, values):
    """(least, greatest) as PyArrow gives raw bounds, or None; NaN is the string 'nan' by now."""
    present = [v for v in values if v is not None]
    kind = field["type"]
    if not present or "nan" in present or kind in ("interval", "unknown"):
        return None
    if kind in ("float", "double"):
        numbers = [float_of(v, kind == "double") for v in present]
        return min(numbers), max(numbers)
    if kind in ("binary", "uuid") or kind.startswith("fixed"):
        present = [bytes.fromhex(v) for v in present]
    if kind == "string":
        present = [v.encode() for v in present]
    if kind.startswith("time"):
        unit = [10**6, 10**6, 10**3, 1][field["unit"]]  # seconds are milliseconds in the file
        present = [v // unit for v in present]
    if kind.startswith("duration"):
        present = [v // [10**9, 10**6, 10**3, 1][field["unit"]] for v in present]
    return min(present), max(present)


def as_unsigned(field, value):
    bits = {"uint8": 32, "uint16": 32, "uint32": 32, "uint64": 64}.get(field["type"])
    return value % (1 << bits) if bits and isinstance(value, int) else value


def as_decimal(field, value):
    if field["type"].startswith("decimal") and isinstance(value, bytes):
        return int.from_bytes(value, "big", signed=True)
    return value


def check_cut(field, want, statistics, exact):
    """Long strings: bounds hold, are short, and say that they are not exact."""
    low, high = want
    assert statistics.has_min_max or high[:BOUND_BYTES] == b"\xff" * BOUND_BYTES or \
        field["type"] == "string", "a missing bound where one was possible"
    if not statistics.has_min_max:
        return
    least, greatest = statistics.min_raw, statistics.max_raw
    assert len(least) <= BOUND_BYTES and len(greatest) <= BOUND_BYTES
    assert least <= low and greatest >= high, f"{field['name']}: bounds do not bound"
    assert low.startswith(least)
    assert exact == (least == low, greatest == high), (field["name"], exact)
    if field["type"] == "string":
        least.decode(), greatest.decode()


def check_statistics(path, fields, columns):
    metadata = pq.read_metadata(path)
    exact = {(g, c): (low, high) for g, c, low, high in duckdb.sql(
        "SELECT row_group_id, column_id, min_is_exact, max_is_exact "
        f"FROM parquet_metadata('{path}')").fetchall()}
    start = checked = 0
    for g in range(metadata.num_row_groups):
        group = metadata.row_group(g)
        for i, field in enumerate(fields):
            values = columns[i][start:start + group.num_rows]
            chunk = group.column(i)
            statistics = chunk.statistics
            where = f"row group {g}, {field['name']} ({field['type']})"
            assert statistics.null_count == sum(v is None for v in values), where
            distinct = len({json.dumps(v) for v in values if v is not None})
            assert statistics.distinct_count in (None, distinct), where
            want = bounds_wanted(field, values)
            if want is None:
                assert not statistics.has_min_max, where
            elif isinstance(want[0], bytes) and max(map(len, want)) > BOUND_BYTES:
                check_cut(field, want, statistics, exact[g, i])
            else:
                assert statistics.has_min_max, where
                found = statistics.min_raw, statistics.max_raw
                found = tuple(as_decimal(field, as_unsigned(field, v)) for v in found)
                assert found == want, f"{where}: expected {want} but found {found}"
                if want[0] == 0 and isinstance(want[0], float):
                    assert str(found[0]) == "-0.0", where
                if want[1] == 0 and isinstance(want[1], float):
                    assert str(found[1]) == "0.0", where
                assert exact[g, i] == (True, True), where
            checked += 1
        start += group.num_rows
    assert start == metadata.num_rows
    return checked


def check_all_statistics():
    checked = 0
    for seed, settings in enumerate([
            dict(rows=3000, group=700, nulls=20, distinct=40), dict(rows=500, nulls=0, distinct=0),
            dict(rows=500, nulls=95, distinct=0, group=50), dict(rows=40, nulls=100),
            dict(rows=400, text=300, nulls=10, group=20, distinct=0),
            dict(rows=300, distinct=1, group=30), dict(rows=300, distinct=2, group=3, nulls=60)]):
        for name in ("flat", "nanos", "durations", "interval"):
            checked += check_statistics(*write("stats", SCHEMAS[name], seed=seed + 5, **settings))
    return checked


# ---- Everything else in the footer --------------------------------------------------------------

def check_chunks(codec):
    path, _, _ = write("chunks", FLAT + ", m list<map<string, int>>", rows=6000, group=2500,
                       distinct=30, codec=codec, page=2000, seed=3)
    metadata = pq.read_metadata(path)
    assert metadata.created_by.startswith("stoa version ")
    assert metadata.metadata[b"made by"] == b"tool_write"
    assert metadata.metadata["quote \" and é".encode()] == b"a\nb"
    assert [metadata.row_group(g).num_rows for g in range(3)] == [2500, 2500, 1000]
    position, dictionaries = 4, 0
    for g in range(3):
        group = metadata.row_group(g)
        total = 0
        for c in range(metadata.num_columns):
            chunk = group.column(c)
            allowed = {codec.upper().replace("NONE", "UNCOMPRESSED").replace("LZ4_RAW", "LZ4"),
                       "UNCOMPRESSED", "LZ4_RAW" if codec == "lz4_raw" else "UNCOMPRESSED"}
            assert chunk.compression in allowed, chunk.compression
            begin = chunk.data_page_offset
            if chunk.has_dictionary_page:
                begin = chunk.dictionary_page_offset
                dictionaries += 1
                assert chunk.encodings == ("PLAIN", "RLE", "RLE_DICTIONARY")
            else:
                assert chunk.encodings == ("PLAIN", "RLE")
            assert begin == position, "chunks follow each other without a gap"
            position += chunk.total_compressed_size
            total += chunk.total_uncompressed_size
        assert group.total_byte_size == total
    assert dictionaries > 20
    pages = duckdb.sql(f"SELECT sum(num_values) FROM parquet_metadata('{path}') "
                       "WHERE path_in_schema NOT LIKE 'm,%'").fetchone()[0]
    assert pages == 6000 * (metadata.num_columns - 2), pages


def page_bodies(path):
    """The bytes of all pages without their headers, which have no checksum."""
    described = json.loads(oracle.run(TOOL, "describe", path, "pages"))
    out = set()
    for group in described["row_groups"]:
        for page in (p for column in group["columns"] for p in column["pages"]):
            begin = page["offset"] + page["header_bytes"]
            out.update(range(begin, begin + page["compressed_bytes"]))
    return out


def check_broken_bytes():
    """Every byte before the footer changed in turn: `verify` says where, if it is in a page's body;
    most changes of headers and of the page index are found too, but for bounds that became wider."""
    path, _, _ = write("crc", "a long not null, s string", rows=50, nulls=10, seed=4)
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    broken, bodies, unnoticed = oracle.TMP / "broken.parquet", page_bodies(path), []
    assert len(bodies) > footer / 2
    for at in range(footer):
        broken.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:])
        done = subprocess.run([TOOL, "verify", broken], capture_output=True)
        if done.returncode == 0:
            unnoticed.append(at)
        else:
            assert done.returncode == 7, f"byte {at}: {done.returncode} {done.stderr}"
            assert at < 4 or b"row group 0, column" in done.stderr, done.stderr
    assert not bodies.intersection(unnoticed), unnoticed
    assert len(unnoticed) < 16, unnoticed


def main():
    check_field_ids()
    check_restored_types()
    checked = check_all_statistics()
    for codec in ("none", "snappy", "gzip", "zstd", "lz4_raw"):
        check_chunks(codec)
    check_broken_bytes()
    path, _, _ = write("nested", NESTED, rows=10)
    assert len(pq.read_schema(path)) == 7
    print(f"{checked} chunks' statistics agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
