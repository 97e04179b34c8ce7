"""Encrypted files: those of parquet-testing, and those that PyArrow writes with keys that its key server
tells us. Read with the right values by columns' and by keys' names, refused by name without keys, and
refused after any change of what is authenticated."""
import base64
import datetime
import json
import os
import pathlib
import random
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

import oracle
import parquet_values

TOOL = oracle.tool("tool_parquet_read")
INVALID, CORRUPT = 1, 7


def read(path, out, *words):
    done = subprocess.run([TOOL, path, out, *words], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr.strip()


def rows(out):
    with pa.ipc.open_stream(out) as stream:
        return stream.read_all()


def key_lines(footer, columns):
    lines = [f"footer {footer.hex()}"] + [f"column {name} {key.hex()}" for name, key in columns.items()]
    return "\n".join(lines) + "\n"


# ---- parquet-testing ----------------------------------------------------------------------------


def key_file(is_wide):
    """The keys of 256 bits begin as those of 128 and go on in the same way."""
    def key(first, last):
        digits = "".join(str((first + i) % 10) for i in range(31 if is_wide else 15)) + str(last)
        return digits.encode().hex()
    names = "".join(f"id kc{i} {key(1, i + (1 if is_wide else -1))}\n" for i in range(1, 9))
    return f"# of parquet-testing\nfooter {key(0, 1 if is_wide else 5)}\n{names}"


def singles(values):
    return pa.array(values, pa.float32()).to_pylist()


def expected(name, count):
    return {"boolean_field": [i % 2 == 0 for i in range(count)],
            "int32_field": [datetime.time(microsecond=1000 * i) for i in range(count)],
            "int64_field": [[2 * i * 10**12, (2 * i + 1) * 10**12] for i in range(count)],
            "float_field": singles([i * singles([1.1])[0] for i in range(count)]),
            "double_field": [i * 1.1111111 for i in range(count)],
            "ba_field": [b"parquet%03d" % i if i % 2 == 0 else None for i in range(count)],
            "flba_field": [bytes([i]) * 10 for i in range(count)]}[name]


def expected_bloom(name, count):
    return {"int32_field": list(range(count)), "name": [f"name_{i}" for i in range(count)],
            "float_field": [i + 0.25 for i in range(count)],
            "double_field": [i + 0.5 for i in range(count)]}[name]


def check_commands(path, keys, want, *more):
    """The command shows the same rows, and makes a table of them, in which they are not encrypted. Without
    keys neither does anything."""
    made, database = f"{keys}.parquet", f"{keys}.stoa"
    oracle.stoa("cat", "--keys", keys, path, "-o", made, *more)
    differs = parquet_values.difference(pq.read_table(made), want)
    assert differs is None, f"cat {path}: {differs}"
    if more:
        return
    mode = "overwrite" if pathlib.Path(database).exists() else "create"
    oracle.stoa("load", database, "t", path, "--keys", keys, "--mode", mode, "--quiet")
    oracle.stoa("export", database, "t", "-o", made, "--quiet")
    differs = parquet_values.difference(pq.read_table(made), want)
    assert differs is None, f"load {path}: {differs}"
    for words in (["cat", path], ["load", database, "none", path]):
        done = subprocess.run([os.environ["STOA_BIN"], *words], capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == 1 and done.stdout == "", f"{words}: {done}"
        assert "--keys FILE gives keys" in done.stderr, done.stderr


def check_corpus_file(path, out, keys):
    """Read whole, and not with less than what it was encrypted with."""
    text = key_file(path.parent.name == "aes256")
    prefix = "aad-prefix tester\n" if "disable_aad" in path.name else ""
    want = expected_bloom if "bloom" in path.name else expected
    for words in (["verify"], ["threads=2", "batch=7"]):
        keys.write_text(text + prefix)
        status, said = read(path, out, f"keys={keys}", "int96=ms", *words)
        assert status == 0, f"{path.name}: {said}"
        table = rows(out)
        assert table.num_rows >= 50
        for name in set(table.column_names) - {"int96_field"}:
            found = table.column(name).to_pylist()
            assert found == want(name, table.num_rows), f"{path.name}, {name}: {found[:5]}"
    names = [name for name in table.column_names if name != "int96_field"]
    check_commands(path, keys, table.select(names), "--columns", ",".join(names))
    if prefix:
        keys.write_text(text)
        status, said = read(path, out, f"keys={keys}", "int96=ms")
        assert status == INVALID and "AAD prefix" in said, f"{path.name}: {status} {said}"
        keys.write_text(text + "aad-prefix another\n")
        status, said = read(path, out, f"keys={keys}", "int96=ms")
        assert status == CORRUPT and "authenticate" in said, f"{path.name}: {status} {said}"
    status, said = read(path, out, "int96=ms")
    assert status == INVALID and ("encrypted" in said and "key" in said or "AAD prefix" in said), \
        f"{path.name}: {status} {said}"
    keys.write_text(text.replace("footer 3", "footer 4") + prefix)
    status, said = read(path, out, f"keys={keys}", "int96=ms")
    assert status == CORRUPT, f"{path.name} with a wrong key: {status} {said}"


def check_corpus(folder):
    corpus = oracle.shared("corpora/parquet-testing") / "data"
    out, keys = f"{folder}/out.arrows", pathlib.Path(folder, "keys")
    files = sorted(corpus.glob("*.encrypted")) + sorted(corpus.glob("aes256/*.encrypted"))
    # The keys of this one are wrapped in another file, for a key server to open.
    files = [path for path in files if "external_key_material" not in path.name]
    for path in files:
        check_corpus_file(path, out, keys)
    sealed = corpus / "uniform_encryption.parquet.encrypted"
    said = subprocess.run([os.environ["STOA_BIN"], "sql", ":memory:",
                           f"select * from read_parquet('{sealed}')"],
                          capture_output=True, text=True, timeout=120)
    assert said.returncode == 1 and "'stoa load --keys'" in said.stderr, said
    clear = corpus / "encrypt_columns_plaintext_footer.parquet.encrypted"
    status, said = read(clear, out, "fields=1,2")
    assert status == 0, said
    assert rows(out).column(0).to_pylist() == expected("boolean_field", 50)
    status, said = read(clear, out, "int96=ms")
    assert "column 'float_field': it is encrypted and no key was given for it (key 'kc2')" in said, \
        said
    keys.write_text(key_file(False))
    for words, want in (([], "locked"), (["--keys", keys], "with a key of its own")):
        said = oracle.stoa("inspect", "--pages", *words, clear)
        columns = json.loads(said)["row_groups"][0]["columns"]
        column = next(column for column in columns if column["path"] == "double_field")
        assert column["encrypted"] == want and ("pages" in column) == (want != "locked"), column
    return len(files)


# ---- PyArrow ------------------------------------------------------------------------------------


class Server(pe.KmsClient):
    """Wraps nothing, and tells which keys it was shown."""
    shown = []

    def __init__(self, config):
        super().__init__()

    def wrap_key(self, key_bytes, master_key_identifier):
        Server.shown.append((master_key_identifier, key_bytes))
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return base64.b64decode(wrapped_key)


def make_table(rng, count):
    def some(value):
        return value if rng.random() > 0.2 else None
    return pa.table({
        "i": pa.array([some(rng.randrange(-10**6, 10**6)) for _ in range(count)], pa.int64()),
        "s": pa.array([some(f"word {rng.randrange(50)}") for _ in range(count)]),
        "d": pa.array([some(rng.random()) for _ in range(count)]),
        "l": pa.array([some([some(rng.randrange(9)) for _ in range(rng.randrange(4))])
                       for _ in range(count)], pa.list_(pa.int32())),
        "t": pa.array([some({"a": rng.randrange(9), "b": some("x" * rng.randrange(9))})
                       for _ in range(count)]),
    })


def write(table, path, **options):
    Server.shown = []
    # `plaintext_footer`, `uniform_encryption` and so on, of the format's own words.
    writing = {name: options.pop(name) for name in ("data_page_version", "data_page_size",
                                                    "compression", "use_dictionary") if name in options}
    config = pe.EncryptionConfiguration(footer_key="f", double_wrapping=False, **options)
    factory = pe.CryptoFactory(lambda config: Server(config))
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties,
                          **writing) as writer:
        writer.write_table(table, row_group_size=300)
    shown = {}
    for name, key in Server.shown:
        shown.setdefault(name, []).append(key) # every column has a key of its own
    return shown


WAYS = [
    dict(column_keys={"a": ["i", "d"], "b": ["s", "l.list.element"]}),
    dict(column_keys={"a": ["i"]}, encryption_algorithm="AES_GCM_CTR_V1", data_page_version="2.0"),
    dict(column_keys={"a": ["s", "t.b"], "b": ["d"]}, plaintext_footer=True, compression="zstd"),
    dict(uniform_encryption=True, data_key_length_bits=256, data_page_size=300),
    dict(uniform_encryption=True, plaintext_footer=True, data_key_length_bits=192,
         use_dictionary=False, data_page_size=500),
]


def check_pyarrow(folder, rng):
    out, keys = f"{folder}/out.arrows", pathlib.Path(folder, "keys")
    path = f"{folder}/made.parquet"
    for way in WAYS:
        table = make_table(rng, 1000)
        shown = write(table, path, **way)
        columns = {column: key for name, named in way.get("column_keys", {}).items()
                   for column, key in zip(named, shown[name], strict=True)}
        keys.write_text(key_lines(shown["f"][0], columns))
        for words in (["verify"], ["threads=2", "batch=64"], ["rows=250+100,700+3"]):
            status, said = read(path, out, f"keys={keys}", *words)
            assert status == 0, f"{way} {words}: {said}"
            want = table if "rows" not in words[0] else \
                pa.concat_tables([table.slice(250, 100), table.slice(700, 3)])
            differs = parquet_values.difference(rows(out), want)
            assert differs is None, f"{way} {words}: {differs}"
        check_commands(path, keys, table)
        check_changes(path, out, keys, table, way, rng)


def check_changes(path, out, keys, table, way, rng):
    """A flipped bit is found or makes no difference; bodies of AES-CTR are not authenticated."""
    good = pathlib.Path(path).read_bytes()
    refused = 0
    for _ in range(12 if way.get("encryption_algorithm") else 40):
        at = rng.randrange(4, len(good) - 8)
        changed = bytearray(good)
        changed[at] ^= 1 << rng.randrange(8)
        pathlib.Path(path).write_bytes(changed)
        status, said = read(path, out, f"keys={keys}")
        assert status < 13, f"{way}: byte {at}: {status} {said}"
        refused += status != 0
        if status == 0 and not way.get("encryption_algorithm") and not way.get("plaintext_footer"):
            differs = parquet_values.difference(rows(out), table)
            assert differs is None, f"{way}: byte {at}: {differs}"
    assert refused > 0, way


def main():
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        check_pyarrow(folder, rng)
        print(f"{check_corpus(folder)} files of the corpus")


main()
