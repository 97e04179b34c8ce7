"""What the judges of files share: Stoa loads files into tables, and other implementations read the
data files and the exports that it wrote, through the table judges' read_parquet.py. Its checksums of
columns do not depend on the order of rows, nor on how rows are split over files."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import oracle

READER = oracle.shared("judges/tables/read_parquet.py")
SECONDS = 120
MEMORY = "/dev/shm"  # a sync costs nothing there, and hundreds of small databases are made
WORKERS = os.cpu_count() or 1
CACHE = pathlib.Path(os.environ.get("STOA_JUDGES_CACHE", "~/.cache/stoa-judges")).expanduser()


def stoa(*arguments):
    """Runs the command; returns its exit status, output and last line of errors."""
    done = subprocess.run([os.environ["STOA_BIN"], *map(str, arguments)], capture_output=True,
                          timeout=SECONDS, stdin=subprocess.DEVNULL)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return done.returncode, done.stdout.decode(errors="replace"), said[-1] if said else ""


def folder():
    """An empty folder for databases, to be used in a with statement."""
    there = os.access(MEMORY, os.W_OK)
    return tempfile.TemporaryDirectory(prefix="stoa-judge.", dir=MEMORY if there else oracle.TMP)


def each(work, items):
    """`work` of each item, several at a time; a dictionary in the order of the items."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(items, pool.map(work, items)))


class Loaded:
    """One source as a table in a database of its own: its data files, or why it was refused."""

    def __init__(self, source, db):
        self.files, self.export = [], None
        # read_parquet.py sees INT96 as microseconds
        self.status, _, self.said = stoa("load", db, "t", source, "--int96", "us", "--quiet")
        if self.status == 0:
            listing = json.loads(stoa("files", db, "t", "--format", "json")[1])
            self.files = [str(db / row["file"]) for row in listing]
        self.said = self.said.replace(str(source), source.name)
        self.crashed = self.status not in (0, 1, 3, 4)
        self.db = db

    def export_table(self):
        """Writes the table to one Parquet file."""
        path = self.db / "export.parquet"
        status, _, said = stoa("export", self.db, "t", "-o", path, "--quiet")
        assert status == 0, f"export: {said}"
        self.export = str(path)


def load(sources, place, export=False):
    """Loads every source into a database under `place`; {source: Loaded}."""
    numbers = {source: number for number, source in enumerate(sources)}

    def one(source):
        loaded = Loaded(source, pathlib.Path(place) / f"db{numbers[source]}")
        if export and loaded.status == 0:
            loaded.export_table()
        return loaded

    return each(one, sources)


def interpreter(engine):
    """The Python that has an engine, or None. Spark has an environment of its own (spark.sh)."""
    if engine != "spark":
        return sys.executable
    return next(map(str, sorted(CACHE.glob("spark-*/bin/python"))), None)


def environment(engine):
    """With any jar named, Spark does not ask the network for those that Iceberg needs."""
    spark = interpreter("spark") if engine == "spark" else None
    jars = sorted(CACHE.glob("spark-*/lib/python*/site-packages/pyspark/jars/parquet-common-*.jar"))
    return {**os.environ, "RUST_BACKTRACE": "0", **({"JUDGE_JARS": str(jars[0])} if spark else {})}


def read(paths, engine):
    """{path: what `engine` read}; one that ends the reader's process is an error of that file."""
    found, left = {}, [str(path) for path in paths]
    while left:
        done = subprocess.run([interpreter(engine), str(READER), *left, "--engine", engine,
                               "--no-meta", "--lines"], capture_output=True, text=True,
                              env=environment(engine), cwd=oracle.TMP)
        for line in done.stdout.splitlines():
            found.update(json.loads(line))
        left = [path for path in left if path not in found]
        if left:
            found[left.pop(0)] = {"error": f"the reader ended with {done.returncode}: "
                                           f"{done.stderr.strip()[-200:]}"}
    return found


def read_each(paths, engines):
    """{engine: {path: what it read}}, engines side by side."""
    return each(lambda engine: read(paths, engine), list(engines))


def together(parts):
    """What was read of several files, as if they were one."""
    error = next((part["error"] for part in parts if "error" in part), None)
    if error is not None:
        return {"error": error}
    whole = {"rows": 0, "schema": parts[0]["schema"], "columns": {}}
    for part in parts:
        whole["rows"] += part["rows"]
        for name, column in part["columns"].items():
            sums = whole["columns"].setdefault(name, {"nulls": 0, "xxh64_sum": "0"})
            if column.get("skip"):
                whole["columns"][name] = column
                continue
            sums["nulls"] += column["nulls"]
            total = int(sums["xxh64_sum"], 16) + int(column["xxh64_sum"], 16)
            sums["xxh64_sum"] = f"{total & (1 << 64) - 1:016x}"
    return whole


def differences(expected, found):
    """{column: 'expected type → found type'} of the columns that differ; '' stands for the rows."""
    if "error" in found:
        return {"": found["error"]}
    if found["rows"] != expected["rows"]:
        return {"": f"expected {expected['rows']} rows but found {found['rows']}"}
    types = {field["name"]: field["type"] for field in found["schema"]}
    wrong = {}
    for field in expected["schema"]:
        name = field["name"]
        if name not in found["columns"]:
            wrong[name] = "missing"
        elif found["columns"][name] != expected["columns"][name]:
            wrong[name] = f"{field['type']} → {types[name]}"
    return wrong
