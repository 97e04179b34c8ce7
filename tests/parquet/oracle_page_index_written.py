"""The page indexes, statistics and bloom filters that we write, page by page against the rows: decoded
by an independent decoder, compared with bounds computed anew; and used by PyArrow, DuckDB and Polars."""
import json
import pathlib
import struct
import sys

import oracle

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import duckdb
import polars
import pyarrow.parquet as pq

import parquet_thrift as thrift
from oracle_readers import FLAT, INTERVAL, NANOS, NESTED, NESTED_REQUIRED, REQUIRED

TOOL = oracle.tool("tool_parquet_write")
BOUND_BYTES = 64
SECONDS = 0
ASCENDING, DESCENDING, UNORDERED = 1, 2, 0


def write(name, schema, **settings):
    path = oracle.TMP / f"{name}.parquet"
    lines = oracle.run(TOOL, path, schema, *(f"{k}={v}" for k, v in settings.items())).splitlines()
    return path, json.loads(lines[0]), [json.loads(line) for line in lines[1:]]


# ---- Leaves and their values --------------------------------------------------------------------

def leaf_readers(field):
    """(leaf field, function that lists its values in a value of `field`), depth first."""
    kind, children = field["type"], field["children"]
    if not children:
        return [(field, lambda value: [value])]
    out = []
    for i, child in enumerate(children):
        for leaf, read in leaf_readers(child):
            def walk(value, i=i, read=read):
                if value is None:
                    return [None]
                if kind == "struct":
                    return read(value[i])
                items = [item[i] if kind == "map" else item for item in value]
                return [v for item in items for v in read(item)] or [None]
            out.append((leaf, walk))
    return out


def key_of(leaf, value):
    """A value as something that Python orders as Parquet does; None for NaN."""
    kind = leaf["type"]
    if kind in ("float", "double"):
        number = struct.unpack("<d" if kind == "double" else "<f",
                               struct.pack("<Q" if kind == "double" else "<I", value))[0]
        return None if number != number else number
    if kind == "string":
        return value.encode()
    if isinstance(value, str):
        return bytes.fromhex(value)
    if kind.startswith("timestamp") and leaf["unit"] == SECONDS:
        return value * 1000
    return value


def bound_key(leaf, physical, data):
    """A bound's bytes in the same order."""
    kind = leaf["type"]
    if kind in ("float", "double"):
        return struct.unpack("<d" if kind == "double" else "<f", data)[0]
    if kind.startswith("decimal") and physical == 7:
        return int.from_bytes(data, "big", signed=True)
    if physical in (0, 1, 2):
        return int.from_bytes(data, "little", signed=not kind.startswith("uint") and physical > 0)
    return data


# ---- Pages --------------------------------------------------------------------------------------

def data_pages(data, chunk):
    """(offset, bytes with header) of the chunk's data pages, from their headers."""
    meta = chunk[3]
    place = min(meta[9], meta.get(11, meta[9]))
    end = place + meta[7]
    while place < end:
        header, body = thrift.at(data, place)
        if header[1] in (0, 3):
            yield place, body + header[3] - place
        place = body + header[3]


def expected_bounds(leaf, values):
    """Whether a page has bounds, least and greatest of its values."""
    keys = [key_of(leaf, v) for v in values if v is not None]
    if leaf["type"] == "interval" or not keys or None in keys:  # None: NaN
        return None
    if leaf["type"] == "binary" and max(keys)[:BOUND_BYTES] == b"\xff" * BOUND_BYTES and \
            len(max(keys)) > BOUND_BYTES:
        return None
    if leaf["type"] == "string":
        start = max(keys)[:BOUND_BYTES].decode(errors="ignore")
        if len(max(keys)) > BOUND_BYTES and not start.rstrip("\U0010ffff"):
            return None
    return min(keys), max(keys)


def check_bounds(where, leaf, physical, bounds, want):
    low, high = (bound_key(leaf, physical, b) for b in bounds)
    assert low <= want[0] and high >= want[1], f"{where}: {bounds} do not hold {want}"
    if isinstance(want[0], bytes) and len(want[0]) > BOUND_BYTES:
        assert want[0].startswith(low) and len(low) > BOUND_BYTES - 4, f"{where}: {bounds} {want}"
    else:
        assert low == want[0], f"{where}: {low} {want[0]}"
    if not isinstance(want[1], bytes) or len(want[1]) <= BOUND_BYTES:
        others = isinstance(want[1], bytes) and len(high) > 0 and high != want[1]
        assert not others, f"{where}: {high} {want[1]}"
    if low == 0 and leaf["type"] in ("float", "double"):
        assert struct.pack("<d", low) == struct.pack("<d", -0.0), f"{where}: a zero below is -0.0"
    if high == 0 and leaf["type"] in ("float", "double"):
        assert struct.pack("<d", high) == struct.pack("<d", 0.0), f"{where}: a zero above is 0.0"


def check_order(where, leaf, physical, columns):
    pages = [[bound_key(leaf, physical, columns[i][p]) for i in (2, 3)]
             for p in range(len(columns[1])) if not columns[1][p]]
    pairs = [(a, b) for before, now in zip(pages, pages[1:]) for a, b in zip(before, now)]
    want = (ASCENDING if all(a <= b for a, b in pairs)
            else DESCENDING if all(a >= b for a, b in pairs) else UNORDERED)
    assert columns[4] == want, f"{where}: boundary order {columns[4]}, expected {want}"
    return want


def check_chunk(where, data, leaf, element, chunk, offsets, columns, rows):
    """`rows` holds a list of the leaf's values for every row of the group."""
    physical = element[1]
    found = [(p[1], p[2]) for p in offsets[1]]
    assert found == list(data_pages(data, chunk)), f"{where}: {found}"
    starts = [p[3] for p in offsets[1]] + [len(rows)]
    assert starts[0] == 0 and sorted(set(starts)) == starts, f"{where}: rows {starts}"
    pages = [[v for row in rows[a:b] for v in row] for a, b in zip(starts, starts[1:])]
    everything = [v for page in pages for v in page if v is not None]
    if physical == 6:
        sizes = [sum(len(key_of(leaf, v)) for v in page if v is not None) for page in pages]
        assert offsets.get(2, [0] * len(pages)) == sizes, f"{where}: {offsets.get(2)} {sizes}"
        assert chunk[3][16][1] == sum(sizes)
    stats = chunk[3][12]
    if 4 in stats:
        assert stats[4] == len({json.dumps(v) for v in everything}), f"{where}: distinct {stats[4]}"
    wanted = [expected_bounds(leaf, page) for page in pages]
    nulls = [all(v is None for v in page) for page in pages]
    has_index = leaf["type"] != "unknown" and all(w or n for w, n in zip(wanted, nulls))
    assert has_index == (columns is not None), f"{where}: column index {columns is not None}"
    if columns is None:
        return UNORDERED
    assert columns[1] == nulls, f"{where}: {columns[1]} {nulls}"
    assert columns[5] == [sum(v is None for v in page) for page in pages], f"{where}: {columns[5]}"
    for page, want in enumerate(wanted):
        bounds = columns[2][page], columns[3][page]
        if want is None:
            assert bounds == (b"", b""), f"{where}: a page of nulls has bounds {bounds}"
        else:
            check_bounds(f"{where} page {page}", leaf, physical, bounds, want)
    return check_order(where, leaf, physical, columns)


def check_written(name, schema, **settings):
    path, fields, rows = write(name, schema, **settings)
    data = path.read_bytes()
    file = thrift.footer(data)
    elements = thrift.leaves(file[2])
    leaves = [(i, leaf, read) for i, field in enumerate(fields)
              for leaf, read in leaf_readers(field)]
    assert len(file[7]) == len(leaves) and all(order == {1: {}} for order in file[7])
    orders, first, places = [], 0, []
    for group, c, row_group, chunk, offsets, columns in thrift.chunks(data):
        first = sum(g[3] for g in file[4][:group])
        column, leaf, read = leaves[c]
        values = [read(row[column]) for row in rows[first:first + row_group[3]]]
        where = f"{name} {settings} group {group} column {leaf['name']}"
        orders.append(check_chunk(where, data, leaf, elements[c][0], chunk, offsets, columns,
                                  values))
        places += [(6, chunk[i], chunk[i + 1]) for i in (6,) if i in chunk]
        places += [(4, chunk[4], chunk[5])]
    check_places(data, file, places)
    meta = pq.ParquetFile(path).metadata
    for g in range(meta.num_row_groups):
        for c in range(meta.num_columns):
            assert meta.row_group(g).column(c).has_offset_index
    return orders


def check_places(data, file, places):
    """Column indexes of all chunks, then offset indexes of all, fill the bytes before the footer."""
    wanted = sorted(places, key=lambda p: (-p[0], p[1]))
    at = wanted[0][1] if wanted else 0
    for _, offset, size in wanted:
        assert offset == at, f"{places}"
        at += size
    if wanted:
        assert at == len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]


def check_pages():
    orders = []
    for number, (name, schema) in enumerate([
            ("flat", FLAT), ("required", REQUIRED), ("nanos", NANOS), ("interval", INTERVAL),
            ("nested", NESTED), ("nested_required", NESTED_REQUIRED)]):
        for case, (nulls, distinct, text, is_sorted) in enumerate([
                (0, 0, 20, 0), (20, 30, 200, 0), (99, 2, 100, 0), (100, 0, 5, 0), (5, 500, 3, 1),
                (0, 1, 90, 0)]):
            orders += check_written(name, schema, rows=900, group=400, page=300, nulls=nulls,
                                    distinct=distinct, text=text, sorted=is_sorted, batch=170,
                                    items=3, seed=number * 10 + case,
                                    modern=int((number + case) % 2))
    assert orders.count(ASCENDING) > 50 and orders.count(UNORDERED) > 50
    check_written("empty", "a int, b string", rows=0)
    check_written("one", FLAT, rows=1)


# ---- Others use them ----------------------------------------------------------------------------

def sql_value(value):
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def check_duckdb_blooms():
    """DuckDB's reader finds every value in every filter of its row group, and few that are not."""
    schema = "a int, b long, c string, d double, e float, g binary"
    path, _, rows = write("bloom", schema, rows=6000, group=2000, distinct=1500, text=30, nulls=10,
                          bloom=1, seed=5)
    table = pq.read_table(path)
    assert len(duckdb.sql(f"SELECT * FROM parquet_metadata('{path}') WHERE bloom_filter_offset > 0 "
                          "AND bloom_filter_length > 0").fetchall()) == 18
    wrong = asked = 0
    for name in "abcde":
        for group in range(3):
            values = {v for v in table[name][group * 2000:group * 2000 + 2000].to_pylist()
                      if v is not None and v == v and abs(hash(v)) != float("inf")}
            values = [v for v in values if not isinstance(v, float) or abs(v) < 1e300][:12]
            for value in values:
                kind = {"a": "INT", "b": "BIGINT", "c": "VARCHAR", "d": "DOUBLE", "e": "FLOAT"}[name]
                found = duckdb.execute(
                    f"SELECT row_group_id, bloom_filter_excludes FROM "
                    f"parquet_bloom_probe('{path}', '{name}', ?::{kind})", [value]).fetchall()
                assert len(found) == 3
                assert not found[group][1], f"{name} {group}: {value} is excluded"
        for i in range(40):
            absent = f"absent {i}" if name == "c" else 123456 + i
            found = duckdb.execute("SELECT bloom_filter_excludes FROM "
                                   f"parquet_bloom_probe('{path}', '{name}', ?)",
                                   [absent]).fetchall()
            asked += len(found)
            wrong += sum(not excluded for excluded, in found)
    assert wrong < asked / 20, f"{wrong} of {asked} absent values are not excluded"


def check_filters():
    """Rows by predicate are the same with what we wrote to skip by."""
    path, fields, rows = write("filter", "a long, s string", rows=20000, group=6000, page=1000,
                               sorted=1, bloom=1, batch=20000)
    want = [row[0] for row in rows if row[0] is not None and 3000 <= row[0] < 3010]
    assert want
    frame = polars.scan_parquet(path).filter((polars.col("a") >= 3000) & (polars.col("a") < 3010))
    assert sorted(frame.collect()["a"].to_list()) == sorted(want)
    table = pq.read_table(path, filters=[("a", ">=", 3000), ("a", "<", 3010)])
    assert sorted(table["a"].to_pylist()) == sorted(want)
    found = duckdb.sql(f"SELECT a FROM '{path}' WHERE a >= 3000 AND a < 3010").fetchall()
    assert sorted(a for a, in found) == sorted(want)
    one = duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE a = {want[0]}").fetchone()[0]
    assert one == sum(row[0] == want[0] for row in rows)


def main():
    check_pages()
    check_duckdb_blooms()
    check_filters()


if __name__ == "__main__":
    main()
