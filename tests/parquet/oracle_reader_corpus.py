"""Every file of the corpora is read with PyArrow's values, in batches of two sizes and on two threads,
or is named with its reason in parquet_reader_corpus.txt."""
import pathlib
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import oracle
import parquet_values

TOOL = oracle.tool("tool_parquet_read")
TESTING = oracle.shared("corpora/parquet-testing")
WRITERS = oracle.shared("corpora/parquet-writers")
LIST = pathlib.Path(__file__).with_name("parquet_reader_corpus.txt")
# As Spark reads them, the last in the year 290000, whose day it wrote with an overflow.
SPARK_MILLISECONDS = [1704141296123, 1704070800000, 253402225200000, 1735599600000, None,
                      9089380393200000]
WAYS = [[], ["batch=7", "threads=2"]]


def listed():
    names = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            name, said, _ = (part.strip() for part in line.split("|"))
            names[name] = said
    return names


def read(path, out, *words):
    done = subprocess.run([TOOL, path, out, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode in range(0, 13), f"{path}: ended by {done.returncode}: {done.stderr}"
    return done.returncode, done.stderr.strip()


def compare(path, out, words):
    """What is to be said of the file; None: read as PyArrow reads it."""
    status, said = read(path, out, *words)
    try:
        theirs = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError):
        theirs = None
    if theirs is None and status == 0:
        return "refused by PyArrow"
    if status != 0:
        return said
    with pa.ipc.open_stream(out) as stream:
        found = parquet_values.difference(stream.read_all(), theirs)
    return f"differs: {found}" if found else None


def main():
    names, wrong, count = listed(), [], 0
    files = sorted(TESTING.glob("*/*.parquet")) + sorted(TESTING.glob("data/*/*.parquet"))
    files += sorted(WRITERS.glob("*/*.parquet"))
    # PyArrow shows how variants are stored; oracle_variant.py looks at them.
    files = [path for path in files if path.parent.name != "shredded_variant"]
    seen = set()
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.arrows"
        for path in files:
            name = f"{path.parent.name}/{path.name}"
            want = names.get(name)
            seen.add(name)
            for words in WAYS if want is None and path.stat().st_size < 1 << 15 else WAYS[:1]:
                count += 1
                said = compare(path, out, words)
                if (want is None) != (said is None) or (want or "") not in (said or ""):
                    wrong.append(f"{name} {words}: {said}, expected {want}")
        status, said = read(TESTING / "data/int96_from_spark.parquet", out, "int96=ms")
        with pa.ipc.open_stream(out) as stream:
            values = stream.read_all().column(0).combine_chunks().view(pa.int64()).to_pylist()
        if status != 0 or values != SPARK_MILLISECONDS:
            wrong.append(f"int96_from_spark.parquet in milliseconds: {said} {values}")
    wrong += [f"{name} is named but not there" for name in names if name not in seen]
    print(f"{count} reads")
    assert not wrong, "\n".join(wrong)


main()
