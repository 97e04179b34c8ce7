"""Page indexes, bloom filters, statistics and orders in files of other writers, as our reader finds them,
against an independent decoder of the same bytes; bloom filters also against the values. What our
writer makes of them is for oracle_page_index_written.py."""
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

import parquet_thrift as thrift

TOOL = oracle.tool("tool_parquet_page_index")
TESTING = oracle.shared("corpora/parquet-testing/data")
WRITERS = oracle.shared("corpora/parquet-writers")
# A schema that is not one tree; a codec's files are refused elsewhere, not here.
NOT_READ = {"incorrect_map_schema.parquet"}


def ask(path, *values):
    done = subprocess.run([TOOL, path, *(v.hex() for v in values)], capture_output=True, text=True)
    assert done.returncode == 0, f"{path}: {done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def wanted(data, group, leaf, row_group, chunk, offsets, columns):
    """What the tool should print, bloom filters aside."""
    meta = chunk[3]
    out = {"group": group, "leaf": leaf, "sizes": meta.get(16, {}).get(1, -1),
           "metadata": len(meta.get(8, [])),
           "encoding_counts": [[i[1], i[2], i[3]] for i in meta.get(13, [])],
           "sorting": [[i[1], i[2], i[3]] for i in row_group.get(4, [])]}
    if 12 in meta:
        stats = meta[12]
        out |= {"null_count": stats.get(3, -1), "distinct_count": stats.get(4, -1),
                "nan_count": stats.get(9, -1)}
    if offsets is not None:
        out["locations"] = [[p[1], p[2], p[3]] for p in offsets[1]]
        if 2 in offsets:
            out["byte_array_bytes"] = offsets[2]
    if columns is not None and min(columns.get(5, [0]), default=0) >= 0:
        out |= {"all_null": columns[1], "min": [b.hex() for b in columns[2]],
                "max": [b.hex() for b in columns[3]], "boundary_order": columns[4]}
        for key, name in ((5, "null_counts"), (8, "nan_counts")):
            if key in columns:
                out[name] = columns[key]
    return out


def bounds_wanted(file, leaf, meta):
    """Bounds in hex and whether they have an order, by the format's words."""
    stats = meta[12]
    element = thrift.leaves(file[2])[leaf][0]
    order = file.get(7, [{}] * (leaf + 1))[leaf]
    unsigned = 10 in element and element[10].get(10, {}).get(2) is False
    unsigned = unsigned or 11 <= element.get(6, -1) <= 14
    new = stats.get(6), stats.get(5)
    if new == (None, None) and element[1] in (1, 2, 4, 5) and not unsigned:
        old = stats.get(2), stats.get(1)
        if old != (None, None):
            return [b and b.hex() for b in old], True
    return [b if b is None else b.hex() for b in new], 1 in order


def check_file(path):
    data = path.read_bytes()
    file = thrift.footer(data)
    found = {(line["group"], line["leaf"]): line for line in ask(path)}
    indexes = 0
    for group, leaf, row_group, chunk, offsets, columns in thrift.chunks(data):
        line = found.pop((group, leaf))
        bounds = [line.pop("chunk_min", None), line.pop("chunk_max", None)]
        ordered = line.pop("ordered", None)
        line.pop("bloom_blocks", None)
        line.pop("bloom_has", None)
        want = wanted(data, group, leaf, row_group, chunk, offsets, columns)
        assert line == want, f"{path} {group} {leaf}:\n{line}\n{want}"
        if 12 in chunk[3]:
            want = bounds_wanted(file, leaf, chunk[3])
            assert (bounds, ordered) == want, f"{path} {group} {leaf}: {bounds} {ordered} {want}"
        indexes += (offsets is not None) + (columns is not None)
    assert not found
    return indexes


def check_corpora():
    files = sorted(TESTING.glob("**/*.parquet")) + sorted(WRITERS.glob("**/*.parquet"))
    indexes = sum(check_file(path) for path in files if path.name not in NOT_READ)
    print(f"{len(files)} files, {indexes} indexes")
    assert indexes > 200


# ---- Bloom filters ------------------------------------------------------------------------------

def plain(value, kind):
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return value.encode() if isinstance(value, str) else value
    return struct.pack({pa.int32(): "<i", pa.int64(): "<q", pa.float32(): "<f",
                        pa.float64(): "<d"}[kind], value)


def check_bloom(path, absent):
    """Every value of a chunk is in its filter, and few of those in `absent` are."""
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    filters = 0
    for g in range(file.num_row_groups):
        table = file.read_row_group(g)
        for c, name in enumerate(schema.names):
            kind = schema.field(c).type
            try:
                values = [plain(v, kind) for v in table[name].to_pylist() if v is not None]
            except KeyError:
                continue
            others = [plain(v, kind) for v in absent(kind)]
            line = next(i for i in ask(path, *values[:2000], *others)
                        if (i["group"], i["leaf"]) == (g, c))
            if "bloom_has" not in line:
                continue
            filters += 1
            has = line["bloom_has"]
            assert all(has[:len(values[:2000])]), f"{path} {g} {name}: a value is missing"
            wrong = sum(has[len(values[:2000]):])
            assert wrong < len(others) / 10, f"{path} {g} {name}: {wrong} of {len(others)} others"
    return filters


def absent_values(kind):
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return [f"absent {i}" for i in range(200)]
    return range(10**6, 10**6 + 200)


def check_blooms():
    for name in ("data_index_bloom_encoding_stats", "data_index_bloom_encoding_with_length"):
        assert check_bloom(TESTING / f"{name}.parquet", absent_values) == 1
    path = oracle.TMP / "duckdb.parquet"
    duckdb.execute(f"""COPY (SELECT (i * 7 % 5000)::INT a, (i % 3000)::BIGINT b,
        'v' || (i % 2000) AS c, (i % 1000)::DOUBLE d, (i % 900)::FLOAT e FROM range(20000) t(i))
        TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 10000, DICTIONARY_SIZE_LIMIT 100000)""")
    assert check_bloom(path, absent_values) >= 8


def main():
    check_corpora()
    check_blooms()


if __name__ == "__main__":
    main()
