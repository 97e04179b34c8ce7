"""State tables from the command: rows by key, as words, lines and files, with readers beside."""
import csv
import io
import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import command
import oracle
from command import fails, ok, run, write

SEED = int(os.environ.get("STOA_TEST_SEED", time.time_ns() % 2**32))


def totals(db):
    """A table of totals by user and, newest first, day."""
    path = write("t.csv", "user,day,total,note\nada,2024-01-01,3,x\nbob,2024-01-02,4,\n")
    ok("load", db, "t", path, "--kind", "state", "--key", "user, day desc", "--merge", "total add",
       "--quiet")
    return db


def scanned(db, *options):
    """Rows of a scan as lists of texts."""
    return list(csv.reader(io.StringIO(ok("scan", db, "t", *options))))[1:]


def test_put_get_delete(db):
    totals(db)
    ok("put", db, "t", "ada", "2024-02-01", "5", "NULL")
    assert ok("get", db, "t", "ada", "2024-02-01") == \
        "user,day,total,note\nada,2024-02-01,5,\n"
    ok("put", db, "t", "ada", "2024-02-01", "-7", "new", "--merge")
    assert ok("get", db, "t", "ada", "2024-02-01", "--columns", "note, total", "--format", "jsonl") \
        == '{"note":"new","total":-2}\n'
    ok("delete", db, "t", "ada", "2024-02-01", "--durability", "sync")
    ok("delete", db, "t", "ada", "2024-02-01")
    fails(1, "get", db, "t", "ada", "2024-02-01", says="no such key")
    assert [r[0] for r in scanned(db)] == ["ada", "bob"]


def test_every_type_comes_back(db):
    values = {
        "boolean": ["false", "true"],
        "int8": ["-128", "127"],
        "int16": ["-32768", "32767"],
        "int": ["-2147483648", "2147483647"],
        "long": ["-9223372036854775808", "9223372036854775807"],
        "uint8": ["0", "255"],
        "uint16": ["0", "65535"],
        "uint32": ["0", "4294967295"],
        "uint64": ["0", "18446744073709551615"],
        "float": ["-1.5", "inf"],
        "double": ["-1e-300", "0.1"],
        "decimal(38, 2)": ["-12.50", "99999999999999999999999999999999999.99"],
        "date": ["1969-12-31", "2024-02-29"],
        "time": ["00:00:00", "23:59:59.999999"],
        "timestamp": ["1969-12-31 23:59:59.5", "2024-02-29 12:00:00"],
        "timestamptz": ["1969-12-31 23:59:59+00", "2024-02-29 12:00:00+00"],
        "string": ["", "naïve, \"quoted\""],
        "binary": ["", "a\\x00\\xFF"],
        "fixed[2]": ["\\x00\\x01", "zz"],
        "uuid": ["00112233-4455-6677-8899-aabbccddeeff", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    }
    for number, (type_, texts) in enumerate(values.items()):
        name = f"t{number}"
        make_table(db, name, type_)
        for text in texts:
            ok("put", db, name, "--", text, text)
        ok("put", db, name, "--", texts[0], "NULL")
        rows = [json.loads(line) for line in ok("scan", db, name, "--format", "jsonl").splitlines()]
        assert len(rows) == 2, (type_, rows)
        for text, row in zip(texts, rows):
            one = list(csv.reader(io.StringIO(ok("get", db, name, "--", text))))[1]
            assert one[0] == text or float_of(one[0]) == float_of(text), (type_, text, one)
            assert row["v"] is None if text == texts[0] else row["v"] == row["k"], (type_, row)


def float_of(text):
    """A number, or nothing."""
    try:
        return float(text)
    except ValueError:
        return None


def make_table(db, name, type_):
    """An empty table of a key and a value of one type."""
    ok("load", db, name, write("none.jsonl", "\n"), "--format", "jsonl", "--kind", "state", "--key", "k",
       "--schema", f"k {type_}, v {type_}", "--quiet")


def test_rows_as_json_and_lines(db):
    totals(db)
    ok("put", db, "t", "--json", '{"user": "c,d", "day": "2020-01-01", "total": 1}',
       '{"user": "e", "day": "2020-01-01"}')
    ok("put", db, "t", "-", stdin='{"user": "f", "day": "2020-01-01", "note": "n"}\n')
    ok("put", db, "t", "-", "--input-format", "csv", stdin="user,day,total,note\nf,2020-01-01,9,\n")
    assert [r[0] for r in scanned(db)] == ["ada", "bob", "c,d", "e", "f"]
    assert scanned(db, "--prefix", '"c,d"') == [["c,d", "2020-01-01", "1", ""]]
    assert scanned(db, "--prefix", "f") == [["f", "2020-01-01", "9", ""]]
    fails(1, "put", db, "t", "--json", '{"user": "g"}', says="day")
    fails(1, "put", db, "t", "--json", '{"user": "g", "day": "2020-01-01", "x": 1}', says="x")


def test_ranges(db):
    totals(db)
    for user in ("a", "b", "c"):
        for day in ("2024-01-01", "2024-01-02", "2024-01-03"):
            ok("put", db, "t", user, day, "1", "NULL")
    every = scanned(db)
    assert [r[:2] for r in every[:3]] == [["a", f"2024-01-0{d}"] for d in (3, 2, 1)]
    assert scanned(db, "--reverse") == every[::-1]
    assert scanned(db, "--from", "b", "--to", "c") == [r for r in every if r[0] in ("b", "bob")]
    assert scanned(db, "--from", "b,2024-01-02", "--to", "bob") == \
        [r for r in every if r[0] == "b"][1:]
    assert scanned(db, "--prefix", "b,2024-01-02") == [["b", "2024-01-02", "1", ""]]
    assert scanned(db, "--where", "total > 1", "--columns", "total") == [["3"], ["4"]]
    assert len(scanned(db, "--limit", "2")) == 2
    ok("delete", db, "t", "--from", "b", "--to", "c")
    assert scanned(db) == [r for r in every if r[0] not in ("b", "bob")]
    ok("compact", db, "t", "--from", "a", "--to", "b")
    ok("compact", db, "t")
    assert scanned(db) == [r for r in every if r[0] not in ("b", "bob")]
    ok("delete", db, "t", "--from", "a")
    assert scanned(db) == []
    assert "right" in ok("verify", db)


def test_repair(db):
    ok("init", db)
    fails(1, "repair", db, says="no state tables")
    totals(db)
    assert run("repair", db) == (0, "nothing is damaged\n", "")
    os.remove(pathlib.Path(db) / "state" / "CURRENT")
    fails(3, "scan", db, "t", says="CURRENT")
    status, out, err = run("repair", db, "--dry-run")
    assert (status, out) == (4, "1 damage found\n") and "CURRENT" in err
    fails(3, "scan", db, "t", says="CURRENT")
    status, out, err = run("repair", db)
    assert (status, out) == (0, "1 damage repaired\n") and "CURRENT" in err
    assert [r[0] for r in scanned(db)] == ["ada", "bob"]
    assert run("repair", db, "--dry-run") == (0, "nothing is damaged\n", "")
    ok("compact", db, "t")
    file = next((pathlib.Path(db) / "state").glob("*.sst"))
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    ok("put", db, "t", "cid", "2024-01-01", "1", "NULL")
    os.remove(pathlib.Path(db) / "state" / "CURRENT")
    status, out, err = run("verify", db)
    assert (status, out) == (4, "") and len(err.splitlines()) == 2, (status, out, err)
    assert "CURRENT" in err and file.name in err and "table 't': 2 rows" in err, err
    status, out, err = run("verify", db, "t")
    assert status == 4 and len(err.splitlines()) == 2, err
    status, out, err = run("repair", db)
    assert (status, out) == (0, "2 damages repaired\nlost: 2 rows of files, 0 changes of the log\n")
    assert "table 't': 2 rows with keys from (\"ada\", \"2024-01-01\") to" in err, err
    assert [r[0] for r in scanned(db)] == ["cid"]
    assert "right" in ok("verify", db)
    assert [f.name for f in (pathlib.Path(db) / "state" / "lost").iterdir()] == [file.name]


def test_publish(db):
    totals(db)
    assert run("publish", db, "t", "p") == (0, "", "published 2 rows as p\n")
    ok("put", db, "t", "ada", "2024-01-01", "5", "NULL", "--merge")
    assert ok("sql", db, "select * from p order by 1") == \
        "user,day,total,note\nada,2024-01-01,3,x\nbob,2024-01-02,4,\n"
    assert run("publish", db, "t", "p", "--quiet") == (0, "", "")
    assert ok("sql", db, "select total from p order by user") == "total\n8\n4\n"
    assert len(ok("history", db, "p", "--format", "csv").splitlines()) == 3
    fails(1, "publish", db, "p", "t", says=["'p'", "not 'state'"])
    fails(1, "publish", db, "none", "p", says="none")
    fails(2, "publish", db, "t")


def test_upsert_and_what_has_no_key(db):
    totals(db)
    more = write("more.csv", "user,day,total,note\nada,2024-01-01,9,y\neve,2024-01-01,1,\n")
    ok("load", db, "t", more, "--mode", "upsert")
    assert [r[0] + r[2] for r in scanned(db)] == ["ada9", "bob4", "eve1"]
    ok("load", db, "p", more)
    fails(1, "load", db, "p", more, "--mode", "upsert", says=["upsert", "'parquet'"])
    for verb in (("put", "x"), ("delete", "x"), ("get", "x"), ("scan",), ("compact",)):
        fails(1, verb[0], db, "p", *verb[1:], says="'parquet'")
    fails(2, "load", db, "q", more, "--kind", "state", says="--key")
    fails(2, "load", db, "q", more, "--merge", "total add", says="--merge")
    fails(1, "load", db, "q", more, "--kind", "state", "--key", "nobody", says="nobody")
    fails(1, "load", db, "q", more, "--kind", "state", "--key", "user", "--merge", "total fly",
          says="add")
    fails(2, "load", db, "q", more, "--kind", "state", "--key", "user", "--ttl", "day", says="--ttl")


def test_merge_and_how_files_are_kept(db):
    totals(db)
    more = write("more.csv", "user,day,total,note\nada,2024-01-01,9,y\neve,2024-01-01,1,\n"
                 "eve,2024-01-01,2,\n")
    ok("load", db, "t", more, "--mode", "merge")
    assert [r[0] + r[2] for r in scanned(db)] == ["ada12", "bob4", "eve3"]
    fails(2, "load", db, "t", more, "--mode", "fold", says=["merge", "fold"])
    state = ("--kind", "state", "--key", "user", "--quiet")
    ok("load", db, "f", more, *state, "--compaction", "fifo", "--fifo-bytes", "100000",
       "--filter-bits", "0")
    ok("load", db, "l", more, *state, "--compaction", "tiered", "--filter-bits", "16")
    manifest = json.loads(ok("inspect", next((db / "state").glob("MANIFEST-*"))))
    definitions = [t["definition"] for t in manifest["tables"]]
    kept = sorted((d["compaction"]["style"], d["compaction"]["fifo-bytes"], d["filter-bits"])
                  for d in definitions)
    assert kept == [("fifo", 100000, -1), ("leveled", 0, 10), ("tiered", 0, 16)]
    fails(2, "load", db, "g", more, *state, "--compaction", "fifo", says="--fifo-bytes")
    fails(2, "load", db, "g", more, *state, "--fifo-bytes", "10", says="--compaction")
    fails(2, "load", db, "g", more, *state, "--compaction", "none", says="leveled")
    fails(1, "load", db, "g", more, *state, "--filter-bits", "99", says="filter bits")
    fails(2, "load", db, "g", more, "--filter-bits", "9", says="--filter-bits")
    ok("load", db, "p", more, "--quiet")
    fails(1, "load", db, "p", more, "--mode", "merge", says=["merging", "'parquet'"])


def test_time_to_live(db):
    path = write("ttl.csv", "id,seen\n1,2000-01-01 00:00:00\n2,2999-01-01 00:00:00\n")
    ok("load", db, "t", path, "--kind", "state", "--key", "id", "--ttl", "seen 7d")
    assert [r[0] for r in scanned(db)] == ["2"]
    fails(1, "get", db, "t", "1", says="no such key")


def test_files_of_the_store_are_inspected(db):
    totals(db)
    ok("compact", db, "t")
    ok("put", db, "t", "eve", "2024-03-01", "1", "NULL")
    ok("put", db, "t", "eve", "2024-03-02", "2", "NULL")
    store = db / "state"
    manifest = json.loads(ok("inspect", next(store.glob("MANIFEST-*"))))
    assert manifest["format"] == "manifest" and not manifest["torn"]
    assert len(manifest["tables"]) == 1 and "day" in json.dumps(manifest["tables"][0]["definition"])
    assert [f["rows"] for f in manifest["files"]] == [2]
    table = next(store.glob("*.sst"))
    about = json.loads(ok("inspect", table, "--pages"))
    assert (about["format"], about["rows"], about["bytes"]) == ("sstable", 2, table.stat().st_size)
    assert [s["rows"] for s in about["stripes"]] == [2]
    assert about["stripes"][0]["first_key"] == manifest["files"][0]["first_key"]
    assert bytes.fromhex(about["stripes"][0]["first_key"]).startswith(b"ada")
    logs = [json.loads(ok("inspect", p, "--pages")) for p in store.glob("*.log")]
    assert sum(log["record_count"] for log in logs) >= 2
    assert all(len(log.get("records", [])) == log["record_count"] for log in logs)
    other = write("other.sst", table.read_bytes())
    fails(1, "inspect", other, says="NUMBER.sst")
    whole = table.read_bytes()
    for place in (len(whole) - 1, len(whole) - 20):
        table.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1:])
        fails(4, "inspect", table, says=table.name)
    table.write_bytes(whole)


def test_statistics(db):
    totals(db)
    ok("compact", db, "t")
    ok("put", db, "t", "eve", "2024-03-01", "1", "NULL")
    levels = list(csv.DictReader(io.StringIO(ok("stats", db))))
    assert levels[0]["level"] == "memory" and levels[0]["rows"] == "1", levels
    assert [(v["table"], v["files"], v["rows"], v["deletions"]) for v in levels[1:]] == \
        [("t", "1", "2", "0")]
    assert "\nstoa_state_" in ok("stats", db, "--prometheus")
    fails(2, "stats", db, "--prometheus", "--format", "csv", says="--prometheus")


def test_wrong_words(db):
    totals(db)
    fails(1, "put", db, "t", "ada", says=["4 values", "user, day, total, note"])
    fails(1, "put", db, "t", "NULL", "2024-01-01", "1", "x", says=["'user'", "null"])
    fails(1, "put", db, "t", "a", "2024-13-01", "1", "x", says=["'day'", "2024-13-01"])
    fails(1, "put", db, "t", "a", "2024-01-01", "1.5", "x", says=["'total'", "1.5"])
    fails(1, "get", db, "t", "ada", says=["2 values", "user, day"])
    fails(1, "scan", db, "t", "--from", "a,2024-01-01,5", says="--from")
    fails(1, "scan", db, "t", "--where", "nothing > 1", says="nothing")
    fails(1, "scan", db, "t", "--columns", "nothing", says="nothing")
    fails(1, "get", db, "none", "1", says="none")
    fails(2, "delete", db, "t", says="--from")
    fails(2, "delete", db, "t", "a", "2024-01-01", "--from", "a", says="not both")
    fails(2, "scan", db, "t", "--prefix", "a", "--from", "a", says="--prefix")
    fails(2, "scan", db, "t", "--limit", "0", says="--limit")
    fails(2, "put", db, "t", "a", "2024-01-01", "1", "x", "--durability", "maybe", says="maybe")
    fails(2, "put", db, "t", "-", "--merge", says="--merge")
    assert len(scanned(db)) == 2


def test_beside_a_writer_others_read(db):
    totals(db)
    writer = subprocess.Popen([os.environ["STOA_BIN"], "shell", str(db)], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True)
    writer.stdin.write("insert into t values ('y', '2024-01-01', 1, null);\n")
    writer.stdin.flush()
    me = str(writer.pid)
    lock = pathlib.Path(db) / "state" / "LOCK"
    until = time.monotonic() + 30
    while me not in lock.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    fails(1, "put", db, "t", "z", "2024-01-01", "1", "NULL", says=me)
    fails(1, "delete", db, "t", "ada", "2024-01-01", says=me)
    fails(1, "compact", db, "t", says=me)
    assert [r[0] for r in scanned(db)] == ["ada", "bob", "y"]
    assert ok("get", db, "t", "bob", "2024-01-02", "--columns", "total") == "total\n4\n"
    ok("publish", db, "t", "p", "--quiet")
    published = ok("sql", db, "select user, total from p order by 1")
    assert published == "user,total\nada,3\nbob,4\ny,1\n"
    writer.communicate(timeout=30)
    assert writer.returncode == 0
    ok("put", db, "t", "z", "2024-01-01", "1", "NULL")
    assert [r[0] for r in scanned(db)] == ["ada", "bob", "y", "z"]


def test_killed_puts_lose_nothing_that_was_acknowledged(db):
    make_table(db, "t", "long")
    choose = random.Random(SEED)
    print(f"seed {SEED}")
    acknowledged, sent, stop = set(), 0, time.monotonic() + 4
    while time.monotonic() < stop:
        process = subprocess.Popen([os.environ["STOA_BIN"], "put", str(db), "t", str(sent), str(-sent)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        timer = threading.Timer(choose.uniform(0, 0.06), process.send_signal, [signal.SIGKILL])
        timer.start()
        _, err = process.communicate()
        timer.cancel()
        assert process.returncode in (0, -signal.SIGKILL), f"seed {SEED}: {err}"
        if process.returncode == 0:
            acknowledged.add(sent)
        sent += 1
    rows = {int(k): int(v) for k, v in scanned(db)}
    assert acknowledged <= rows.keys(), f"seed {SEED}: lost {acknowledged - rows.keys()}"
    assert all(v == -k for k, v in rows.items()) and max(rows, default=0) < sent
    print(f"{sent} puts, {len(acknowledged)} acknowledged, {len(rows)} there")


def test_long_scans_end_when_nobody_reads_or_wants_them(db):
    ok("load", db, "t", write("many.csv", "k,v\n" + "".join(f"{i},{i * 7}\n" for i in range(300_000))),
       "--kind", "state", "--key", "k")
    assert len(scanned(db)) == 300_000
    head = subprocess.run(f"'{os.environ['STOA_BIN']}' scan '{db}' t | head -n 3; "
                          "echo ${PIPESTATUS[0]}", shell=True, executable="/bin/bash",
                          capture_output=True, text=True, check=True)
    assert head.stdout.splitlines() == ["k,v", "0,0", "1,7", "141"] and head.stderr == ""
    process = subprocess.Popen([os.environ["STOA_BIN"], "scan", str(db), "t"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == b"stoa: scan: interrupted\n", (process.returncode, err)


def test_results_go_where_they_are_asked_to(db):
    totals(db)
    path = oracle.TMP / "o.parquet"
    ok("scan", db, "t", "-o", path)
    assert ok("cat", path, "--columns", "user") == "user\nada\nbob\n"
    table = ok("scan", db, "t", "--format", "table")
    assert "2 rows" in table and max(map(len, table.splitlines())) <= 80
    ok("compact", db, "t")
    assert ok("tables", db).splitlines()[1].startswith("t,state,2,")


command.tests(globals())


def test_alter(db):
    totals(db)
    ok("alter", db, "t", "add", "score double", "rename", "note", "remark")
    assert ok("scan", db, "t", "--columns", "user,remark,score").splitlines() == \
        ["user,remark,score", "ada,x,", "bob,,"]
    assert ok("sql", db, "select remark, score from t where user = 'ada'") == "remark,score\nx,\n"
    ok("sql", db, "insert into t values ('eve', '2024-03-01', 1, 'y', 0.5)")
    ok("alter", db, "t", "drop", "remark")
    assert ok("get", db, "t", "eve", "2024-03-01").splitlines()[0] == "user,day,total,score"
    fails(1, "alter", db, "t", "add", "score double", says="score")
    fails(1, "alter", db, "t", "drop", "user", says="key")
    fails(2, "alter", db, "t", "drop", says="expected")
    fails(2, "alter", db, "t", "put", "x", says="expected add, drop")
    fails(2, "alter", db, "t", "rename", "x", says="COL NEW")
