"""PyArrow and DuckDB as judges of arrays, by the C data interface within one process.

Ours to theirs: random batches are imported by PyArrow, fully validated, and must say the same types
and, cast to text by DuckDB, the same texts. Theirs to ours: slices, dictionaries, views, nested
values, unions and run ends are validated, printed, sliced, taken and concatenated by Stoa, and
compared with what PyArrow makes of the same request.
"""
import ctypes
import datetime
import decimal
import gc
import itertools
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import oracle  # noqa: E402

FLAGS = os.environ.get("STOA_CFLAGS", "").split()
COMPILER = os.environ.get("STOA_CC", "cc")
LIBRARIES = ["-lcmocka", "-lxxhash", "-lzstd", "-llz4", "-ldeflate", "-lz", "-lsqlite3",
             "-ljansson", "-lsnappy", "-lm", "-ldl", "-lpthread"]


def preload_sanitizers():
    """Python itself is not sanitized, so the runtime must come before everything else."""
    wanted = [name for flag, name in (("address", "libasan.so"), ("undefined", "libubsan.so"))
              if any(flag in part for part in FLAGS)]
    if any("thread" in part for part in FLAGS):
        oracle.leave_out("the thread sanitizer cannot be loaded into Python")
    if not wanted or "LD_PRELOAD" in os.environ:
        return
    paths = [subprocess.check_output([COMPILER, f"-print-file-name={name}"], text=True).strip()
             for name in wanted]
    # PyArrow and Python keep memory to the end; Stoa's own is counted by cdata_used.
    options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0:detect_stack_use_after_return=0"
    env = dict(os.environ, LD_PRELOAD=" ".join(paths), ASAN_OPTIONS=options)
    os.execve(sys.executable, [sys.executable] + sys.argv, env)


preload_sanitizers()
try:
    import pyarrow as pa
except ImportError:
    oracle.leave_out("pyarrow is not installed")
try:
    import duckdb
except ImportError:
    duckdb = None


class Schema(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint64 * 9)]


class Array(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint64 * 10)]


def load():
    env = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    target = oracle.TMP / f"cdata-{os.getpid()}.so"
    command = [COMPILER, *FLAGS, "-g", "-shared", "-fPIC", "-std=gnu17", "-D_GNU_SOURCE",
               f"-I{oracle.SOURCE}/include", f"-I{oracle.SOURCE}/src",
               f"-I{oracle.SOURCE}/tests/support", "-o", target,
               oracle.SOURCE / "tests/arrow/module_cdata.c", oracle.BUILD / "libtest_support.a",
               oracle.BUILD / "libstoa.a", *LIBRARIES]
    subprocess.run([str(part) for part in command], check=True, env=env)
    library = ctypes.CDLL(str(target))
    target.unlink()
    library.cdata_used.restype = ctypes.c_uint64
    return library


LIB = load()
MESSAGE = ctypes.create_string_buffer(1024)
TEXT = ctypes.create_string_buffer(1 << 16)


def call(name, *arguments):
    status = getattr(LIB, name)(*arguments, MESSAGE)
    if status != 0:
        raise AssertionError(f"{name}: {MESSAGE.value.decode()}")


def i64(value):
    return ctypes.c_int64(value)


class Held:
    """A batch in our hands; released with `close`."""

    def __init__(self, batch=None):
        self.schema, self.array = Schema(), Array()
        if batch is not None:
            batch._export_to_c(ctypes.addressof(self.array), ctypes.addressof(self.schema))

    def validate(self):
        call("cdata_validate", ctypes.byref(self.schema), ctypes.byref(self.array))
        return self

    def text(self, row, style):
        call("cdata_print", ctypes.byref(self.schema), ctypes.byref(self.array), i64(row),
             ctypes.c_int(style), TEXT, i64(len(TEXT)))
        return TEXT.value.decode()

    def type(self):
        call("cdata_type", ctypes.byref(self.schema), TEXT, i64(len(TEXT)))
        return TEXT.value.decode()

    def close(self):
        """Hands the structs to PyArrow and lets go of them, which calls both releases."""
        return pa.RecordBatch._import_from_c(ctypes.addressof(self.array),
                                             ctypes.addressof(self.schema))


def give(array, schema):
    """An array of ours as PyArrow's, which takes it."""
    copy = Schema()
    schema._export_to_c(ctypes.addressof(copy))
    return pa.RecordBatch._import_from_c(ctypes.addressof(array), ctypes.addressof(copy))


def compare(left, right):
    call("cdata_compare", ctypes.byref(left.schema), ctypes.byref(left.array),
         ctypes.byref(right.schema), ctypes.byref(right.array))


# What a value looks like in our JSON, from PyArrow's Python value.
def json_of(value, kind):
    if value is None:
        return None
    if pa.types.is_dictionary(kind):
        return json_of(value, kind.value_type)
    if pa.types.is_run_end_encoded(kind):
        return json_of(value, kind.value_type)
    if pa.types.is_struct(kind):
        return {field.name: json_of(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        return {text_of(key, kind.key_type): json_of(item, kind.item_type) for key, item in value}
    if isinstance(value, list):
        return [json_of(item, kind.value_type) for item in value]
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return str(value)
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, decimal.Decimal):
        return value
    return text_of(value, kind)


def text_of(value, kind):
    if isinstance(value, bytes):
        return "".join(chr(byte) if 32 <= byte <= 126 and byte not in b"\\'\"" else
                       f"\\x{byte:02X}" for byte in value)
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        text = value.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0") + fraction(value.microsecond)
        return text + ("+00" if value.tzinfo else "")
    if isinstance(value, datetime.time):
        return value.strftime("%H:%M:%S") + fraction(value.microsecond)
    return str(value)


def fraction(microseconds):
    return f".{microseconds:06d}".rstrip("0") if microseconds else ""


def is_interval(kind):
    """PyArrow's own question knows one of the three."""
    return str(kind).endswith("interval")


# What PyArrow turns into Python values without losing anything.
def is_plain(kind):
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        children = ([kind.key_type, kind.item_type] if pa.types.is_map(kind) else
                    [kind.field(i).type for i in range(kind.num_fields)])
        return all(is_plain(child) for child in children)
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return kind.unit != "ns"
    return not (is_interval(kind) or pa.types.is_duration(kind)
                or pa.types.is_union(kind) or pa.types.is_float16(kind)
                or pa.types.is_float32(kind) or pa.types.is_date64(kind))


def loads(text):
    return json.loads(text, parse_float=lambda part: decimal.Decimal(part))


def same(ours, wanted):
    if isinstance(wanted, float):
        return isinstance(ours, (decimal.Decimal, int)) and float(ours) == wanted
    if isinstance(wanted, dict):
        return list(ours) == list(wanted) and all(same(ours[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(ours) == len(wanted) and all(map(same, ours, wanted))
    return ours == wanted


def check_texts(held, batch):
    """Our JSON of every row says what PyArrow's Python values say."""
    plain = [field for field in batch.schema if is_plain(field.type)]
    columns = [batch.column(field.name).to_pylist() for field in plain]
    for row in range(batch.num_rows):
        ours = loads(held.text(row, 1))
        for field, column in zip(plain, columns):
            wanted = json_of(column[row], field.type)
            assert same(ours[field.name], wanted), (field, row, ours[field.name], wanted)


# ---- ours to theirs ----

def random_batches(count, rows, seed, kinds=0):
    for i in range(count):
        held = Held()
        LIB.cdata_random(ctypes.c_uint64(seed + i), i64(rows), ctypes.c_uint64(kinds),
                         ctypes.byref(held.schema), ctypes.byref(held.array))
        yield held


def pyarrow_reads_ours(seed):
    checked = 0
    for held in random_batches(120, 40, seed):
        texts = [held.text(row, 1) for row in range(40)]
        ours = held.validate().type()
        batch = held.close()
        batch.validate(full=True)
        theirs = str(pa.struct(list(batch.schema)))
        assert ours == theirs, f"{ours}\n{theirs}"
        back = Held(batch).validate()
        assert texts == [back.text(row, 1) for row in range(40)]
        check_texts(back, batch)
        checked += batch.num_columns
        back.close()
    return checked


def duck_can(kind, nested=False):
    """Types whose values DuckDB holds exactly, and whose casts to text are its own."""
    if pa.types.is_dictionary(kind):
        # DuckDB 1.5 shows the indices of dictionaries inside fixed-size lists.
        return not nested and duck_can(kind.value_type)
    if pa.types.is_map(kind):
        return duck_can(kind.key_type, True) and duck_can(kind.item_type, True)
    if pa.types.is_struct(kind):
        return all(duck_can(field.type, True) for field in kind)
    if pa.types.is_fixed_size_list(kind):
        # DuckDB quotes texts in lists and not in its arrays; Stoa quotes in both.
        return pa.types.is_integer(kind.value_type) or pa.types.is_boolean(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return duck_can(kind.value_type, True)
    if pa.types.is_float32(kind):
        return not nested  # where digits tie, DuckDB's are not the shortest
    if pa.types.is_decimal(kind):
        return kind.scale >= 0 and kind.bit_width == 128
    if pa.types.is_timestamp(kind):
        return kind.tz is None or kind.unit == "us"
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return kind.unit != "ns"
    return not (pa.types.is_null(kind) or pa.types.is_float16(kind) or pa.types.is_date64(kind)
                or is_interval(kind))


def duckdb_shows_the_same(seed):
    if duckdb is None:
        print("left out: texts against DuckDB, which is not installed")
        return 0
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    checked = 0
    for held in random_batches(150, 30, seed):
        batch = held.close()
        names = [field.name for field in batch.schema if duck_can(field.type)]
        if not names:
            continue
        table = pa.table(batch.select(names))
        connection.register("batch_rows", table)
        casts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in names)
        try:
            theirs = connection.execute(f"SELECT {casts} FROM batch_rows").fetchall()
        except duckdb.Error as error:
            raise AssertionError(f"{table.schema}\n{error}") from error
        for index, name in enumerate(names):
            kind = batch.schema.field(name).type
            column = pa.record_batch([batch.column(name)], schema=pa.schema(
                [batch.schema.field(name)]))
            single = Held(pa.record_batch([pa.StructArray.from_arrays(
                column.columns, fields=list(column.schema))], names=["s"]))
            for row in range(batch.num_rows):
                wanted = "NULL" if theirs[row][index] is None else theirs[row][index]
                ours = cell_text(single, row, kind)
                leaf = kind.value_type if pa.types.is_dictionary(kind) else kind
                if pa.types.is_float32(leaf) and ours != wanted:
                    assert len(ours) <= len(wanted)
                    ours, wanted = f32(ours), f32(wanted)
                assert ours == wanted, f"{name} {kind}: row {row}: {ours!r} but DuckDB {wanted!r}"
                checked += 1
            single.close()
    return checked


def f32(text):
    return text if text == "NULL" else struct.unpack("f", struct.pack("f", float(text)))[0]


def cell_text(held, row, kind):
    """The bare text of the one column of a one-column batch, printed through its own child."""
    children = ctypes.cast(held.schema.words[5], ctypes.POINTER(ctypes.c_void_p))
    arrays = ctypes.cast(held.array.words[6], ctypes.POINTER(ctypes.c_void_p))
    inner = ctypes.cast(children[0], ctypes.POINTER(Schema)).contents
    values = ctypes.cast(arrays[0], ctypes.POINTER(Array)).contents
    fields = ctypes.cast(inner.words[5], ctypes.POINTER(ctypes.c_void_p))
    columns = ctypes.cast(values.words[6], ctypes.POINTER(ctypes.c_void_p))
    status = LIB.cdata_print(ctypes.c_void_p(fields[0]), ctypes.c_void_p(columns[0]), i64(row),
                             ctypes.c_int(0), TEXT, i64(len(TEXT)), MESSAGE)
    if status != 0:
        raise AssertionError(f"{kind}: {MESSAGE.value.decode()}")
    return TEXT.value.decode()


# ---- theirs to ours ----

def foreign_batches():
    numbers = list(range(50))
    words = [None if n % 7 == 3 else "word " * (n % 5) for n in numbers]
    lists = [None if n % 11 == 5 else [n, None, n + 1][: n % 4] for n in numbers]
    structs = [None if n % 9 == 4 else {"a": n, "b": words[n]} for n in numbers]
    maps = [None if n % 8 == 2 else [(f"k{i}", i) for i in range(n % 3)] for n in numbers]
    times = [datetime.datetime(1969, 12, 31, 23, 59, 59, n * 1000) for n in numbers]
    columns = {
        "i": pa.array(numbers, pa.int16()),
        "nulls": pa.nulls(50),
        "flags": pa.array([None if n % 5 == 1 else n % 3 == 0 for n in numbers]),
        "s": pa.array(words),
        "large": pa.array(words, pa.large_string()),
        "view": pa.array(words, pa.string_view()),
        "bytes": pa.array([None if word is None else word.encode() for word in words],
                          pa.binary_view()),
        "fixed": pa.array([bytes([n] * 3) for n in numbers], pa.binary(3)),
        "dict": pa.array(words).dictionary_encode(),
        "dict8": pa.DictionaryArray.from_arrays(
            pa.array([None if n == 9 else n % 3 for n in numbers], pa.uint8()),
            pa.array(["x", None, "z"])),
        "list": pa.array(lists, pa.list_(pa.int64())),
        "large_list": pa.array(lists, pa.large_list(pa.int32())),
        "fixed_list": pa.array([None if n % 6 == 1 else [n, n + 1] for n in numbers],
                               pa.list_(pa.int8(), 2)),
        "struct": pa.array(structs, pa.struct([("a", pa.int64()), ("b", pa.string_view())])),
        "map": pa.array(maps, pa.map_(pa.string(), pa.int32())),
        "time": pa.array(times, pa.timestamp("us", "Europe/Athens")),
        "dec": pa.array([decimal.Decimal(n - 25) / 8 for n in numbers], pa.decimal128(20, 3)),
        "dec256": pa.array([decimal.Decimal(n - 25) ** 9 for n in numbers], pa.decimal256(60, 2)),
        "nested": pa.array([[{"x": [n] * (n % 3)}] * (n % 4) for n in numbers],
                           pa.list_(pa.struct([("x", pa.list_(pa.int32()))]))),
        "dict_list": pa.array([[word] for word in words],
                              pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    }
    batch = pa.record_batch(columns)
    yield batch
    for offset, length in ((0, 0), (1, 20), (8, 17), (13, 37), (49, 1), (50, 0)):
        yield batch.slice(offset, length)


def polars_batches():
    """String views, 64-bit lists and dictionaries as Polars lays them out."""
    try:
        import polars
    except ImportError:
        print("left out: batches of Polars, which is not installed")
        return
    words = [None if n % 7 == 3 else "a longer word " * (n % 3) for n in range(40)]
    frame = polars.DataFrame({
        "s": words, "n": list(range(40)), "l": [[n, None][: n % 3] for n in range(40)],
        "b": [None if word is None else word.encode() for word in words],
        "t": [datetime.datetime(2020, 1, 1) + datetime.timedelta(n, n) for n in range(40)],
        "o": [{"x": n % 2 == 0, "y": words[n]} for n in range(40)]})
    frame = frame.with_columns(polars.col("s").cast(polars.Categorical).alias("c"))
    for level in (polars.CompatLevel.newest(), polars.CompatLevel.oldest()):
        for batch in frame.slice(3, 30).to_arrow(compat_level=level).to_batches():
            yield batch


def encoded_batches():
    """Types that Stoa reads but does not build."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([3, 10, 20], pa.int32()),
                                             pa.array(["a", None, "c"]))
    sparse = pa.UnionArray.from_sparse(pa.array([0, 1] * 10, pa.int8()),
                                       [pa.array(range(20)), pa.array([str(n) for n in range(20)])])
    dense = pa.UnionArray.from_dense(pa.array([0, 1] * 10, pa.int8()),
                                     pa.array([n // 2 for n in range(20)], pa.int32()),
                                     [pa.array(range(10)), pa.array(["x"] * 10)])
    batch = pa.record_batch({"runs": runs, "sparse": sparse, "dense": dense})
    yield batch
    yield batch.slice(4, 9)


def stoa_reads_theirs():
    checked = 0
    for batch in itertools.chain(foreign_batches(), polars_batches()):
        held = Held(batch).validate()
        check_texts(held, batch)
        twin = Held(pa.record_batch([pa.concat_arrays([c]) for c in batch.columns],
                                    schema=batch.schema))
        compare(held, twin)
        twin.close()
        held.close()
        checked += batch.num_columns
    for batch in encoded_batches():
        held = Held(batch).validate()
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        for row in range(batch.num_rows):
            ours = loads(held.text(row, 1))
            assert ours == {name: column[row] for name, column in columns.items()}, (row, ours)
        twin = Held(batch)
        compare(held, twin)
        twin.close()
        held.close()
    return checked


def equal(ours, columns):
    """The batch is valid and holds these Python values."""
    ours.validate(full=True)
    for name, column in columns.items():
        found = ours.column(name).to_pylist()
        assert found == column, f"{name}: {found}\n{column}"


def requests_have_pyarrow_answers(seed):
    chance = random.Random(seed)
    for batch in foreign_batches():
        rows = batch.num_rows
        values = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        picks = [chance.randrange(-1, rows) for _ in range(60)]
        # A batch has no nulls of its own, so the rows are taken column by column.
        columns = []
        for i, field in enumerate(batch.schema):
            single = Held(pa.record_batch([batch.column(i)], schema=pa.schema([field])))
            columns.append(take_column(single, picks, field))
            single.close()
        equal(pa.record_batch(columns, schema=batch.schema),
              {name: [None if p < 0 else column[p] for p in picks]
               for name, column in values.items()})
        begin = chance.randrange(0, rows + 1)
        length = chance.randrange(0, rows - begin + 1)
        held, out, joined = Held(batch), Array(), Array()
        call("cdata_slice", ctypes.byref(held.array), i64(begin), i64(length), ctypes.byref(out))
        equal(give(out, batch.schema),
              {name: column[begin:begin + length] for name, column in values.items()})
        other = Held(batch.slice(begin, length))
        pointers = (ctypes.POINTER(Array) * 3)(*[ctypes.pointer(part.array)
                                                 for part in (held, other, held)])
        call("cdata_concat", ctypes.byref(held.schema), pointers, i64(3), ctypes.byref(joined))
        equal(give(joined, batch.schema),
              {name: column + column[begin:begin + length] + column
               for name, column in values.items()})
        other.close()
        held.close()


def take_column(single, picks, field):
    """Rows of one column with nulls for -1, through a take of the column itself."""
    children = ctypes.cast(single.schema.words[5], ctypes.POINTER(ctypes.c_void_p))
    arrays = ctypes.cast(single.array.words[6], ctypes.POINTER(ctypes.c_void_p))
    indices = (ctypes.c_int64 * len(picks))(*picks)
    out, schema = Array(), Schema()
    call("cdata_take", ctypes.c_void_p(children[0]), ctypes.c_void_p(arrays[0]), indices,
         i64(len(picks)), ctypes.byref(out))
    field._export_to_c(ctypes.addressof(schema))
    return pa.Array._import_from_c(ctypes.addressof(out), ctypes.addressof(schema))


def main():
    seed = int(os.environ.get("STOA_TEST_SEED", random.randrange(1 << 40)))
    print(f"arrow.oracle_cdata: STOA_TEST_SEED={seed}", flush=True)
    print("columns read by PyArrow:", pyarrow_reads_ours(seed), flush=True)
    print("texts equal to DuckDB's:", duckdb_shows_the_same(seed), flush=True)
    print("columns read from PyArrow:", stoa_reads_theirs(), flush=True)
    requests_have_pyarrow_answers(seed)
    gc.collect()
    assert LIB.cdata_used() == 0, f"{LIB.cdata_used()} bytes of Stoa's are left"


main()
