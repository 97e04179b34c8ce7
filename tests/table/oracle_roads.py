"""The two roads out of a table of Parquet files give the same: our reader (a scan) and the engine's
(SQL), over what many writers wrote; and the scan gives what PyArrow reads in the writer's file."""
import sys

import oracle

sys.dont_write_bytecode = True
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

CORPUS = oracle.shared("corpora/parquet-writers")

# Files that PyArrow does not read as what they are, and why; the two roads are compared all the same.
NOT_BY_PYARROW = {
    "duckdb/extra_types.parquet": "intervals are 12 bytes to it",
    "duckdb/flat_zstd_v2.parquet": "it refuses pages that DuckDB left uncompressed",
    "pyarrow/odd_names.parquet": "names that schemas of ours do not have are given others",
}
# What a load refuses, and the words that say why.
REFUSED = {"pyarrow/decimal256.parquet": "at most 38 digits"}


def as_engine(kind):
    """The type in which SQL gives a column that a scan gives as `kind`."""
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind) and (kind.tz is not None or kind.unit in ("s", "ms")):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time32(kind):
        return pa.time64("us")
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_null(kind):
        return pa.int32()
    if pa.types.is_list(kind):
        return pa.list_(as_engine(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(as_engine(kind.key_type), as_engine(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, as_engine(f.type)) for f in kind])
    return kind


def plain(kind):
    """Without requiredness, metadata and names of items, which writers choose."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, plain(f.type)) for f in kind])
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if isinstance(kind, pa.ExtensionType):
        return kind.storage_type
    return kind


def values(column, kind):
    """As Python has them, times as numbers; by their texts, so that NaN equals itself and -0.0 does not
    equal 0."""
    if isinstance(column.type, pa.ExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
    if column.type != kind:
        column = column.cast(kind, safe=False)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    return [repr(v) for v in column.to_pylist()]


def check(path):
    name = str(path.relative_to(CORPUS))
    db = oracle.TMP / "roads.stoa"
    scan, sql = oracle.TMP / "scan.arrow", oracle.TMP / "sql.arrow"
    table = name.replace("/", " ").removesuffix(".parquet")
    if name in REFUSED:
        try:
            oracle.stoa("load", db, table, path, "--quiet")
        except AssertionError as error:
            assert REFUSED[name] in str(error), error
            return
        raise AssertionError(f"{name}: expected a refusal")
    oracle.stoa("load", db, table, path, "--quiet")
    oracle.stoa("export", db, table, "-o", scan, "--quiet")
    oracle.stoa("export", db, f'select * from "{table}"', "-o", sql, "--quiet")
    left, right = feather.read_table(scan), feather.read_table(sql)
    wrote = left if name in NOT_BY_PYARROW else pq.read_table(path)
    assert left.column_names == right.column_names == wrote.column_names, name
    for column in left.column_names:
        kind = as_engine(plain(left[column].type))
        found = plain(right[column].type)
        if len(left) == 0:
            kind = found  # a table without rows has no files for the engine
        assert found == kind, f"{name}: column {column}: {found} by SQL, {kind} by a scan"
        assert values(left[column], kind) == values(right[column], kind), f"{name}: {column}"
        kind = plain(wrote[column].type)
        assert values(left[column], kind) == values(wrote[column], kind), f"{name}: {column}: PyArrow"


def main():
    failed, files = [], sorted(CORPUS.glob("*/**/*.parquet"))
    for path in files:
        try:
            check(path)
        except Exception as error:
            failed.append(f"{path.relative_to(CORPUS)}: {error}")
    print(f"{len(files) - len(failed)} of {len(files)} files: the same by both roads")
    if failed:
        print("\n".join(failed))
        sys.exit(1)


main()
