"""Pages that others wrote decode to the values that PyArrow finds: files written here with every
encoding, page version and codec, and the files of parquet-testing for deltas, split streams, booleans
in runs and the old LZ4. This script cuts the pages out; tool_decode.c decodes their bodies."""
import csv
import decimal
import itertools
import random
import struct
import subprocess

import oracle

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TOOL = oracle.tool("tool_codec_decode")
ROWS = 5000
DATA, DICTIONARY, DATA_V2 = 0, 2, 3
PLAIN, PLAIN_DICTIONARY, RLE, DELTA, DELTA_LENGTHS, DELTA_BYTES, RLE_DICTIONARY, STREAMS = (
    0, 2, 3, 5, 6, 7, 8, 9)
# PyArrow calls LZ4_RAW "LZ4", and has no name for the old codec LZ4.
CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "BROTLI": "brotli", "ZSTD": "zstd",
          "LZ4": "lz4_raw", "UNKNOWN": "lz4_hadoop"}
WIDTHS = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8, "INT96": 12, "BYTE_ARRAY": 0}


def decode(what, width, count, body):
    done = subprocess.run([str(TOOL), what, str(width), str(count)], input=body,
                          capture_output=True)
    assert done.returncode == 0, f"{what} {width} {count}: {done.stderr.decode()}"
    return done.stdout


# ---- Page headers -------------------------------------------------------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def value_of(data, at, kind):
    """One value of Thrift's compact protocol, with where it ends."""
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        number, at = varint(data, at)
        return (number >> 1) ^ -(number & 1), at
    if kind == 8:
        size, at = varint(data, at)
        return data[at:at + size], at + size
    assert kind == 12, f"a header with a value of kind {kind}"
    fields, field = {}, 0
    while data[at] != 0:
        head = data[at]
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            number, at = varint(data, at)
            field = (number >> 1) ^ -(number & 1)
        fields[field], at = value_of(data, at, head & 15)
    return fields, at + 1


def pages(data, chunk):
    """Header and body of each page of a column chunk."""
    at = chunk.data_page_offset
    if chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end = at + chunk.total_compressed_size
    while at < end:
        header, at = value_of(data, at, 12)
        yield header, data[at:at + header[3]]
        at += header[3]


# ---- Bodies -------------------------------------------------------------------------------------

def plain_body(chunk, header, body):
    """The uncompressed values of a page and how many they are."""
    codec = CODECS.get(chunk.compression)
    if header[1] == DATA_V2:
        v2 = header[8]
        levels = v2[5] + v2[6]
        values = body[levels:]
        if codec and v2.get(7, True):
            values = decode(codec, 0, header[2] - levels, values)
        return values, v2[1] - v2[2]
    if codec:
        body = decode(codec, 0, header[2], body)
    return body, header[7 if header[1] == DICTIONARY else 5][1]


def strip_levels(body, count, nullable):
    """A version 1 page without its definition levels, and how many values are there."""
    if not nullable:
        return body, count
    size, = struct.unpack_from("<I", body)
    present = sum(decode("levels", 1, count, body[:4 + size]))
    return body[4 + size:], present


def values_of(data, chunk, nullable, width):
    """All values of a chunk, as PLAIN has them (booleans a byte each), and the encodings met."""
    out, met, dictionary = [], set(), b""
    for header, body in pages(data, chunk):
        body, count = plain_body(chunk, header, body)
        if header[1] == DICTIONARY:
            dictionary = body
            continue
        if header[1] == DATA:
            body, count = strip_levels(body, count, nullable)
        encoding = header[8][4] if header[1] == DATA_V2 else header[5][2]
        met.add(encoding)
        if encoding in (PLAIN_DICTIONARY, RLE_DICTIONARY):
            body = struct.pack("<I", len(dictionary)) + dictionary + body
            out.append(decode("dictionary", width, count, body))
        elif encoding == RLE:
            out.append(decode("bools", 1, count, body))
        elif encoding == PLAIN and chunk.physical_type == "BOOLEAN":
            out.append(bytes(body[i // 8] >> i % 8 & 1 for i in range(count)))
        elif encoding == PLAIN:
            out.append(body)
        else:
            what = {DELTA: "delta", DELTA_LENGTHS: "delta_lengths", STREAMS: "streams",
                    DELTA_BYTES: "delta_fixed" if width else "delta_bytes"}[encoding]
            out.append(decode(what, width, count, body))
    return b"".join(out), met


def wanted(column, physical, width):
    """PyArrow's values in the same form; None for types whose form differs from the file's."""
    column = column.drop_null()
    kind = column.type
    if pa.types.is_boolean(kind):
        return bytes(column.to_pylist())
    if pa.types.is_decimal(kind):
        values = [int(v.scaleb(kind.scale, decimal.Context(prec=60))) for v in column.to_pylist()]
        if physical == "FIXED_LEN_BYTE_ARRAY":
            return b"".join(v.to_bytes(width, "big", signed=True) for v in values)
        return b"".join(v.to_bytes(width, "little", signed=True) for v in values)
    if pa.types.is_fixed_size_binary(kind):
        return b"".join(column.to_pylist())
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        values = [v.encode() if isinstance(v, str) else v for v in column.to_pylist()]
        return b"".join(struct.pack("<I", len(v)) + v for v in values)
    if kind.num_buffers != 2 or pa.types.is_nested(kind):
        return None
    size = kind.bit_width // 8
    if size == width:
        return b"".join(chunk.buffers()[1].to_pybytes()[chunk.offset * size:][:len(chunk) * size]
                        for chunk in column.chunks)
    if pa.types.is_integer(kind) and width == 4:
        return b"".join(struct.pack("<i", v) for v in column.to_pylist())
    return None


def csv_values(path):
    """The cells that are not empty, by column, of the file that parquet-testing expects; or none."""
    expected = path.with_name(f"{path.stem}_expect.csv")
    if not expected.exists():
        return {}
    with expected.open(newline="", encoding="utf-8") as text:
        rows = list(csv.reader(text))
    return {name.strip(): [row[i] for row in rows[1:] if row[i] != ""]
            for i, name in enumerate(rows[0])}


def texts(plain, physical):
    """PLAIN integers and byte arrays as the CSV files write them; empty strings are left out."""
    if physical in ("INT32", "INT64"):
        return [str(v) for v, in struct.iter_unpack("<i" if physical == "INT32" else "<q", plain)]
    out, at = [], 0
    while at < len(plain):
        size, = struct.unpack_from("<I", plain, at)
        out.append(plain[at + 4:at + 4 + size].decode())
        at += 4 + size
    return [v for v in out if v]


def check_file(path, must_meet=()):
    """Compares every flat column; returns how many there were."""
    expected = csv_values(path)
    table = pq.read_table(path)
    file = pq.ParquetFile(path)
    data = path.read_bytes()
    met, compared = set(), 0
    for index in range(file.metadata.num_columns):
        column = file.schema.column(index)
        if column.max_repetition_level or column.max_definition_level > 1 or "." in column.path:
            continue
        width = (column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY"
                 else WIDTHS.get(column.physical_type, 1))
        want = wanted(table.column(column.name), column.physical_type, width)
        if want is None:
            continue
        got = b""
        for group in range(file.metadata.num_row_groups):
            values, encodings = values_of(data, file.metadata.row_group(group).column(index),
                                          column.max_definition_level == 1, width)
            got += values
            met |= encodings
        assert got == want, f"{path.name}: column '{column.path}' differs from PyArrow's"
        if column.name in expected and column.physical_type in ("INT32", "INT64", "BYTE_ARRAY"):
            assert texts(got, column.physical_type) == expected[column.name], (
                f"{path.name}: column '{column.path}' differs from the expected CSV")
            cells.append(len(expected[column.name]))
        compared += 1
    assert met.issuperset(must_meet), f"{path.name}: expected encodings {must_meet}, found {met}"
    assert compared > 0, f"{path.name}: nothing was compared"
    return compared


# ---- Files of our own ---------------------------------------------------------------------------

def table_of(nullable):
    rng = random.Random(7)
    mask = pa.array([rng.random() < 0.2 for _ in range(ROWS)])
    steps = [3 if i % 500 < 250 else rng.randrange(-2**40, 2**40) for i in range(ROWS)]
    words = [f"key-{i // 3:06}-{'x' * rng.randrange(30)}" for i in range(ROWS)]
    columns = {
        "i32": pa.array([rng.randrange(-2**31, 2**31) for _ in range(ROWS)], pa.int32()),
        "i64": pa.array(list(itertools.accumulate(steps)), pa.int64()),
        "extreme": pa.array(rng.choices([-2**63, 2**63 - 1, 0, 1], k=ROWS), pa.int64()),
        "f16": pa.array([rng.random() for _ in range(ROWS)], pa.float32()).cast(pa.float16()),
        "f32": pa.array([rng.random() for _ in range(ROWS)], pa.float32()),
        "f64": pa.array([rng.random() for _ in range(ROWS)], pa.float64()),
        "text": pa.array(words),
        "fixed": pa.array([w.encode()[:9] for w in words], pa.binary(9)),
        "flag": pa.array([rng.random() < 0.3 for _ in range(ROWS)]),
    }
    if nullable:
        columns = {name: pc.if_else(mask, pa.scalar(None, array.type), array)
                   for name, array in columns.items()}
    fields = [pa.field(name, array.type, nullable) for name, array in columns.items()]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


ENCODINGS = {
    "delta": ({"i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED",
               "extreme": "DELTA_BINARY_PACKED", "text": "DELTA_LENGTH_BYTE_ARRAY",
               "fixed": "DELTA_BYTE_ARRAY", "flag": "RLE"}, {DELTA, DELTA_LENGTHS, DELTA_BYTES, RLE}),
    "prefixes": ({"text": "DELTA_BYTE_ARRAY", "flag": "PLAIN"}, {DELTA_BYTES, PLAIN}),
    "streams": ({name: "BYTE_STREAM_SPLIT" for name in ("i32", "i64", "f16", "f32", "f64", "fixed")},
                {STREAMS}),
    "dictionary": (None, {RLE_DICTIONARY}),
}


def check_written():
    count = 0
    codecs = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]
    for nullable in (False, True):
        table = table_of(nullable)
        for version in ("1.0", "2.0"):
            for name, (encodings, must_meet) in ENCODINGS.items():
                path = oracle.TMP / f"{name}.parquet"
                pq.write_table(table, path, column_encoding=encodings,
                               use_dictionary=encodings is None, data_page_version=version,
                               compression=codecs[count % len(codecs)], data_page_size=20000,
                               row_group_size=3000)
                check_file(path, must_meet)
                count += 1
    return count


CORPUS = {
    "delta_binary_packed": {DELTA},
    "delta_byte_array": {DELTA_BYTES},
    "delta_encoding_optional_column": {DELTA, DELTA_BYTES},
    "delta_encoding_required_column": {DELTA, DELTA_BYTES},
    "delta_length_byte_array": {DELTA_LENGTHS},
    "byte_stream_split.zstd": {STREAMS},
    "byte_stream_split_extended.gzip": {STREAMS},
    "rle_boolean_encoding": {RLE},
    "concatenated_gzip_members": set(),
    "hadoop_lz4_compressed": set(),
    "hadoop_lz4_compressed_larger": set(),
    "non_hadoop_lz4_compressed": set(),
    "lz4_raw_compressed": set(),
    "lz4_raw_compressed_larger": set(),
    "alltypes_dictionary": set(),
    "alltypes_plain.snappy": set(),
}

cells = []  # compared with expected CSV files, a number for each column
written = check_written()
folder = oracle.shared("corpora/parquet-testing/data")
columns = sum(check_file(folder / f"{name}.parquet", met) for name, met in CORPUS.items())
print(f"{written} files written here, {len(CORPUS)} files with {columns} columns from elsewhere,"
      f" {sum(cells)} cells of {len(cells)} columns as expected")
assert len(cells) > 60
