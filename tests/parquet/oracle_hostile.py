"""Small files that promise much: memory follows the bytes of the file and what its compression can make
of them, never what headers claim. The files are put together here, byte by byte."""
import pathlib
import struct
import subprocess
import tempfile

import pyarrow as pa

import oracle

TOOL = oracle.tool("tool_parquet_read")
MIB = 1 << 20
I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12
CORRUPT, LIMIT = 7, 9
# What one byte of a footer can take, with all that an open reader and a stream keep for a column: the
# smallest element has 7 bytes.
FOOTER_FACTOR = 400
BATCH = 24 * MIB # of rows that are there, by the thousand million


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def zigzag(number):
    return varint(number << 1 ^ number >> 63 if number < 0 else number << 1)


def fields(*items):
    """A struct of (id, type, bytes)."""
    out, last = b"", 0
    for number, kind, value in items:
        out += bytes([(number - last) << 4 | kind]) + value
        last = number
    return out + b"\0"


def text(value):
    return varint(len(value)) + value


def items(kind, values):
    head = bytes([len(values) << 4 | kind]) if len(values) < 15 else \
        bytes([0xF0 | kind]) + varint(len(values))
    return head + b"".join(values)


def leaf(name=b"", kind=1, repetition=0):
    return fields((1, I32, zigzag(kind)), (3, I32, zigzag(repetition)), (4, BINARY, text(name)))


def group(children, name=b"g"):
    return fields((3, I32, zigzag(0)), (4, BINARY, text(name)), (5, I32, zigzag(children)))


def chunk(offset, size, values, kind=1, codec=0, plain=None):
    metadata = fields((1, I32, zigzag(kind)), (2, LIST, items(I32, [zigzag(0)])),
                      (3, LIST, items(BINARY, [text(b"a")])), (4, I32, zigzag(codec)),
                      (5, I64, zigzag(values)), (6, I64, zigzag(plain or size)),
                      (7, I64, zigzag(size)), (9, I64, zigzag(offset)))
    return fields((2, I64, zigzag(0)), (3, STRUCT, metadata))


def row_group(chunks, rows):
    return fields((1, LIST, items(STRUCT, chunks)), (2, I64, zigzag(0)), (3, I64, zigzag(rows)))


def file(body, elements, groups, rows):
    footer = fields((1, I32, zigzag(2)), (2, LIST, items(STRUCT, elements)), (3, I64, zigzag(rows)),
                    (4, LIST, items(STRUCT, groups)))
    return b"PAR1" + body + footer + struct.pack("<I", len(footer)) + b"PAR1"


def page(body, values, encoding, plain, kind=0):
    header = fields((1, I32, zigzag(encoding if kind else values)),
                    (2, I32, zigzag(values if kind else encoding)))
    if kind == 0: # levels in runs
        header = fields((1, I32, zigzag(values)), (2, I32, zigzag(encoding)), (3, I32, zigzag(3)),
                        (4, I32, zigzag(3)))
        where = 5
    else:
        header = fields((1, I32, zigzag(values)), (2, I32, zigzag(encoding)))
        where = 7
    return fields((1, I32, zigzag(kind)), (2, I32, zigzag(plain)), (3, I32, zigzag(len(body))),
                  (where, STRUCT, header)) + body


def one_column(pages, rows, kind=1, codec=0, repetition=0):
    body = b"".join(pages)
    return file(body, [group(1), leaf(b"a", kind, repetition)],
                [row_group([chunk(4, len(body), rows, kind, codec)], rows)], rows)


def read(folder, data, *words):
    path = pathlib.Path(folder, "in.parquet")
    path.write_bytes(data)
    done = subprocess.run([TOOL, path, f"{folder}/out.arrows", "peak", *words], capture_output=True,
                          text=True, timeout=100)
    assert done.returncode < 13, f"{done.returncode}: {done.stderr}"
    return done.returncode, int(done.stdout), done.stderr.strip()


def check_runs(folder):
    """Two thousand million values in a page of some bytes: they are there, and read as asked for."""
    count = 2**31 - 1
    dictionary = page(struct.pack("<i", 7), 1, 0, 4, kind=2)
    codes = page(b"\0" + varint(count << 1), count, 8, 1 + len(varint(count << 1)))
    data = one_column([dictionary, codes], count)
    status, peak, said = read(folder, data, "first=200000")
    assert status == 0 and peak < BATCH, (status, peak, said)
    with pa.ipc.open_stream(f"{folder}/out.arrows") as stream:
        assert set(stream.read_all().column(0).to_pylist()) == {7}
    # Texts of a megabyte each would be two thousand terabytes; a batch has what fits.
    status, peak, said = read(folder, one_column([page(b"", count, 0, 0)], count))
    assert status == CORRUPT and peak < BATCH, (status, peak, said)
    levels = varint(count << 1) + b"\1"
    body = struct.pack("<I", len(levels)) + levels
    status, peak, said = read(folder, one_column([page(body, count, 0, len(body))], count,
                                                 repetition=1))
    assert status == CORRUPT and peak < BATCH, (status, peak, said)
    nulls = varint(count << 1) + b"\0"
    body = struct.pack("<I", len(nulls)) + nulls
    status, peak, said = read(folder, one_column([page(body, count, 0, len(body))], count,
                                                 repetition=1), "first=200000")
    assert status == 0 and peak < BATCH, (status, peak, said)


def check_wide_nulls(folder):
    """Nulls of a fixed width take it in memory: rows come in batches that are small enough."""
    count, width = 2**31 - 1, 10**6
    levels = varint(count << 1) + b"\0"
    body = page(struct.pack("<I", len(levels)) + levels, count, 0, 4 + len(levels))
    column = fields((1, I32, zigzag(7)), (2, I32, zigzag(width)), (3, I32, zigzag(1)),
                    (4, BINARY, text(b"a")))
    data = file(body, [group(1), column], [row_group([chunk(4, len(body), count, 7)], count)], count)
    for words in ((), ("where=a is null",)):
        status, peak, said = read(folder, data, "first=10", *words)
        assert status == 0 and peak < 256 * MIB, (words, status, peak, said)


def check_bombs(folder):
    """A page's header can promise no more than its compression could keep."""
    for codec, ratio in ((1, 64), (2, 1040), (5, 256), (6, 65536), (7, 256)):
        body = b"\0" * 10
        for promised in (2**31 - 1, ratio * len(body) + 1):
            status, peak, said = read(folder, one_column([page(body, 10, 0, promised)], 10,
                                                         codec=codec))
            assert status == CORRUPT and peak < 4 * MIB, (codec, status, peak, said)
            assert promised < 2**31 - 1 or "promises more" in said, (codec, said)
    zeros = bytes(64 * MIB)
    body = pa.Codec("zstd").compress(zeros, asbytes=True)
    status, peak, said = read(folder, one_column([page(body, len(zeros) // 4, 0, len(zeros))],
                                                 len(zeros) // 4, codec=6), "first=1000")
    assert status == 0 and peak < len(zeros) + BATCH, (status, peak, said)


def check_footers(folder):
    count = 60000
    for elements in ([leaf() for _ in range(count)],
                     [leaf(b"a%d" % i) for i in range(count)]):
        data = file(b"", [group(count)] + elements, [], 0)
        status, peak, said = read(folder, data)
        assert status == 0 and peak < FOOTER_FACTOR * len(data), (status, peak / len(data), said)
    chunks = [chunk(4, 0, 0)] * 200
    data = file(b"", [group(200)] + [leaf(b"a%d" % i) for i in range(200)],
                [row_group(chunks, 0)] * 200, 0)
    status, peak, said = read(folder, data)
    assert status == 0 and peak < FOOTER_FACTOR * len(data), (status, peak / len(data), said)


def check_depth(folder):
    for depth, wanted in ((60, (0,)), (70, (LIMIT,)), (300, (CORRUPT,)), (50000, (CORRUPT,))):
        data = file(b"", [group(1)] * depth + [leaf(b"a")], [], 0)
        status, peak, said = read(folder, data)
        assert status in wanted and peak < 30 * MIB, (depth, status, peak, said)


def check_counts(folder):
    """Lists that are longer than the footer, names and chunks that are not within it."""
    long = b"\xF5" + varint(2**31 - 1)
    for footer in (fields((1, I32, zigzag(2)), (2, LIST, b"\xFC" + varint(2**40))),
                   fields((1, I32, zigzag(2)), (2, LIST, long)),
                   fields((1, I32, zigzag(2)), (6, BINARY, varint(2**31) + b"x"))):
        data = b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"
        status, peak, said = read(folder, data)
        assert status == CORRUPT and peak < MIB, (status, peak, said)
    for offset, size in ((2**40, 10), (4, 2**40), (-5, 10), (4, -1), (2**63 - 1, 2**62)):
        data = file(b"", [group(1), leaf(b"a")], [row_group([chunk(offset, size, 10)], 10)], 10)
        status, peak, said = read(folder, data)
        assert status == CORRUPT and peak < MIB, (offset, size, status, peak, said)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_runs, check_wide_nulls, check_bombs, check_footers, check_depth, check_counts):
            check(folder)


main()
