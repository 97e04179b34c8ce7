"""The matrix of files that the Parquet writer makes, as tests/parquet/oracle_readers.py lists it: what
PyArrow, DuckDB, Polars and Spark read must have the rows and the checksums of columns of what was
written, which come from the tool's JSON and not from a file. The score counts columns, one for each
judge; what a judge has no way to read counts as not passed. A quick run takes every encoding with each
version of pages, and leaves out Spark, whose turn takes minutes."""
import collections
import itertools
import os
import sys

import oracle

sys.path.insert(0, str(oracle.SOURCE / "tests/parquet"))
import oracle_readers as matrix
import reading
import xxhash
from parquet_judge import NAN, load

sys.path.insert(0, str(oracle.shared("judges/tables")))
import common

QUICK = bool(os.environ.get("STOA_JUDGE_QUICK"))
AT_ONCE = 120  # files on the disk

# Types that Spark has no way to read, by their names in the tool's JSON: it refuses the whole file.
SPARK_LACKS = {
    **{name: "Spark has no times of day" for name in ("time", "time_ms", "time_us", "time_ns")},
    "timestamp_ns": "Spark has no nanoseconds",
    "timestamptz_ns": "Spark has no nanoseconds",
    "unknown": "Spark refuses columns of nulls alone",
    "fixed": "Spark has no bytes of fixed length",
    "uuid": "Spark has no bytes of fixed length",
    "uint64": "Spark reads unsigned 64-bit integers as decimals",
}

SPARK_LACKS_ENCODING = {"byte_stream_split": "Spark has no BYTE_STREAM_SPLIT"}
SPARK_LACKS_CODEC = {"brotli": "Spark has no brotli"}


# ---- what was written ------------------------------------------------------------------------------

def canonical(field, value):
    """The canonical text of a value in parquet_judge's plain form, as common.py defines it."""
    if value is None:
        return None
    kind, children = field["type"], field["children"]
    if kind == "struct":
        parts = map(canonical, children, value)
        return b"{" + b"".join(map(common.child, parts)) + b"}"
    if kind == "list":
        return b"[" + b"".join(common.child(canonical(children[0], item)) for item in value) + b"]"
    if kind == "map":
        pairs = sorted(((canonical(children[0], k), canonical(children[1], v)) for k, v in value),
                       key=lambda pair: pair[0])
        return b"<" + b"".join(common.child(k) + common.child(v) for k, v in pairs) + b">"
    if kind == "boolean":
        return b"true" if value else b"false"
    if kind in ("float", "double"):
        digits = 8 if kind == "float" else 16
        quiet = 0x7FC00000 if kind == "float" else 0x7FF8000000000000
        return b"%0*x" % (digits, quiet if value == NAN else value)
    if kind.startswith("decimal"):
        digits = f"{abs(value):0{field['scale'] + 1}}"
        whole = len(digits) - field["scale"]
        text = f"{'-' if value < 0 else ''}{digits[:whole]}.{digits[whole:]}"
        return text.removesuffix(".").encode()
    if kind.startswith("time"):
        return b"%d" % (value if kind.endswith("_ns") else value // 1000)
    if kind == "uuid":
        return common.uuid_text(bytes.fromhex(value))
    return str(value).encode()


def written(fields, columns):
    """What a judge should find, in the form of read_parquet.py."""
    sums = {}
    for field, column in zip(fields, columns):
        texts = [canonical(field, value) for value in column]
        total = sum(xxhash.xxh64_intdigest(text) for text in texts if text is not None)
        sums[field["name"]] = {"nulls": texts.count(None),
                               "xxh64_sum": f"{total & (1 << 64) - 1:016x}"}
    return {"rows": len(columns[0]), "columns": sums,
            "schema": [{"name": field["name"], "type": field["type"]} for field in fields]}


def types_of(fields):
    """All types of leaves."""
    for field in fields:
        if field["children"]:
            yield from types_of(field["children"])
        else:
            yield field["type"]


# ---- the matrix ------------------------------------------------------------------------------------

def files():
    """(schema's name, settings, encodings) of every file."""
    flat = ((name, settings, []) for name, settings in matrix.cases())
    encoded = matrix.encoded_cases(whole=not QUICK)
    skipped = {"interval", "durations"}  # the checksums do not know them; oracle_readers.py does
    return [case for case in itertools.chain(flat, encoded) if case[0] not in skipped]


def write(place, case):
    """Writes a file; (path, what it holds, why Spark cannot read it or None)."""
    number, (name, settings, encodings) = case
    path = f"{place}/{number}.parquet"
    schema = {**matrix.SCHEMAS, **matrix.ENCODED}[name]
    words = [f"{key}={value}" for key, value in settings.items()] + encodings
    fields, columns = load(oracle.run(matrix.TOOL, path, schema, *words))
    lacks = {SPARK_LACKS.get(kind.split("[")[0]) for kind in types_of(fields)} - {None}
    return path, written(fields, columns), min(lacks, default=None)


class Tally:
    def __init__(self):
        self.passed = self.total = 0
        self.left_out = collections.Counter()
        self.wrong = []

    def compare(self, case, judge, expected, found):
        number, (name, settings, encodings) = case
        columns = len(expected["columns"])
        differ = reading.differences(expected, found)
        if judge == "duckdb" and differ:
            for field in expected["schema"]:
                if field["type"] == "timestamptz_ns" and differ.pop(field["name"], None):
                    self.left_out["DuckDB reads instants in microseconds"] += 1
                    columns -= 1
                    self.total += 1
        self.total += columns
        self.passed += 0 if "" in differ else columns - len(differ)
        words = " ".join([*(f"{k}={v}" for k, v in settings.items()), *encodings])
        self.wrong += [f"{number} ({name}, {words}): {judge}: column '{column}': {change}"
                       for column, change in differ.items()]


def judge(tally, cases, judges):
    """Writes some of the files and lets all judges read them."""
    with reading.folder() as place:
        made = reading.each(lambda case: write(place, cases[case]), range(len(cases)))
        for engine in judges:
            wanted = []
            for at, (path, expected, spark_lacks) in made.items():
                why = matrix.NOT_FOR.get((engine, cases[at][1][0]))
                if engine == "spark":
                    name, settings, _ = cases[at][1]
                    why = (spark_lacks or SPARK_LACKS_ENCODING.get(name.split()[0]) or
                           SPARK_LACKS_CODEC.get(settings.get("codec")))
                if why is None:
                    wanted.append(at)
                else:
                    tally.left_out[why] += len(expected["columns"])
                    tally.total += len(expected["columns"])
            found = reading.read([made[at][0] for at in wanted], engine) if wanted else {}
            for at in wanted:
                tally.compare(cases[at], engine, made[at][1], found[made[at][0]])


def main():
    judges = ["pyarrow", "duckdb", "polars"]
    if not QUICK and reading.interpreter("spark") is not None:
        judges.append("spark")
    cases, tally = list(enumerate(files())), Tally()
    for begin in range(0, len(cases), AT_ONCE):
        judge(tally, cases[begin:begin + AT_ONCE], judges)
    for reason, columns in sorted(tally.left_out.items()):
        print(f"not counted as passed, {columns} columns: {reason}")
    for line in tally.wrong[:100]:
        print(f"WRONG {line[:400]}")
    print(f"{len(cases)} files written, read by {', '.join(judges)}; {len(tally.wrong)} columns differ")
    print(f"score: {tally.passed}/{tally.total}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
