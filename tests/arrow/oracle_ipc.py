"""Arrow IPC against PyArrow and Polars.

They write, we read and write again in every format and compression, PyArrow reads what came out,
validates it in full and finds it equal. The corpora of the Arrow project follow: data of old
writers, and hostile bytes, which end in data or an error.
"""
import datetime
import decimal
import json
import math
import os
import random
import subprocess
import time

import pyarrow as pa
import pyarrow.ipc as ipc

import oracle

TOOL = oracle.tool("tool_arrow_ipc")
OUTPUTS = [[], ["lz4"], ["zstd"], ["file"], ["file", "lz4"], ["file", "zstd", "align=8"],
           ["align=8"], ["mapped"], ["rows=7"], ["file", "rows=3", "zstd"]]
counts = {"copied": 0, "corpus": 0, "hostile": 0, "random": 0}


def run(*arguments, stdin=None):
    return subprocess.run([str(TOOL), *map(str, arguments)], input=stdin, capture_output=True,
                          timeout=120)


def must_run(*arguments, stdin=None):
    done = run(*arguments, stdin=stdin)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr.decode())
    return done.stdout


def must_fail(status, text, *arguments, stdin=None):
    done = run(*arguments, stdin=stdin)
    message = done.stderr.decode()
    assert done.returncode == 1, (arguments, done.returncode, message)
    assert message.startswith(status + ": ") and text in message, (status, text, message)


def read_any(data):
    return (ipc.open_file(data) if data[:6] == b"ARROW1" else ipc.open_stream(data)).read_all()


def read_back(data):
    table = read_any(data)
    for batch in table.to_batches():
        batch.validate(full=True)
    return table


def same(left, right):
    """Equal schemas with metadata and equal values, NaN being equal to itself."""
    assert left.schema.equals(right.schema, check_metadata=True), f"{left.schema}\n{right.schema}"
    assert left.num_rows == right.num_rows, (left.num_rows, right.num_rows)
    if left.equals(right):
        return
    for name, a, b in zip(left.schema.names, left.columns, right.columns):
        if not a.equals(b):
            assert repr(a.to_pylist()) == repr(b.to_pylist()), f"{name}: {a}\n{b}"


def check(path, expected, outputs=OUTPUTS):
    """Copies the file at `path` in every way; each copy holds `expected`."""
    for options in outputs:
        out = oracle.TMP / "copy.arrow"
        must_run("copy", path, out, *options)
        same(read_back(out.read_bytes()), expected)
        counts["copied"] += 1
    through_pipes = must_run("copy", "-", "-", "file", stdin=path.read_bytes())
    same(read_back(through_pipes), expected)


def write(table, name, kind="stream", batch_rows=None, **options):
    path = oracle.TMP / name
    opener = ipc.new_stream if kind == "stream" else ipc.new_file
    with pa.OSFile(str(path), "wb") as sink:
        with opener(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
            writer.write_table(table, max_chunksize=batch_rows)
    return path


def sprinkle(values, rng, nulls=0.2):
    return [None if rng.random() < nulls else value for value in values]


def all_types(rows, seed):
    rng = random.Random(seed)
    day = datetime.date(1970, 1, 1)

    def ints(bits, signed):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return [rng.choice([low, high, rng.randint(low, high)]) for _ in range(rows)]

    def texts():
        return [rng.choice(["", "a", "naïve", "ξ" * 9, "long enough for a view " * 3, "\x00"])
                for _ in range(rows)]

    def blobs():
        return [rng.randbytes(rng.choice([0, 1, 11, 12, 13, 70])) for _ in range(rows)]

    def column(values, kind):
        return pa.array(sprinkle(values, rng), kind)

    small = [rng.randint(0, 80000) for _ in range(rows)]
    columns = {
        "null": pa.nulls(rows),
        "bool": column([rng.random() < 0.5 for _ in range(rows)], pa.bool_()),
        "f16": pa.array([rng.random() for _ in range(rows)], pa.float32()).cast(pa.float16()),
        "f32": column([rng.choice([0.0, -0.0, math.inf, math.nan, 1.5]) for _ in range(rows)],
                      pa.float32()),
        "f64": column([rng.choice([0.0, -0.0, -math.inf, math.nan, 1e300]) for _ in range(rows)],
                      pa.float64()),
        "date32": column([day + datetime.timedelta(days=value) for value in small], pa.date32()),
        "date64": column([day + datetime.timedelta(days=value) for value in small], pa.date64()),
        "time32s": column(small, pa.time32("s")), "time32ms": column(small, pa.time32("ms")),
        "time64us": column(small, pa.time64("us")), "time64ns": column(small, pa.time64("ns")),
        "months": pa.array(sprinkle([(1, 2, value) for value in small], rng),
                           pa.month_day_nano_interval()),
        "string": column(texts(), pa.string()), "large_string": column(texts(), pa.large_string()),
        "string_view": column(texts(), pa.string_view()),
        "binary": column(blobs(), pa.binary()), "large_binary": column(blobs(), pa.large_binary()),
        "binary_view": column(blobs(), pa.binary_view()),
        "fixed": column([rng.randbytes(5) for _ in range(rows)], pa.binary(5)),
        "uuid": column([rng.randbytes(16) for _ in range(rows)], pa.binary(16)),
        "list": column([list(range(rng.randint(0, 4))) for _ in range(rows)], pa.list_(pa.int32())),
        "large_list": column([["x"] * rng.randint(0, 3) for _ in range(rows)],
                             pa.large_list(pa.string())),
        "fixed_list": column([[1, None, 3]] * rows, pa.list_(pa.int8(), 3)),
        "struct": column([{"a": value, "b": [{"c": str(value)}]} for value in small],
                         pa.struct([pa.field("a", pa.int64()), pa.field("b", pa.list_(
                             pa.struct([pa.field("c", pa.string(), nullable=False)])))])),
        "map": column([[("k", 1), ("l", None)]] * rows, pa.map_(pa.string(), pa.int16())),
        "sorted_map": column([[(1, "v")]] * rows,
                             pa.map_(pa.int32(), pa.string(), keys_sorted=True)),
        "dictionary": column(texts(), pa.string()).dictionary_encode(),
        "ordered": pa.DictionaryArray.from_arrays(
            pa.array(sprinkle([value % 3 for value in small], rng), pa.uint8()),
            pa.array(["low", "mid", "high"]), ordered=True),
        "nested_dictionary": pa.ListArray.from_arrays(
            pa.array(range(rows + 1), pa.int32()),
            pa.array([str(value % 5) for value in small]).dictionary_encode()),
    }
    for bits in (8, 16, 32, 64):
        columns[f"i{bits}"] = column(ints(bits, True), getattr(pa, f"int{bits}")())
        columns[f"u{bits}"] = column(ints(bits, False), getattr(pa, f"uint{bits}")())
    for unit in ("s", "ms", "us", "ns"):
        columns[f"ts_{unit}"] = column(small, pa.timestamp(unit))
        columns[f"tz_{unit}"] = column(small, pa.timestamp(unit, "Europe/Athens"))
        columns[f"duration_{unit}"] = column(small, pa.duration(unit))
    for kind in (pa.decimal32(9, 2), pa.decimal64(18, 4), pa.decimal128(38, 10),
                 pa.decimal256(76, -3)):
        columns[str(kind)] = column([decimal.Decimal(value).scaleb(-2 if kind.scale > 0 else 3)
                                     for value in small], kind)
    return pa.table(columns)


def unions_and_runs():
    types = pa.array([0, 1, 0, 1], pa.int8())
    dense = pa.UnionArray.from_dense(types, pa.array([0, 0, 1, 1], pa.int32()),
                                     [pa.array([1, 2]), pa.array(["x", None])], ["n", "s"], [0, 1])
    sparse = pa.UnionArray.from_sparse(pa.array([5, 9, 5, 9], pa.int8()),
                                       [pa.array([1, 2, None, 4]), pa.array(list("abcd"))],
                                       ["n", "s"], [5, 9])
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, 3, 4], pa.int32()),
                                             pa.array(["a", None, "b"]))
    return pa.table({"dense": dense, "sparse": sparse, "runs": runs})


def check_every_type():
    for seed, rows in ((1, 0), (2, 1), (3, 64), (4, 300)):
        table = all_types(rows, seed)
        for kind in ("stream", "file"):
            for options in ({}, {"compression": "lz4"}, {"compression": "zstd"}):
                # One dictionary for all batches, which the file format needs.
                path = write(table, "in.arrow", kind, batch_rows=37, unify_dictionaries=True,
                             **options)
                check(path, table.unify_dictionaries(), OUTPUTS if rows == 300 else OUTPUTS[:6])
        check(write(table, "v4.arrow", metadata_version=ipc.MetadataVersion.V4), table,
              OUTPUTS[:2])
        check(write(table, "legacy.arrow", use_legacy_format=True), table, OUTPUTS[:2])
    table = unions_and_runs()
    check(write(table, "unions.arrow"), table, [[], ["file", "zstd"], ["mapped"]])
    check(write(table.slice(1, 2), "unions.arrow"), table.slice(1, 2), [[], ["rows=1"]])


def check_shapes():
    metadata = pa.schema([pa.field("a", pa.int32(), nullable=False, metadata={"k": "v", "": "x"}),
                          pa.field("d", pa.dictionary(pa.int8(), pa.string()),
                                   metadata={"unit": "m"})],
                         metadata={b"raw": b"\x00\xff", b"pandas": b"{}"})
    table = pa.table([pa.array([1, 2], pa.int32()), pa.array(["x", "x"]).dictionary_encode()
                      .cast(metadata.field("d").type)], schema=metadata)
    check(write(table, "metadata.arrow"), table)
    check(write(table.slice(1), "sliced.arrow", "file"), table.slice(1))
    check(write(table.slice(2), "empty.arrow", "file"), table.slice(2))
    check(write(table.schema.empty_table(), "none.arrow", "file"), table.schema.empty_table())
    no_columns = pa.RecordBatch.from_struct_array(pa.array([{}] * 5, pa.struct([])))
    path = write(pa.Table.from_batches([no_columns]), "zero.arrow")
    copy = oracle.TMP / "zero_copy.arrow"
    must_run("copy", path, copy)
    assert ipc.open_stream(copy.read_bytes()).read_next_batch().num_rows == 5
    extension = pa.table({"u": pa.array([bytes(16)], pa.binary(16)).cast(pa.uuid()
                          if hasattr(pa, "uuid") else pa.binary(16))})
    check(write(extension, "uuid.arrow"), extension)
    duplicate = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["same", "same"])
    check(write(duplicate, "duplicate.arrow"), duplicate)


def check_dictionaries():
    """Deltas and replacements, as PyArrow writes them and as we write them again."""
    def batches_of(*dictionaries):
        schema = pa.schema([("d", pa.dictionary(pa.int32(), pa.string()))])
        for values in dictionaries:
            column = pa.DictionaryArray.from_arrays(pa.array([0, None, len(values) - 1], pa.int32()),
                                                    pa.array(values))
            yield pa.record_batch([column], schema=schema)

    growing = list(batches_of(["a"], ["a", "b"], ["a", "b"], ["a", "b", "c", None]))
    changing = list(batches_of(["a"], ["b", "a"], ["c"], ["c", "d"]))
    for batches, kinds in ((growing, ("stream", "file")), (changing, ("stream",))):
        for kind in kinds:
            path = oracle.TMP / "dictionaries.arrow"
            options = ipc.IpcWriteOptions(emit_dictionary_deltas=True)
            with (ipc.new_stream if kind == "stream" else ipc.new_file)(
                    str(path), batches[0].schema, options=options) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            for options in ([], ["zstd"], ["mapped"]):
                copy = oracle.TMP / "copy.arrow"
                must_run("copy", path, copy, *options)
                found = [batch.column(0).to_pylist()
                         for batch in ipc.open_stream(copy.read_bytes())]
                assert found == [batch.column(0).to_pylist() for batch in batches], found
                counts["copied"] += 1
    messages = json.loads(must_run("describe", oracle.TMP / "copy.arrow"))["messages"]
    assert [message.get("delta") for message in messages] == \
        [False, None, False, None, False, None, True, None], messages
    must_fail("invalid", "dictionary changed", "copy", path, oracle.TMP / "no.arrow", "file")

    path = oracle.TMP / "growing.arrow"
    with ipc.new_stream(str(path), growing[0].schema) as writer:  # replacements that extend
        for batch in growing:
            writer.write_batch(batch)
    must_run("copy", path, oracle.TMP / "copy.arrow", "file")
    copied = ipc.open_file(str(oracle.TMP / "copy.arrow"))
    found = [copied.get_batch(i).column(0).to_pylist() for i in range(4)]
    assert found == [batch.column(0).to_pylist() for batch in growing], found

    inner = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array(["x", "y"]))
    outer = pa.DictionaryArray.from_arrays(
        pa.array([2, 0, None, 1], pa.int16()), pa.StructArray.from_arrays([inner], ["inner"]))
    table = pa.table({"outer": outer})
    check(write(table, "nested.arrow"), table)
    check(write(table, "nested.arrow", "file"), table)


def check_random():
    """Random batches of every type: PyArrow reads them, writes them, and we find them equal."""
    seed = int(os.environ.get("STOA_TEST_SEED", time.time_ns() // 1000 % 1000000))
    print(f"arrow.oracle_ipc: STOA_TEST_SEED={seed}", flush=True)
    for number in range(seed, seed + 60):
        options = OUTPUTS[number % len(OUTPUTS)]
        ours, theirs = oracle.TMP / "ours.arrow", oracle.TMP / "theirs.arrow"
        must_run("random", number, ours, *options)
        table = read_any(ours.read_bytes())
        try:
            table.validate(full=True)
        except pa.ArrowInvalid as error:  # random milliseconds are no whole days
            assert "whole number of days" in str(error), (number, options, error)
        with ipc.new_stream(str(theirs), table.schema) as writer:
            writer.write_table(table)
        must_run("compare", ours, theirs)
        must_run("compare", ours, theirs, "mapped")
        counts["random"] += 1


def check_polars():
    try:
        import polars
    except ImportError:
        print("left out: Polars is not installed", flush=True)
        return
    frame = polars.DataFrame({
        "s": ["short", None, "a string longer than twelve bytes", ""] * 5,
        "c": polars.Series(["x", "y", None, "x"] * 5, dtype=polars.Categorical),
        "l": [[1, 2], None, [], [3]] * 5, "b": [b"\x00", None, b"z" * 40, b""] * 5,
        "t": [datetime.datetime(2026, 3, 1, 12), None] * 10,
        "d": polars.Series([decimal.Decimal("1.50"), None] * 10, dtype=polars.Decimal(10, 2)),
    })
    for compression in ("uncompressed", "lz4", "zstd"):
        path = oracle.TMP / "polars.arrow"
        plain = frame.drop("c")  # Polars puts dictionaries behind the batches
        plain.write_ipc(path, compression=compression)
        check(path, read_back(path.read_bytes()), [[], ["file", "zstd"]])
        frame.write_ipc_stream(path, compression=compression)
        check(path, read_back(path.read_bytes()), [[], ["file", "zstd"]])
        frame.write_ipc(path, compression=compression)
        must_fail("unsupported", "from a pipe", "count", "-", stdin=path.read_bytes())
        for writer in (frame.write_ipc, frame.write_ipc_stream):
            writer(path, compression=compression)
            must_run("copy", path, oracle.TMP / "back.arrow", "file", compression[:4]
                     if compression != "uncompressed" else "align=64")
            assert polars.read_ipc(oracle.TMP / "back.arrow").equals(frame)
            must_run("copy", path, oracle.TMP / "back.arrow")
            assert polars.read_ipc_stream(oracle.TMP / "back.arrow").equals(frame)


def check_description():
    table = all_types(100, 9)
    path = write(table, "describe.arrow", "file", batch_rows=40, compression="zstd",
                 unify_dictionaries=True)
    found = json.loads(must_run("describe", path))
    reader = ipc.open_file(str(path))
    assert found["format"] == "file" and found["version"] == "V5" and found["codec"] == "zstd"
    assert found["rows"] == 100 and found["batches"] == reader.num_record_batches == 3
    assert [field["name"] for field in found["fields"]] == table.schema.names
    for field in found["fields"]:
        kind = table.schema.field(field["name"]).type
        if not pa.types.is_nested(kind) and not pa.types.is_dictionary(kind):
            assert field["type"] == str(kind), (field, kind)
    data = path.read_bytes()
    for message in found["messages"]:
        assert data[message["offset"]:message["offset"] + 4] == b"\xff\xff\xff\xff"
    stream = json.loads(must_run("describe", "-", stdin=must_run("copy", path, "-")))
    assert stream["format"] == "stream" and stream["rows"] == 100 and stream["codec"] == "none"


def check_refusals():
    path = write(pa.table({"a": [1, 2, 3]}), "small.arrow", "file")
    data = path.read_bytes()
    must_fail("corrupt", "0 bytes", "count", "-", stdin=b"")
    must_fail("corrupt", "at the end", "count", cut_file(data[:-1]))
    must_fail("unsupported", "Feather version 1", "count", "-", stdin=b"FEA1" + bytes(20))
    must_fail("corrupt", "at byte", "count", "-", stdin=b"PAR1" + bytes(100))
    must_fail("invalid", "alignment", "copy", path, oracle.TMP / "no.arrow", "align=12")
    must_fail("not found", "absent.arrow", "count", oracle.TMP / "absent.arrow")
    tensor = oracle.TMP / "tensor.arrow"
    with pa.OSFile(str(tensor), "wb") as sink:
        ipc.write_tensor(pa.record_batch({"a": [1.0, 2.0]}).to_tensor(), sink)
    must_fail("unsupported", "tensor", "count", tensor)


def cut_file(data):
    path = oracle.TMP / "cut.arrow"
    path.write_bytes(data)
    return path


def digits_are_wrong(table):
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        return "does not fit in precision" in str(error)
    return False


def check_integration():
    root = oracle.SHARED / "corpora/arrow-testing/arrow-ipc-stream/integration"
    if not root.exists():
        print("left out: the Arrow project's integration files are not there", flush=True)
        return
    for path in sorted([*root.glob("*/*.stream"), *root.glob("*/*.arrow_file")]):
        where = f"{path.parent.name}/{path.name}"
        if "bigendian" in where:
            must_fail("unsupported", "big-endian", "count", path)
        elif "list_view" in where:
            must_fail("unsupported", "list views", "count", path)
        else:
            data = path.read_bytes()
            try:
                expected = read_any(data)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                must_run("count", path)
                print(f"{where}: read by us alone ({error})", flush=True)
                continue
            if digits_are_wrong(expected):  # in all files of decimals by old writers
                must_fail("corrupt", "digits but found", "count", path)
                counts["corpus"] += 1
                continue
            for options in ([], ["file", "zstd"]):
                copy = oracle.TMP / "copy.arrow"
                must_run("copy", path, copy, *options)
                # Some have dates within a day, which PyArrow's full validation refuses today.
                same(read_any(copy.read_bytes()), expected)
        counts["corpus"] += 1


def check_hostile():
    root = oracle.SHARED / "corpora/arrow-testing"
    if not root.exists():
        print("left out: the Arrow project's hostile files are not there", flush=True)
        return
    files = [path for folder in ("arrow-ipc-stream", "arrow-ipc-file", "arrow-ipc-tensor-stream",
                                 "forward-compatibility", "parquet/fuzzing")
             for path in sorted((root / folder).iterdir()) if path.is_file()]
    for path in files:
        for options in ([], ["mapped"]):
            done = run("count", path, *options)
            assert done.returncode in (0, 1), (path, done.returncode, done.stderr.decode())
        done = run("count", "-", stdin=path.read_bytes())
        assert done.returncode in (0, 1), (path, done.returncode, done.stderr.decode())
        counts["hostile"] += 1
    must_fail("unsupported", "V6", "count", root / "forward-compatibility/schema_v6.arrow")


for part in (check_every_type, check_shapes, check_dictionaries, check_random, check_polars, check_description,
             check_refusals, check_integration, check_hostile):
    part()
print(f"copies equal: {counts['copied']}, random: {counts['random']}, corpus files: {counts['corpus']}, "
      f"hostile files: {counts['hostile']}")
