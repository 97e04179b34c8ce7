"""A database in an object store, by the command and from several processes: what it can, that nobody
loses anything, that what fails says why. The server is the strict one of tests/support, or the one
that AWS_ENDPOINT_URL names when STOA_TEST_S3 is "real", with the bucket STOA_TEST_S3_BUCKET."""
import json
import os
import random
import signal
import subprocess
import sys
import time

import command
import oracle

SECRET = "stoa-test-secret-0123456789"
SEED = int(os.environ.get("STOA_TEST_SEED", time.time_ns() % 2**32))
ROWS = 500
REAL = os.environ.get("STOA_TEST_S3") == "real"
BUCKET = os.environ["STOA_TEST_S3_BUCKET"] if REAL else "lake"
PLAN = oracle.TMP / "plan"
ROOT = f"s3://{BUCKET}/{os.urandom(6).hex()}"
ENVIRONMENT = {}


def start_server():
    """Starts the server of tests/support, which ends with this process."""
    PLAN.write_text("")
    server = subprocess.Popen(
        [sys.executable, oracle.SOURCE / "tests/support/s3_server.py", "--plan", PLAN],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline().split()[1])
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(AWS_ACCESS_KEY_ID="stoatestkey", AWS_SECRET_ACCESS_KEY=SECRET,
                      AWS_REGION="us-east-1", AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
                      AWS_CONFIG_FILE="/nonexistent", AWS_SHARED_CREDENTIALS_FILE="/nonexistent")
    return server


def rows_file(name="rows.csv", first=0, count=ROWS):
    return command.write(name, "id,text\n" + "".join(f"{i},t{i}\n"
                                                     for i in range(first, first + count)))


def test_partitions_are_keys_as_they_are_folders(path):
    db = f"{ROOT}/{path.name}"
    command.ok("init", db)
    command.ok("sql", db, "create table t (id int, s varchar) partitioned by (s, bucket(2, id))")
    texts = ["a/b", "50%", "x=y", "a b", "ünï", "+", "..", ""]
    values = ", ".join(f"({i}, '{texts[i % len(texts)]}')" for i in range(64))
    command.ok("sql", db, f"insert into t values {values}, (64, null)")
    for text in texts:
        assert number(db, f"select count(*) from t where s = '{text}'") == 8, text
    assert number(db, "select sum(id) from t where s is null") == 64
    command.ok("sql", db, "update t set s = 'moved' where id < 8; delete from t where s = '+'")
    assert number(db, "select count(*) from t where s = 'moved'") == 8
    files = [f["file"] for f in json.loads(command.ok("files", db, "t", "--format", "json"))]
    assert any("/s=a%2Fb/id_bucket=" in file for file in files), files
    command.ok("expire", db, "t", "--older-than", "0s")
    assert number(db, "select count(*) from t") == 65 - 7
    assert "right" in command.ok("verify", db)


def number(database, query):
    return int(command.rows(database, query)[0][0])


def test_everything_that_a_directory_does(path):
    db = f"{ROOT}/{path.name}"
    command.ok("init", db)
    command.fails(1, "init", db, says=["already", db])
    command.ok("load", db, "t", rows_file())
    command.ok("load", db, "t", rows_file("more.csv", ROWS), "--mode", "append")
    assert number(db, "select count(*) from t") == 2 * ROWS
    assert number(db, f"select sum(id) from t where id >= {ROWS}") == sum(range(ROWS, 2 * ROWS))
    command.ok("sql", db, "create table u as select id % 10 as k, count(*) as n from t group by 1")
    assert number(db, "select count(*) from u join t on t.id = u.k") == 10
    command.ok("sql", db, "delete from t where id < 100")
    command.ok("sql", db, "update t set text = 'x' where id = 100")
    assert number(db, "select count(*) from t") == 2 * ROWS - 100
    assert number(db, "select count(*) from t where text = 'x'") == 1
    command.ok("sql", db, "begin; insert into t values (-1, 'a'); insert into u values (99, 1); commit")
    assert number(db, "select min(id) from t") == -1
    history = json.loads(command.ok("history", db, "t", "--format", "json"))
    assert [h["operation"] for h in history] == ["append", "append", "delete", "update", "append"]
    assert len(json.loads(command.ok("files", db, "t", "--format", "json"))) >= 2
    command.ok("rename", db, "u", "v")
    names = [t["table"] for t in json.loads(command.ok("tables", db, "--format", "json"))]
    assert names == ["t", "v"], names
    command.ok("verify", db)
    command.ok("expire", db, "t", "--older-than", "0s")
    assert number(db, "select count(*) from t") == 2 * ROWS - 99
    out = oracle.TMP / "t.parquet"
    command.ok("export", db, "t", "-o", out)
    command.ok("export", db, "t", "-o", f"{ROOT}/out/t.csv")
    assert number(":memory:", f"select count(*) from '{out}'") == 2 * ROWS - 99
    assert number(":memory:", f"select count(*) from '{ROOT}/out/*.csv'") == 2 * ROWS - 99
    command.ok("drop", db, "v")
    assert number(db, "select count(*) from t") == 2 * ROWS - 99


def test_nobody_loses_an_append(path):
    db = f"{ROOT}/{path.name}"
    data = rows_file()  # once: writing it again would empty it under those that read
    command.ok("load", db, "t", data)
    loads = [subprocess.Popen([os.environ["STOA_BIN"], "load", db, "t", data, "--mode",
                               "append"], stderr=subprocess.PIPE, text=True) for _ in range(6)]
    for load in loads:
        _, err = load.communicate(timeout=120)
        assert load.returncode == 0, err
    assert number(db, "select count(*) from t") == 7 * ROWS
    command.ok("verify", db)


def test_a_killed_load_is_there_whole_or_not_at_all(path):
    db = f"{ROOT}/{path.name}"
    choose = random.Random(SEED)
    print(f"seed {SEED}")
    data = rows_file("many.csv", 0, 40000)
    started = time.perf_counter()
    command.ok("load", db, "t", data)
    whole = time.perf_counter() - started
    done = 1
    for _ in range(8):
        load = subprocess.Popen([os.environ["STOA_BIN"], "load", db, "t", data, "--mode",
                                 "append"], stderr=subprocess.DEVNULL)
        try:
            load.wait(timeout=choose.uniform(0.1, 1.2) * whole)
        except subprocess.TimeoutExpired:
            load.send_signal(signal.SIGKILL)
            load.wait()
        count = number(db, "select count(*) from t")
        assert count % 40000 == 0 and count // 40000 >= done, (count, done)
        assert load.returncode != 0 or count // 40000 > done
        done = count // 40000
    command.ok("verify", db)


def test_failures_say_why(path):
    db = f"{ROOT}/{path.name}"
    command.fails(1, "tables", f"{ROOT}/nothing", says=["no database", f"{ROOT}/nothing"])
    line = command.fails(3, "init", db, says=["SignatureDoesNotMatch", "s3://"],
                         env={"AWS_SECRET_ACCESS_KEY": "a-wrong-secret-that-must-not-show"})
    assert "a-wrong-secret" not in line
    line = command.run("init", "s3://no-such-bucket-here/db")[2]
    assert "NoSuchBucket" in line, line


def test_faults_of_the_network(path):
    if REAL:
        return
    db = f"{ROOT}/{path.name}"
    command.ok("load", db, "t", rows_file())
    # The commit happens, and its answer is lost: the second try finds its own work.
    PLAN.write_text("1 0 PUT catalog.db lost\n")
    command.ok("load", db, "t", rows_file(), "--mode", "append")
    assert number(db, "select count(*) from t") == 2 * ROWS
    # Throttled, cut off, reset: tried again.
    PLAN.write_text("2 0 PUT parquet status 503:SlowDown\n1 0 GET catalog.db cut 100\n"
                    "1 0 HEAD catalog.db reset\n")
    command.ok("load", db, "t", rows_file(), "--mode", "append")
    PLAN.write_text("1 0 GET parquet cut 200\n1 0 GET parquet reset\n")
    assert number(db, "select count(*) from t") == 3 * ROWS
    # For ever: an error, and nothing of it shows.
    PLAN.write_text("99 0 PUT catalog.db status 503:SlowDown\n")
    command.fails(3, "load", db, "t", rows_file(), "--mode", "append", says=["SlowDown", db],
                  env={"AWS_MAX_ATTEMPTS": "2"})
    PLAN.write_text("")
    assert number(db, "select count(*) from t") == 3 * ROWS
    command.ok("verify", db)


def main():
    server = None if REAL else start_server()
    try:
        command.tests(globals())
    finally:
        if server is not None:
            server.stdin.close()
            server.wait()


main()
