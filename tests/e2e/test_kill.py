"""`kill -9` at any time: every load is there whole or not at all, and nothing that was acknowledged
is lost. Readers in other processes meanwhile see whole loads only."""
import os
import random
import signal
import subprocess
import sys
import threading
import time

import command
import oracle

SEED = int(os.environ.get("STOA_TEST_SEED", time.time_ns() % 2**32))
SECONDS = float(os.environ.get("STOA_KILL_SECONDS", "12"))
ROWS = 40_000
DATABASE = None  # of the run


def count(table="t"):
    """Rows of a table."""
    return int(command.rows(DATABASE, f"select count(*) from {table}")[0][0])


def load_and_kill(path, delay):
    """Starts a load and kills it after `delay` seconds; returns whether it had said that it was done."""
    process = subprocess.Popen(
        [os.environ["STOA_BIN"], "load", str(DATABASE), "t", str(path), "--mode", "append"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(delay, process.send_signal, [signal.SIGKILL])
    timer.start()
    _, err = process.communicate()
    timer.cancel()
    if process.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(f"exit status {process.returncode}: {err}")
    return process.returncode == 0


def data_files():
    """Parquet files in the database's directory, live or not."""
    return {p.name for p in DATABASE.rglob("*") if p.is_file() and ".parquet" in p.name}


def main(name, *options):
    global DATABASE
    DATABASE = oracle.TMP / f"{name}.stoa"
    choose = random.Random(SEED)
    lines = "\n".join(f"{i},value-{choose.randrange(10**9)}" for i in range(ROWS))
    path = command.write("rows.csv", "id,text\n" + lines + "\n")
    started = time.perf_counter()
    command.ok("load", DATABASE, "t", path, *options)
    whole = time.perf_counter() - started
    done, killed, before, stop = 1, 0, ROWS, time.monotonic() + SECONDS / 2
    torn = []

    def watch():
        while time.monotonic() < stop:
            rows = count()
            if rows % ROWS != 0:
                torn.append(rows)

    reader = threading.Thread(target=watch)
    reader.start()
    while time.monotonic() < stop:
        acknowledged = load_and_kill(path, choose.uniform(0, whole * 1.3))
        rows = count()
        assert rows % ROWS == 0, f"seed {SEED}: half a load: {rows} rows"
        assert rows in (before, before + ROWS), f"seed {SEED}: {before} rows became {rows}"
        assert not acknowledged or rows == before + ROWS, f"seed {SEED}: an acknowledged load is lost"
        done += rows > before
        killed += not acknowledged
        before = rows
    reader.join()
    assert not torn, f"seed {SEED}: a reader saw {torn}"
    assert "right" in command.ok("verify", DATABASE)
    command.ok("sql", DATABASE, "insert into t values (0, 'last')")
    command.ok("expire", DATABASE, "t", "--older-than", "0s")
    folders = {p for p in (DATABASE / "tables").rglob("*=*") if p.is_dir() and not any(p.iterdir())}
    assert not folders, f"seed {SEED}: empty folders of partitions: {folders}"
    live = {os.path.basename(f[0]) for f in
            (line.split(",") for line in command.ok("files", DATABASE, "t").splitlines()[1:])}
    assert live <= data_files()
    print(f"{name}: {done} loads done, {killed} killed, {len(data_files() - live)} files left over")


print(f"seed {SEED}")
main("kill")
main("partitions", "--partition", "bucket(3, id)")
