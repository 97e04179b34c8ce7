"""`stoa cat`: the rows of files of every format, without a table, as they are read."""
import csv
import gzip
import io
import json
import os
import signal
import subprocess
import time

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

import command
import oracle
from command import fails, ok, write

TABLE = pa.table({"id": pa.array(range(1000), pa.int64()),
                  "name": [f"name, {i}" if i % 7 else None for i in range(1000)],
                  "half": [i / 2 for i in range(1000)]})


def shown(*arguments, **options):
    return list(csv.reader(io.StringIO(ok("cat", *arguments, **options))))


def files():
    pq.write_table(TABLE, oracle.TMP / "t.parquet", row_group_size=300)
    feather.write_feather(TABLE, oracle.TMP / "t.arrow", compression="zstd")
    with pa.ipc.new_stream(str(oracle.TMP / "t.arrows"), TABLE.schema) as out:
        out.write_table(TABLE)
    lines = ["id,name,half"] + [
        f'{i},{"" if n is None else chr(34) + n + chr(34)},{h}'
        for i, n, h in zip(*(TABLE[c].to_pylist() for c in TABLE.column_names))]
    write("t.csv", "\n".join(lines) + "\n")
    write("t.tsv", "\n".join(line.replace('"', "") for line in
                             ["id\tname\thalf"] + [
                                 f"{i}\t{n or ''}\t{h}" for i, n, h in
                                 zip(*(TABLE[c].to_pylist() for c in TABLE.column_names))]) + "\n")
    objects = TABLE.to_pylist()
    write("t.json", json.dumps(objects))
    write("t.jsonl", "\n".join(map(json.dumps, objects)) + "\n")
    write("t.csv.gz", gzip.compress((oracle.TMP / "t.csv").read_bytes()))
    write("t.parquet.gz", gzip.compress((oracle.TMP / "t.parquet").read_bytes()))
    return [oracle.TMP / f"t.{e}" for e in
            ("parquet", "arrow", "arrows", "csv", "tsv", "json", "jsonl", "csv.gz", "parquet.gz")]


EXPECTED = [["id", "name", "half"]] + [
    [str(i), n or "", str(h)] for i, n, h in zip(*(TABLE[c].to_pylist() for c in TABLE.column_names))]


def test_every_format(_):
    for path in files():
        assert shown(path) == EXPECTED, path


def test_columns_rows_and_limit_of_every_format(_):
    picked = [["half", "id"]] + [[row[2], row[0]] for row in EXPECTED[1:]
                                 if int(row[0]) > 500 and row[1] != ""]
    for path in files():
        found = shown(path, "--columns", "half, id", "--where", "id > 500 and name is not null",
                      "--limit", "333")
        assert found == picked[:334], path
        assert shown(path, "--limit", "3") == EXPECTED[:4], path
        assert shown(path, "--where", "name = 'name, 8'") == [EXPECTED[0], EXPECTED[9]], path
        assert shown(path, "--columns", "half") == [[row[2]] for row in EXPECTED], path


def test_standard_input(_):
    files()
    for name in ("t.parquet", "t.arrows", "t.jsonl"):
        data = (oracle.TMP / name).read_bytes()
        assert shown("-", stdin=data) == EXPECTED, name
    assert shown("-", "--input-format", "csv", "--limit", "1",
                 stdin=(oracle.TMP / "t.csv").read_bytes()) == EXPECTED[:2]


def test_several_files_are_one_result(_):
    files()
    both = EXPECTED + EXPECTED[1:]
    assert shown(oracle.TMP / "t.parquet", oracle.TMP / "t.parquet") == both
    assert shown(oracle.TMP / "t.arrow", oracle.TMP / "t.arrow") == both
    assert shown(oracle.TMP / "t.parquet", oracle.TMP / "t.csv", oracle.TMP / "t.arrow") == \
        both + EXPECTED[1:]
    pq.write_table(pa.table({"id": pa.array([-1.5]), "more": [True]}), oracle.TMP / "u.parquet")
    fails(1, "cat", oracle.TMP / "t.parquet", oracle.TMP / "u.parquet",
          says=["u.parquet", "'id'", "long", "double"])
    pq.write_table(pa.table({"id": pa.array([-1], pa.int8()), "more": [True]}),
                   oracle.TMP / "u.parquet")
    found = shown(oracle.TMP / "t.parquet", oracle.TMP / "u.parquet", "--where", "id < 2")
    assert found == [EXPECTED[0] + ["more"], EXPECTED[1] + [""], EXPECTED[2] + [""],
                     ["-1", "", "", "true"]]
    found = shown(oracle.TMP / "u.parquet", oracle.TMP / "t.csv", "--columns", "id,more",
                  "--where", "id < 1")
    assert found == [["id", "more"], ["-1", "true"], ["0", ""]]


def test_files_out(_):
    files()
    for ending, read in (("parquet", pq.read_table), ("arrow", feather.read_table)):
        out = oracle.TMP / f"out.{ending}"
        ok("cat", oracle.TMP / "t.parquet", "-o", out)
        assert read(out).cast(TABLE.schema).equals(TABLE), ending
        ok("cat", oracle.TMP / "t.csv", "--where", "id >= 990", "-o", out)
        assert read(out)["id"].to_pylist() == list(range(990, 1000)), ending


def test_mistakes_are_named(_):
    path = files()[0]
    fails(1, "cat", path, "--columns", "id,nme", says="'nme'")
    fails(1, "cat", path, "--where", "id >", says="id >")
    fails(1, "cat", path, "--where", "other = 1", says="other")
    fails(3, "cat", oracle.TMP / "absent.parquet", says="absent.parquet")
    fails(2, "cat", path, "--limit", "0", says="--limit")


def large():
    path = oracle.TMP / "large.parquet"
    if not path.exists():
        with pq.ParquetWriter(path, pa.schema([("id", pa.int64()), ("s", pa.string())])) as out:
            for i in range(20):
                ids = pa.array(range(i * 250_000, (i + 1) * 250_000), pa.int64())
                out.write_table(pa.table({"id": ids, "s": ids.cast(pa.string())}))
    return path


def test_a_reader_that_leaves_ends_it(_):
    """As `stoa cat | head -1` does."""
    path = large()
    with subprocess.Popen([os.environ["STOA_BIN"], "cat", path, "--format", "csv"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"id,s\n"
        process.stdout.close()
        # A pipe holds a few thousand lines of five million: it cannot have come to its end.
        process.wait(60)
        assert process.returncode != 0
        assert process.stderr.read().count(b"\n") <= 1


def test_interrupted(_):
    path = large()
    with subprocess.Popen([os.environ["STOA_BIN"], "cat", path, "--format", "csv"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        while process.stdout.read(1 << 20):
            pass
        assert process.wait(60) == 130
        assert process.stderr.read().count(b"\n") == 1


def test_memory_does_not_grow_with_the_file(_):
    path = large()
    small = {"STOA_MEMORY": "80MB", "STOA_THREADS": "2"}
    with subprocess.Popen([os.environ["STOA_BIN"], "cat", path, "--format", "csv"],
                          stdout=subprocess.PIPE, env=dict(os.environ, **small)) as process:
        count = sum(chunk.count(b"\n") for chunk in iter(lambda: process.stdout.read(1 << 20), b""))
        assert process.wait() == 0
    assert count == 5_000_001
    assert ok("cat", path, "--where", "id = 4999999", env=small) == "id,s\n4999999,4999999\n"


command.tests(globals())
