"""Backups by the command: `kill -9` in the middle of one leaves the earlier generations whole, another
process may write meanwhile, and other programs read what is restored."""
import os
import random
import signal
import subprocess
import sys
import threading
import time

import command
import oracle

sys.dont_write_bytecode = True
import duckdb
import pyarrow.parquet as pq

SEED = int(os.environ.get("STOA_TEST_SEED", time.time_ns() % 2**32))
KILLS = 8
ROWS = 60_000


def names(folder):
    """Names of generations, or of objects."""
    return sorted(p.name for p in folder.iterdir())


def make_database(database):
    """A Parquet table with a snapshot more each time, and a state table."""
    choose = random.Random(SEED)
    lines = "\n".join(f"{i},value-{choose.randrange(10**9)}" for i in range(ROWS))
    path = command.write("rows.csv", "id,text\n" + lines + "\n")
    command.ok("load", database, "p", path, "--codec", "none")
    command.ok("load", database, "s", path, "--kind", "state", "--key", "id")
    return path


def back_up_and_kill(database, backup, delay):
    """Starts a backup and kills it after `delay` seconds; returns whether it had said that it was done."""
    process = subprocess.Popen([os.environ["STOA_BIN"], "backup", str(database), str(backup)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(delay, process.send_signal, [signal.SIGKILL])
    timer.start()
    _, err = process.communicate()
    timer.cancel()
    assert process.returncode in (0, -signal.SIGKILL), f"exit status {process.returncode}: {err}"
    return process.returncode == 0


def check_restored(backup, target, rows):
    """The newest generation as a database: it is sound, and can be written."""
    command.ok("restore", backup, target)
    command.ok("verify", target)
    assert command.rows(target, "select count(*) from p") == [[str(rows)]]
    assert command.rows(target, "select count(*), min(id), max(id) from s") == [
        [str(ROWS), "0", str(ROWS - 1)]]
    command.ok("put", target, "s", ROWS, "more")
    assert command.ok("get", target, "s", ROWS).splitlines()[1] == f"{ROWS},more"


def test_killed_backups(database):
    """Whatever the moment, what was there stays, and the next backup clears the rest away."""
    backup = oracle.TMP / "kill-backup"
    path = make_database(database)
    choose = random.Random(SEED)
    started = time.perf_counter()
    command.ok("backup", database, backup)
    whole, done, rows = time.perf_counter() - started, 1, ROWS
    for _ in range(KILLS):
        command.ok("load", database, "p", path, "--mode", "append", "--codec", "none")
        rows += ROWS
        finished = back_up_and_kill(database, backup, choose.uniform(0, 1.2 * whole))
        found = len([n for n in names(backup / "generations") if n[0] != "."])
        assert found in (done, done + 1) and (not finished or found == done + 1)
        done = found
        command.ok("backup", backup, "--verify")
    command.ok("backup", database, backup)
    assert len(names(backup / "generations")) == done + 1
    assert not [p for p in backup.rglob("*") if p.name.startswith(".stoa-tmp-")]
    check_restored(backup, oracle.TMP / "killed.stoa", rows)
    command.ok("backup", backup, "--keep", "1")
    assert len(names(backup / "generations")) == 1
    command.ok("backup", backup, "--verify")


def test_restored_files_are_parquet(database):
    """PyArrow and DuckDB read the files of a restored table where they lie."""
    backup, target = oracle.TMP / "read-backup", oracle.TMP / "read-again.stoa"
    make_database(database)
    command.ok("backup", database, backup)
    check_restored(backup, target, ROWS)
    expected = command.rows(database, "select count(*), min(text), max(text) from p")
    files = [str(p) for p in (target / "tables").rglob("*.parquet")]
    assert len(files) == 1
    texts = pq.read_table(files[0])["text"].to_pylist()
    assert [[str(len(texts)), min(texts), max(texts)]] == expected
    found = duckdb.sql(f"select count(*), min(text), max(text) from read_parquet('{files[0]}')")
    assert [[str(v) for v in row] for row in found.fetchall()] == expected


def test_beside_a_writer(database):
    """A process that has the lock of the state tables keeps it; what it wrote before is in the backup."""
    backup, target = oracle.TMP / "beside-backup", oracle.TMP / "beside-copy.stoa"
    make_database(database)
    shell = subprocess.Popen([os.environ["STOA_BIN"], "shell", str(database)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        shell.stdin.write(f"insert into s values ({ROWS}, 'by the shell');\nselect 'writ' || 'ten';\n")
        shell.stdin.flush()
        while "written" not in shell.stdout.readline():
            pass
        line = command.fails(1, "put", database, "s", "1", "x")
        assert str(shell.pid) in line
        command.ok("backup", database, backup)
        command.ok("clone", database, target)
        assert command.ok("get", target, "s", ROWS).splitlines()[1] == f"{ROWS},by the shell"
        command.ok("verify", target)
    finally:
        shell.stdin.close()
        shell.wait()
    command.ok("restore", backup, oracle.TMP / "beside-again.stoa")
    assert command.rows(oracle.TMP / "beside-again.stoa", "select count(*) from s") == [[str(ROWS + 1)]]


def test_words(_):
    """What is asked for wrongly is told."""
    command.fails(2, "backup", "x", says="expected DB and BACKUP")
    command.fails(2, "backup", "x", "--list", "--verify", says="one of --list")
    command.fails(2, "backup", "x", "--list", "--generation", "1", says="--generation")
    command.fails(1, "backup", oracle.TMP / "none", "--list", says="no backup")
    command.fails(1, "restore", oracle.TMP / "none", oracle.TMP / "y", says="no backup")
    command.fails(1, "backup", ":memory:", oracle.TMP / "memory", says=":memory:")


print(f"seed {SEED}")
command.tests(globals())
