"""Compressed files made by the formats' own commands and by Python are read as the plain bytes:
in order, at any offset, through a pipe; cut off or changed they are errors that name the place.
What is written is read by those commands, and by Python, as the bytes that were packed."""
import bz2
import gzip
import lzma
import random
import struct
import subprocess
import zlib

import oracle
import xxhash

TOOL = oracle.tool("tool_vfs_compressed")
RANDOM = random.Random(20)


def sample(size):
    """Text-like bytes with stretches that do not compress."""
    words = [bytes(RANDOM.choice(b"abcdefghijklmnopqrstuvwxyz,;\n0123456789") for _ in
                   range(RANDOM.randint(2, 12))) for _ in range(3000)]
    out = bytearray()
    while len(out) < size:
        if RANDOM.random() < 0.002:
            out += RANDOM.randbytes(RANDOM.randint(1, 40000))
        out += b" ".join(RANDOM.choices(words, k=50))
    return bytes(out[:size])


def packed_by(*command):
    """What a command makes of its standard input."""
    return lambda data: subprocess.run(command, input=data, capture_output=True, check=True).stdout


def in_parts(pack, part=700_001):
    """Pieces packed one by one and put one after the other."""
    return lambda data: b"".join(pack(data[i:i + part]) for i in range(0, max(len(data), 1), part))


def gzip_with_all_flags(data):
    """A member with an extra field, a name, a comment and a checksum of its header."""
    header = b"\x1f\x8b\x08\x1e" + b"\0\0\0\0\0\xff" + struct.pack("<H", 5000) + b"x" * 5000
    header += b"a name\0" + b"a comment\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    return header + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def bgzip_like(data):
    """Members of 64 KiB that say their own size, and an empty one at the end."""
    out = b""
    for i in list(range(0, len(data), 65280)) + [len(data)]:
        part = data[i:i + 65280]
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = deflate.compress(part) + deflate.flush()
        out += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(body) + 25)
        out += body + struct.pack("<II", zlib.crc32(part), len(part))
    return out


def skippable(number, content):
    """A frame that readers of zstd and LZ4 skip."""
    return struct.pack("<II", 0x184D2A50 + number, len(content)) + content


def seekable(checksums):
    """zstd's seekable format: frames and their table, with checksums in it or in the frames."""
    def pack(data):
        out, table, count = b"", b"", 0
        compress = packed_by("zstd", "--no-check" if checksums else "--check", "-c")
        for i in range(0, len(data), 300_000):
            part = data[i:i + 300_000]
            frame = compress(part)
            table += struct.pack("<II", len(frame), len(part))
            if checksums:
                table += struct.pack("<I", xxhash.xxh64_intdigest(part) & 0xFFFFFFFF)
            out += frame
            count += 1
        footer = struct.pack("<IBI", count, 0x80 if checksums else 0, 0x8F92EAB1)
        return out + skippable(14, table + footer)
    return pack


PACKERS = {
    "gzip": {
        "gzip -1": packed_by("gzip", "-1"),
        "gzip -9": packed_by("gzip", "-9"),
        "python": gzip.compress,
        "members": in_parts(gzip.compress),
        "flags": gzip_with_all_flags,
        "bgzip": bgzip_like,
        "stored": lambda data: gzip.compress(data, 0),
        "zeros behind": lambda data: gzip.compress(data) + bytes(9999),
    },
    "zstd": {
        "zstd -1": packed_by("zstd", "-1", "-c"),
        "zstd --long": packed_by("zstd", "--long", "-c"),
        "zstd, no checksum": packed_by("zstd", "--no-check", "-c"),
        "frames": in_parts(packed_by("zstd", "-c")),
        "seekable": seekable(False),
        "seekable, checksums": seekable(True),
        "skippable": lambda data: skippable(3, b"hello") + packed_by("zstd", "-c")(data) +
        skippable(0, b"") + skippable(15, b"x" * 70000),
    },
    "lz4": {
        "lz4": packed_by("lz4", "-c"),
        "lz4 linked": packed_by("lz4", "-BD", "-B4", "-c"),
        "lz4 linked, 1 MiB": packed_by("lz4", "-BD", "-B6", "-9", "-c"),
        "lz4 block checksums": packed_by("lz4", "-BX", "-B5", "-c"),
        "lz4 content size": packed_by("lz4", "--content-size", "-c"),
        "lz4, no checksum": packed_by("lz4", "--no-frame-crc", "-B4", "-c"),
        "frames": in_parts(packed_by("lz4", "-c")),
        "skippable": lambda data: skippable(3, b"hello") + packed_by("lz4", "-c")(data) +
        skippable(15, b""),
    },
    "bzip2": {
        "bzip2 -1": packed_by("bzip2", "-1"),
        "python": bz2.compress,
        "streams": in_parts(bz2.compress),
    },
    "xz": {
        "xz": packed_by("xz", "-1"),
        "xz blocks": packed_by("xz", "-1", "--block-size=300000"),
        "xz threads": packed_by("xz", "-1", "-T2", "--block-size=500000"),
        "xz crc32": packed_by("xz", "-1", "--check=crc32"),
        "xz no check": packed_by("xz", "-1", "--check=none"),
        "python": lambda data: lzma.compress(data, preset=0),
        "streams": in_parts(lambda data: lzma.compress(data, preset=0)),
        "padding": lambda data: lzma.compress(data, preset=0) + bytes(8) +
        lzma.compress(b"") + bytes(4),
        "empty between": lambda data: lzma.compress(data[:99]) + lzma.compress(b"") +
        lzma.compress(data[99:], preset=0),
    },
}


def write(name, data):
    path = oracle.TMP / name
    path.write_bytes(data)
    return path


def run(*arguments, stdin=None):
    done = subprocess.run([str(part) for part in (TOOL, *arguments)], stdin=stdin,
                          capture_output=True)
    return done.returncode, done.stdout, done.stderr.decode()


def check_reads(packing, name, packed, plain, plain_path):
    path = write("packed", packed)
    for seed in range(2):
        status, _, words = run("compare", path, plain_path, seed, 25)
        assert status == 0 and words.startswith(packing), (packing, name, words)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as pipe:
        status, found, words = run("cat", "-", stdin=pipe.stdout)
    assert status == 0 and found == plain, (packing, name, "through a pipe", words)


def check_damage(packing, name, packed, plain):
    """Cut off or with garbage behind: an error. Flipped bits: an error, or (in what no checksum
    covers: a name, a time) the same bytes, never others."""
    for cut in [1, 3, len(packed) // 3, len(packed) - 20]:
        path = write("cut", packed[:len(packed) - cut])
        status, found, words = run("cat", path)
        assert status == 1 and words.splitlines()[-1].startswith("corrupt: "), (name, cut, words)
        assert "packed byte" in words and str(path) in words, (name, cut, words)
        assert plain.startswith(found)
    status, _, words = run("cat", write("garbage", packed + b"garbage"))
    assert status == 1 and "corrupt: " in words, (packing, name, words)
    for _ in range(12):
        flipped = bytearray(packed)
        flipped[RANDOM.randrange(len(packed))] ^= 1 << RANDOM.randrange(8)
        status, found, words = run("cat", write("flipped", flipped))
        assert status == 1 or found == plain or words.startswith("none"), (packing, name, words)


def bgzip_blocks(packed):
    """Goes through a file as BGZF readers do: each member says its size, and the last is empty."""
    at, last = 0, b"?"
    while at < len(packed):
        assert packed[at:at + 16] == b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0", at
        size = struct.unpack_from("<H", packed, at + 16)[0] + 1
        last = gzip.decompress(packed[at:at + size])
        at += size
    assert at == len(packed) and last == b""


def check_seek_table(packed, plain):
    """The frames that the table tells of are frames, each with as many bytes."""
    count, flags, magic = struct.unpack("<IBI", packed[-9:])
    assert magic == 0x8F92EAB1 and flags == 0
    table = packed[len(packed) - 17 - 8 * count:]
    assert struct.unpack_from("<II", table) == (0x184D2A5E, 8 * count + 9)
    at = done = 0
    for i in range(count):
        packed_bytes, plain_bytes = struct.unpack_from("<II", table, 8 + 8 * i)
        frame = packed[at:at + packed_bytes]
        assert packed_by("zstd", "-dc")(frame) == plain[done:done + plain_bytes], i
        at, done = at + packed_bytes, done + plain_bytes
    assert at == len(packed) - len(table) and done == len(plain)


def check_writes(plain):
    readers = {
        ".gz": (packed_by("gzip", "-dc"), gzip.decompress),
        ".zst": (packed_by("zstd", "-dc"),),
        ".lz4": (packed_by("lz4", "-dc"),),
    }
    for size in (0, 1, 65279, 65280, 65281, 1 << 20, (1 << 20) + 1, len(plain)):
        plain_path = write("plain", plain[:size])
        for how in ("parts", "append", "replace", "put"):
            for ending, tools in readers.items():
                path = oracle.TMP / f"written-{how}-{size}{ending}"
                status, _, words = run("write", path, plain_path, size + len(how), how)
                assert status == 0, (how, size, ending, words)
                packed = path.read_bytes()
                for tool in tools:
                    assert tool(packed) == plain[:size], (how, size, ending)
                if ending == ".gz":
                    bgzip_blocks(packed)
                if ending == ".zst" and size > 0:
                    check_seek_table(packed, plain[:size])
                path.unlink()


def main():
    plain = sample(3_300_000)
    check_writes(plain)
    for size in (0, 1, 70_000, len(plain)):
        plain_path = write("plain", plain[:size])
        for packing, packers in PACKERS.items():
            for name, pack in packers.items():
                check_reads(packing, name, pack(plain[:size]), plain[:size], plain_path)
    zeros = bytes(9_000_000)
    zeros_path = write("plain", zeros)
    for packing, pack in (("gzip", in_parts(gzip.compress, 3_000_000)), ("gzip", gzip.compress),
                          ("bzip2", bz2.compress), ("lz4", PACKERS["lz4"]["lz4"]),
                          ("zstd", PACKERS["zstd"]["zstd -1"]), ("xz", lzma.compress)):
        check_reads(packing, "zeros", pack(zeros), zeros, zeros_path)
    small = plain[:300_000]
    for packing, name in (("gzip", "members"), ("zstd", "zstd -1"), ("zstd", "frames"), ("zstd", "seekable"),
                          ("lz4", "lz4"), ("lz4", "lz4 linked"), ("lz4", "lz4 block checksums"),
                          ("bzip2", "bzip2 -1"), ("xz", "xz blocks"), ("xz", "streams")):
        check_damage(packing, name, PACKERS[packing][name](small), small)
    legacy = packed_by("lz4", "-l", "-c")(small)
    status, _, words = run("cat", write("legacy", legacy))
    assert status == 1 and "unsupported: " in words and "legacy" in words, words
    for text in (b"BZh9 is how this text begins", b"\x1f\x8b is no header", b"(\xb5/", b"", b"x",
                 b"PAR1"):
        status, found, words = run("cat", write("text", text))
        assert (status, found, words) == (0, text, "none\n"), (text, words)
    wide = packed_by("zstd", "--long=28", "-c")(plain)
    status, _, words = run("cat", write("wide", wide))
    assert status == 1 and "limit: " in words and "window" in words, words


if __name__ == "__main__":
    main()
