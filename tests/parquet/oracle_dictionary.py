"""Strings and binaries that are asked for dictionary-encoded have PyArrow's values, whatever a chunk's pages
are: all codes, codes and then values (a dictionary that grew too large), or values alone."""
import itertools
import random
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import oracle

TOOL = oracle.tool("tool_parquet_read")
ROWS = 4000
WAYS = [[], ["batch=77"], ["threads=2"], ["threads=3", "batch=300"], ["rows=5+10,990+1500,3500+7"]]


def table(nulls, different):
    choice = random.Random(different * 100 + nulls)

    def text():
        return "" if choice.random() < 0.05 else f"value {choice.randrange(different)}" * choice.randrange(3)

    def some(make):
        return [None if choice.randrange(100) < nulls else make() for _ in range(ROWS)]

    def items(make):
        return lambda: some_of(make)

    def some_of(make):
        return [None if choice.randrange(100) < nulls else make() for _ in range(choice.randrange(4))]

    pairs = pa.map_(pa.string(), pa.string())
    return pa.table({
        "n": pa.array(range(ROWS), pa.int64()),
        "s": pa.array(some(text), pa.string()),
        "b": pa.array(some(lambda: text().encode()), pa.binary()),
        "l": pa.array(some(items(text)), pa.list_(pa.string())),
        "t": pa.array(some(lambda: {"x": text(), "y": 1}), pa.struct([("x", pa.string()),
                                                                      ("y", pa.int32())])),
        "m": pa.array(some(lambda: [(f"k{i}", text()) for i in range(choice.randrange(3))]), pairs),
        "d": pa.array(some(lambda: choice.randrange(9)), pa.int64()),
    })


def encoded(kind):
    """The type as it is to come."""
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return pa.dictionary(pa.int32(), kind)
    if pa.types.is_map(kind):
        return pa.map_(encoded(kind.key_type), encoded(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(encoded(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(kind.field(i).name, encoded(kind.field(i).type))
                          for i in range(kind.num_fields)])
    return kind


def same_shape(found, wanted):
    """Types but for the names of items and their metadata."""
    if found.num_fields != wanted.num_fields or found.id != wanted.id:
        return False
    if pa.types.is_dictionary(found):
        return found.index_type == wanted.index_type and found.value_type == wanted.value_type
    return all(same_shape(found.field(i).type, wanted.field(i).type) for i in range(found.num_fields))


def check(path, out, rows, words):
    done = subprocess.run([TOOL, path, out, "dictionary", *words], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, f"{words}: {done.returncode}: {done.stderr}"
    with pa.ipc.open_stream(out) as stream:
        batches = list(stream)
    found = pa.Table.from_batches(batches)
    for batch in batches:
        batch.validate(full=True)
    if words and words[0].startswith("rows="):
        ranges = [tuple(map(int, part.split("+"))) for part in words[0][5:].split(",")]
        rows = pa.concat_tables([rows.slice(*part) for part in ranges])
    for name in rows.column_names:
        assert same_shape(found[name].type, encoded(rows[name].type)), f"{name}: {found[name].type}"
        assert found[name].to_pylist() == rows[name].to_pylist(), f"{words} {name}"
    return found


def main():
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        path, out = f"{folder}/in.parquet", f"{folder}/out.arrows"
        kinds = {"codes": {}, "grown": {"dictionary_pagesize_limit": 600, "data_page_size": 500,
                                        "write_batch_size": 50},
                 "values": {"use_dictionary": False}}
        for nulls, different, version in itertools.product((0, 30, 100), (5, 3000), ("1.0", "2.0")):
            rows = table(nulls, different)
            for kind, options in kinds.items():
                pq.write_table(rows, path, row_group_size=1700, data_page_version=version, **options)
                for words in WAYS:
                    found = check(path, out, rows, words)
                    count += 1
                if kind == "codes" and nulls == 0 and different == 5:
                    assert all(len(chunk.dictionary) <= 15 for chunk in found["s"].chunks)
    print(f"{count} reads")


main()
