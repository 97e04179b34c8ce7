"""Loading orders rows into a `parquet` table, against DuckDB doing the like with the same file.

ingest.parquet   `stoa load` of an uncompressed Parquet file (written by PyArrow) against DuckDB's
                 COPY of the same file to Parquet with zstd. DuckDB runs at its own level and at
                 level 1, which is ours; the faster one is the rival. Ours is the whole process, with
                 start-up, validation, checksums, sync and catalog commit; DuckDB's is the statement
                 alone, without a sync.
ingest.csv       `stoa load` of a CSV file against DuckDB's CREATE TABLE AS into a database file,
                 CHECKPOINT included.
ingest.memory    the most resident memory of `stoa load` of the Parquet file, against DuckDB's COPY.
                 ingest.memory.csv is that of the CSV file alone.
ingest.load_scaling.*  a load on two threads against the same load on one, in turns: CSV, JSON Lines
                 (a fifth of the rows) and Parquet. Ours against ours, so a figure and no ratio.
load.cancel_latency.*  from the trigger of a token to the return of the load that carries it
                 (cancel.c), with everything that the load had made removed.

Files are in the page cache. Medians of runs that take turns; the spread is printed."""
import importlib.metadata
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

FULL = bool(os.environ.get("FULL"))
ROWS = 10_000_000 if FULL else 2_000_000
RUNS = 5 if FULL else 3
DATA = pathlib.Path(os.environ["STOA_BENCH_DATA"])
STOA = os.environ["STOA_BIN"]
WORK = DATA / "ingest"

RIVAL_CODE = """
import duckdb, sys, time
statement, database, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
con = duckdb.connect(database, config={"threads": threads})
con.execute("SET enable_progress_bar = false")
started = time.perf_counter()
for part in statement.split(";"):
    con.execute(part)
print(time.perf_counter() - started)
"""


def make_data():
    """The same rows as Parquet, as CSV and (some) as JSON Lines, kept from run to run. Made by
    another process: the peak memory of a child is never less than that of the process that started
    it."""
    parquet, csv = DATA / f"orders-{ROWS}.parquet", DATA / f"orders-{ROWS}.csv"
    jsonl = DATA / f"orders-{ROWS // 5}.jsonl"
    if not parquet.exists() or not csv.exists() or not jsonl.exists():
        subprocess.run([sys.executable, pathlib.Path(__file__).parent / "orders.py", str(ROWS),
                        parquet, csv, jsonl], check=True)
    for path in (parquet, csv, jsonl):
        with open(path, "rb") as file:  # into the page cache
            while file.read(1 << 24):
                pass
    return parquet, csv, jsonl


def fresh():
    """An empty folder, with nothing waiting to be written."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    os.sync()


def run_process(command, env):
    """Wall seconds, peak resident bytes, output."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed: {command}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024, output


def load(path, threads):
    """Our side: seconds and peak bytes, and the bytes on disk."""
    fresh()
    env = dict(os.environ, STOA_THREADS=str(threads))
    seconds, peak, _ = run_process([STOA, "load", str(WORK / "db"), "orders", str(path), "-q"], env)
    size = sum(p.stat().st_size for p in WORK.rglob("*.parquet"))
    return seconds, peak, size


def rival(statement, database, threads, suffix):
    """DuckDB's side."""
    fresh()
    _, peak, output = run_process(
        [sys.executable, "-c", RIVAL_CODE, statement, database, str(threads)], dict(os.environ))
    size = sum(p.stat().st_size for p in WORK.rglob(f"*{suffix}"))
    return float(output), peak, size


def compare(name, ours, rivals):
    """Runs all in turn; prints figures and the ratio against the fastest rival."""
    samples = {key: [] for key in ["ours", *rivals]}
    for run in range(RUNS + 1):  # the first is a warm-up
        for key, function in [("ours", ours), *rivals.items()]:
            sample = function()
            if run > 0:
                samples[key].append(sample)
    medians = {k: statistics.median(s[0] for s in v) for k, v in samples.items()}
    for key, values in samples.items():
        seconds = sorted(s[0] for s in values)
        print(f"# {name} {key}: {seconds[0]:.3f} to {seconds[-1]:.3f} s, "
              f"{values[0][2] / 1e6:.1f} MB")
    best = min(rivals, key=medians.get)
    mine, theirs = ROWS / medians["ours"] / 1e6, ROWS / medians[best] / 1e6
    print(f"ratio {name} {mine:.3f} Mrows/s vs {best} {theirs:.3f} = {mine / theirs:.3f}x", flush=True)
    return samples, best


def scaling(name, path):
    """One thread and two in turn; the medians' ratio, and the peak on two."""
    samples = {1: [], 2: []}
    for run in range(RUNS + 1):
        for threads in samples:
            sample = load(path, threads)
            if run > 0:
                samples[threads].append(sample)
    one, two = (statistics.median(s[0] for s in samples[t]) for t in (1, 2))
    print(f"# ingest.load_scaling.{name}: {one:.3f} s on one thread, {two:.3f} s on two")
    print(f"figure ingest.load_scaling.{name} {one / two:.3f} x", flush=True)
    return max(s[1] for s in samples[2])


def cancel(path):
    """How long a load goes on after it was told to end."""
    fresh()
    program = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_ingest_cancel"
    subprocess.run([program, path, WORK / "db", "2", "100" if FULL else "30"], check=True)


def main():
    parquet, csv, jsonl = make_data()
    print(f"rival duckdb {importlib.metadata.version('duckdb')}")
    print(f"figure ingest.rows {ROWS} rows")
    for threads in (1, 2):
        def copy(level):
            return (f"COPY (FROM '{parquet}') TO '{WORK}/out.parquet' "
                    f"(FORMAT parquet, COMPRESSION zstd{level})")
        samples, best = compare(
            f"ingest.parquet.{threads}t",
            lambda t=threads: load(parquet, t),
            {"duckdb-zstd": lambda t=threads: rival(copy(""), ":memory:", t, ".parquet"),
             "duckdb-zstd1": lambda t=threads: rival(copy(", COMPRESSION_LEVEL 1"), ":memory:", t,
                                                     ".parquet")})
        mine = samples["ours"][0]
        theirs = samples[best][0]
        print(f"ratio ingest.parquet.size.{threads}t {mine[2] / 1e6:.1f} MB vs {best} "
              f"{theirs[2] / 1e6:.1f} = {theirs[2] / mine[2]:.3f}x")
        if threads == 2:
            peak = max(s[1] for s in samples["ours"])
            rival_peak = max(s[1] for s in samples[best])
            print(f"ratio ingest.memory {peak / 1e6:.1f} MB vs {best} {rival_peak / 1e6:.1f} = "
                  f"{rival_peak / peak:.3f}x")
    for threads in (1, 2):
        statement = (f"CREATE TABLE orders AS FROM read_csv('{csv}'); CHECKPOINT")
        compare(f"ingest.csv.{threads}t",
                lambda t=threads: load(csv, t),
                {"duckdb": lambda t=threads: rival(statement, str(WORK / "out.duckdb"), t,
                                                   ".duckdb")})
    peak = scaling("csv", csv)
    print(f"figure ingest.memory.csv {peak / 1e6:.1f} MB")
    scaling("jsonl", jsonl)
    scaling("parquet", parquet)
    cancel(csv)
    shutil.rmtree(WORK, ignore_errors=True)


main()
