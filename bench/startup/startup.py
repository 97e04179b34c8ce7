"""startup.first_row: a whole process that prints the one row of a one-row table.

Ours is `stoa sql`, which loads the engine, opens the catalog and reads a Parquet file. The rivals are
the `sqlite3` program on a SQLite file, and the `duckdb` Python package on a DuckDB file (a Python
process with its import, which is what a user of the package pays). Medians of runs in turn."""
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

import duckdb

STOA = os.environ["STOA_BIN"]
WORK = pathlib.Path(os.environ["STOA_BENCH_DATA"]) / "startup"
RUNS = 40 if os.environ.get("FULL") else 20


def prepare():
    """The same row in three databases."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    (WORK / "one.csv").write_text("id,name\n1,first\n")
    subprocess.run([STOA, "load", WORK / "db", "one", WORK / "one.csv", "-q"], check=True)
    with sqlite3.connect(WORK / "one.sqlite") as con:
        con.execute("create table one (id integer, name text)")
        con.execute("insert into one values (1, 'first')")
    con = duckdb.connect(str(WORK / "one.duckdb"))
    con.execute("create table one as select 1 as id, 'first' as name")
    con.close()


def main():
    prepare()
    code = "import duckdb,sys; print(duckdb.connect(sys.argv[1], read_only=True)" \
           ".execute('select * from one').fetchall())"
    commands = {
        "ours": [STOA, "sql", str(WORK / "db"), "select * from one"],
        "sqlite3": ["sqlite3", str(WORK / "one.sqlite"), "select * from one"],
        "duckdb-python": [sys.executable, "-c", code, str(WORK / "one.duckdb")],
    }
    samples = {name: [] for name in commands}
    for run in range(RUNS + 2):
        for name, command in commands.items():
            started = time.perf_counter()
            result = subprocess.run(command, capture_output=True, check=True)
            seconds = time.perf_counter() - started
            assert b"first" in result.stdout
            if run >= 2:
                samples[name].append(seconds * 1e3)
    print(f"rival duckdb {duckdb.__version__}")
    print(f"rival sqlite {sqlite3.sqlite_version}")
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, values in samples.items():
        print(f"# {name}: {min(values):.1f} to {max(values):.1f} ms")
    for name in ("sqlite3", "duckdb-python"):
        print(f"ratio startup.first_row {medians['ours']:.2f} ms vs {name} {medians[name]:.2f} = "
              f"{medians[name] / medians['ours']:.3f}x")
    shutil.rmtree(WORK, ignore_errors=True)


main()
