"""The command as people and scripts use it: help, usage, formats, exit codes, streams."""
import csv
import io
import json
import os
import signal
import stat
import subprocess
import time

import pyarrow.feather as feather
import pyarrow.parquet as pq

import command
import oracle
from command import fails, ok, rows, run, write

VERBS = ("init load sql shell tables schema summary history files export cat inspect put get delete "
         "scan compact publish stats drop rename alter expire verify completion manual").split()


def filled(db):
    """A small table to ask about."""
    ok("load", db, "t", write("t.csv", "id,name,score\n1,one,1.5\n2,two,\n3,thrée,-0.25\n"))
    return db


def test_help_is_everywhere_and_fits_80_columns(db):
    text = ok("--help")
    for verb in VERBS:
        assert f"  {verb}" in text
        one = ok(verb, "--help")
        assert one.startswith(f"usage: stoa {verb}") and "example" in one
        assert ok("help", verb) == one
        prose = one.split("\nexample")[0]
        assert max(map(len, prose.splitlines())) <= 80, verb
    assert max(map(len, text.splitlines())) <= 80
    assert ok("--version").startswith("stoa 0.")
    assert ".SH NAME" in ok("manual")
    for shell in ("bash", "zsh", "fish"):
        assert "summary" in ok("completion", shell)


def test_wrong_usage_ends_with_2(db):
    assert run()[0] == 2
    fails(2, "sqll", db, says="'sql'")
    fails(2, "load", db, says="DB TABLE FILE")
    fails(2, "sql", db, "select 1", "--fromat", "csv", says="--format")
    fails(2, "sql", db, "select 1", "--format", "xml", says=["xml", "jsonl"])
    fails(2, "tables", db, "extra", says="extra")
    fails(2, "load", db, "t", "x.csv", "--mode", "replace", says="replace")
    fails(2, "load", db, "t", "x.csv", "--mode", says="needs a value")
    fails(2, "expire", db, "t", "--older-than", "soon", says="soon")
    fails(2, "sql", db, "select 1", "--rows", "many", says="many")


def test_failures_have_their_codes(db):
    filled(db)
    fails(1, "sql", db, "select nothing from t", says="nothing")
    fails(1, "sql", db, "select * from tt", says="tt")
    fails(1, "sql", db, "selec 1", says="selec")
    fails(1, "schema", db, "x", says="x")
    fails(1, "drop", db, "tt", says="'t'")
    ok("drop", db, "tt", "--if-exists")
    fails(1, "init", db, says="already")
    fails(1, "tables", oracle.TMP / "none.stoa", says="none.stoa")
    fails(3, "cat", oracle.TMP / "none.csv", says="none.csv")
    fails(3, "export", db, "t", "-o", "/nowhere/at/all.csv", says="/nowhere/at/all.csv")
    fails(1, "sql", db, "select 'a'::int", says="'a'")


def test_formats(db):
    filled(db)
    query = "select id, name, score, [id] as list from t order by id"
    out = {f: ok("sql", db, query, "--format", f)
           for f in ("table", "csv", "tsv", "json", "jsonl", "markdown", "line")}
    assert list(csv.reader(io.StringIO(out["csv"])))[1:] == \
        [["1", "one", "1.5", "[1]"], ["2", "two", "", "[2]"], ["3", "thrée", "-0.25", "[3]"]]
    assert out["tsv"].splitlines()[1].split("\t") == ["1", "one", "1.5", "[1]"]
    expected = [{"id": 1, "name": "one", "score": 1.5, "list": [1]},
                {"id": 2, "name": "two", "score": None, "list": [2]},
                {"id": 3, "name": "thrée", "score": -0.25, "list": [3]}]
    assert json.loads(out["json"]) == expected
    assert [json.loads(line) for line in out["jsonl"].splitlines()] == expected
    assert out["markdown"].splitlines()[2].split("|")[2].strip() == "one"
    assert "name = thrée" in out["line"]
    lines = out["table"].splitlines()
    assert lines[0].split() == ["id", "name", "score", "list"]
    assert lines[1].split() == ["long", "string", "double", "list<long>"]
    assert lines[-1].strip() == "3 rows"
    assert ok("sql", db, query) == out["csv"], "a pipe gets csv"


def test_wide_characters_and_narrow_tables(db):
    text = ok("sql", ":memory:", "select '表' as a, 'x' as b union all select 'long' , 'y' "
              "order by b", "--format", "table")
    rows_ = text.splitlines()[3:5]
    assert rows_[0].index("x") + 1 == rows_[1].index("y"), "a wide character takes two columns"
    columns = ", ".join(f"'{'v' * 20}' as column_{i}" for i in range(12))
    narrow = ok("sql", ":memory:", f"select {columns}", "--format", "table", "--width", "60")
    assert max(map(len, narrow.splitlines())) <= 60, narrow
    many = ok("sql", ":memory:", "select * from range(1000)", "--format", "table")
    assert "1,000 rows (40 shown)" in many and " 999 " in many and " 500 " not in many


def test_files_are_written_whole_or_not_at_all(db):
    filled(db)
    for name in ("o.csv", "o.json", "o.jsonl", "o.parquet", "o.arrow", "o.md"):
        path = oracle.TMP / name
        path.write_text("before")
        query = "select id, name from t order by id"
        fails(1, "sql", db, "select 1 + 'x'::int", "-o", path)
        fails(1, "sql", db, "select id, error('no') from t", "-o", path)
        assert path.read_text() == "before"
        ok("sql", db, query, "-o", path)
    assert pq.read_table(oracle.TMP / "o.parquet").column("name").to_pylist() == \
        ["one", "two", "thrée"]
    assert feather.read_table(oracle.TMP / "o.arrow").num_rows == 3
    assert not [p for p in oracle.TMP.iterdir() if "tmp" in p.name or "partial" in p.name]


def test_sql_from_files_and_standard_input(db):
    filled(db)
    script = write("s.sql", "-- two; statements\nselect ';' as a; select count(*) from t")
    assert ok("sql", db, "-f", script) == "a\n;\ncount_star()\n3\n"
    assert ok("sql", db, stdin="select 7 as x") == "x\n7\n"
    assert ok("sql", db, "select 1 as a", "select 2 as b") == "a\n1\nb\n2\n"


def test_sql_changes_tables(db):
    filled(db)
    ok("sql", db, "insert into t values (4, 'four', 4)")
    ok("sql", db, "update t set score = 0 where score is null; delete from t where id = 1")
    assert rows(db, "select * from t order by id") == \
        [["2", "two", "0.0"], ["3", "thrée", "-0.25"], ["4", "four", "4.0"]]
    ok("sql", db, "create table u as select id * 2 as twice from t; drop table t")
    assert rows(db, "select sum(twice) from u") == [["18"]]
    assert ok("tables", db, "--format", "csv").splitlines()[1].startswith("u,parquet,3,")


def test_transactions_are_all_or_nothing(db):
    filled(db)
    fails(1, "sql", db, "begin; insert into t values (4, 'x', 1); select * from nothing; commit")
    assert rows(db, "select count(*) from t") == [["3"]]
    ok("sql", db, "begin; insert into t values (4, 'x', 1); create table v as select 1 as a; "
       "commit")
    assert rows(db, "select count(*) from t, v") == [["4"]]
    ok("sql", db, "begin; drop table v; rollback")
    assert rows(db, "select count(*) from v") == [["1"]]


def test_history_files_rename_expire_verify(db):
    filled(db)
    ok("sql", db, "insert into t values (4, 'four', 4)")
    history = list(csv.DictReader(io.StringIO(ok("history", db, "t"))))
    assert [h["rows"] for h in history] == ["3", "4"] and history[-1]["state"] == "current"
    assert len(ok("files", db, "t").splitlines()) == 3
    ok("rename", db, "t", "better name")
    assert rows(db, 'select count(*) from "better name"') == [["4"]]
    ok("sql", db, 'delete from "better name" where id = 4')
    ok("expire", db, "better name", "--older-than", "0s")
    assert len(list(csv.DictReader(io.StringIO(ok("history", db, "better name"))))) == 1
    assert "right" in ok("verify", db)
    data = [p for p in db.rglob("*.parquet")][0]
    whole = data.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        data.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1:])
        status, _, err = run("verify", db)
        assert status == 4 and data.name in err, (place, status, err)
    data.write_bytes(whole[:-1])
    assert run("verify", db)[0] == 4
    data.unlink()
    assert run("verify", db)[0] == 4
    data.write_bytes(whole)
    ok("verify", db)


def test_cat_and_inspect(db):
    filled(db)
    data = [p for p in db.rglob("*.parquet")][0]
    assert ok("cat", data).splitlines()[1] == "1,one,1.5"
    about = json.loads(ok("inspect", data))
    assert "row_groups" in json.dumps(about)
    assert ok("cat", write("x.jsonl", '{"a": 1}\n')) == "a\n1\n"
    fails(1, "inspect", write("x.csv", "a\n1\n"), says="text")


def test_interrupt_ends_with_130_and_leaves_nothing(db):
    filled(db)
    path = oracle.TMP / "long.csv"
    process = subprocess.Popen(
        [os.environ["STOA_BIN"], "sql", str(db),
         "select a.range * b.range as x from range(100000) a, range(1000000) b", "-o", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, (process.returncode, err)
    assert err == "stoa: sql: interrupted\n", err
    assert not [p for p in oracle.TMP.iterdir() if p.name.startswith((".stoa", "long"))]


def test_a_reader_that_goes_away(db):
    filled(db)
    rows = "select range as i, 'a text of some length' as t from range(2000000)"
    for form in ("csv", "jsonl", "arrows", "table"):
        process = subprocess.Popen([os.environ["STOA_BIN"], "sql", db, rows, "--format", form,
                                    *(["--rows", "0"] if form == "table" else [])],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1000)
        process.stdout.close()
        said = process.stderr.read().decode()
        assert (process.wait(timeout=60), said) == (141, ""), (form, process.returncode, said)
        process.stderr.close()
    assert ok("sql", db, "select 1 as a") == "a\n1\n", "the database is not left locked"


def test_shell_reads_a_pipe(db):
    filled(db)
    out = ok("shell", db, "--format", "csv", stdin=".tables\nselect count(*)\nfrom t;\n.mode json\n"
             "select 1 as a;\n")
    assert "3" in out and '{"a":1}' in out.replace("\n", "")
    status, out, err = run("shell", db, stdin="select nope;\nselect 2 as b;\n")
    assert status == 1 and "nope" in err and "2" in out, "a failure does not end the shell"


def test_summary_tells_counts_and_ranges(db):
    filled(db)
    found = {r["column"]: r for r in csv.DictReader(io.StringIO(ok("summary", db, "t")))}
    assert found["score"]["nulls"] == "1" and found["score"]["rows"] == "3"
    assert (found["id"]["min"], found["id"]["max"]) == ("1", "3")



def test_an_ending_packs_the_output(db):
    ok("init", db)
    ok("sql", db, "create table t as select range as n from range(50000)")
    plain = ok("export", db, "t", "--format", "csv")
    for name, program in [("t.csv.gz", "gzip"), ("t.csv.zst", "zstd"), ("t.csv.lz4", "lz4")]:
        path = oracle.TMP / name
        ok("export", db, "t", "-o", path)
        assert path.stat().st_size < len(plain), name
        assert oracle.run(program, "-dc", path) == plain, name
        assert rows(":memory:", f"select count(*), sum(n) from '{path}'") == [
            ["50000", str(sum(range(50000)))]], name
    fails(1, "export", db, "t", "-o", oracle.TMP / "t.csv.xz", says=["xz", "t.csv.xz"])
    assert not (oracle.TMP / "t.csv.xz").exists()


def test_an_export_is_written_as_asked_for(db):
    ok("init", db)
    ok("sql", db, "create table \"t t\" as select (n * 7919) % 1000 as n, n / 8 as d, "
       "'name' || n % 5 as s, {'x': n % 3} as p from range(5000) as r(n)")
    path = oracle.TMP / "o.parquet"

    def column(group, name):
        return next(c for c in group["columns"] if c["path"] == name)

    def exported(*words, source="t t"):
        ok("export", db, source, "-o", path, *words)
        return json.loads(ok("inspect", "--pages", path))

    groups = exported("--codec", "brotli", "--level", "3", "--row-group-rows", "2000", "--page-rows",
                      "500", "--encoding", "n=plain, s=dictionary")["row_groups"]
    assert [g["rows"] for g in groups] == [2000, 2000, 1000]
    assert column(groups[0], "d")["codec"] == "BROTLI"
    assert column(groups[0], "n")["encodings"] == ["PLAIN", "RLE"]
    assert len([p for p in column(groups[0], "n")["pages"] if "DATA" in p["kind"]]) == 4
    groups = exported("--profile", "modern", "--codec", "none", "--row-group-bytes", "64KiB",
                      "--page-bytes", "1KiB", "--bloom", "s, p.x")["row_groups"]
    assert len(groups) > 2 and column(groups[0], "n")["pages"][-1]["kind"] == "DATA_PAGE_V2"
    assert rows(":memory:", f"select count(distinct column_id) from parquet_metadata('{path}') "
                "where bloom_filter_offset is not null") == [["2"]]
    for source in ("t t", "select * from \"t t\"; "):
        exported("--sort", "n desc, s", source=source)
        sorting = pq.ParquetFile(path).metadata.row_group(0).sorting_columns
        assert [(c.column_index, c.descending) for c in sorting] == [(0, True), (2, False)]
        found = [int(r[0]) for r in rows(":memory:", f"select n from '{path}'")]
        assert found == sorted(found, reverse=True) and len(found) == 5000
    for words, says in [(["--codec", "lzo"], "codec: expected zstd"),
                        (["--level", "23"], "from -7 to 22 but found 23"),
                        (["--codec", "snappy", "--level", "1"], "level"),
                        (["--level", "0"], "--level"),
                        (["--profile", "new"], "profile: expected compatible or modern"),
                        (["--row-group-rows", "0"], "--row-group-rows"),
                        (["--row-group-bytes", "many"], "--row-group-bytes"),
                        (["--page-bytes", "2GiB"], "page_bytes: expected 1 to 1073741824"),
                        (["--encoding", "n=fast"], "COLUMN=ENCODING"),
                        (["--sort", "n,,s"], "sort: expected columns")]:
        fails(2, "export", db, "t t", "-o", oracle.TMP / "x.parquet", *words, says=says)
    fails(2, "export", db, "t t", "-o", oracle.TMP / "x.csv", "--codec", "none", says="Parquet")
    for words, says in [(["--bloom", "nope"], "there is no column 'nope'"),
                        (["--encoding", "s=delta_binary_packed"], "cannot be written as"),
                        (["--sort", "nope"], "nope")]:
        fails(1, "export", db, "t t", "-o", oracle.TMP / "x.parquet", *words, says=says)
    assert not (oracle.TMP / "x.parquet").exists()


def test_a_pipe_or_a_link_is_not_replaced_by_the_output(db):
    ok("init", db)
    pipe, link, file = (oracle.TMP / name for name in ("out.pipe", "out.link", "out.file"))
    os.mkfifo(pipe)
    file.write_text("before")
    link.symlink_to(file)
    for form, expected in (("csv", "a\n1\n"), ("jsonl", '{"a":1}\n'), ("line", "a = 1\n")):
        with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
            ok("sql", db, "select 1 as a", "--format", form, "-o", pipe)
            if not stat.S_ISFIFO(pipe.stat().st_mode):
                reader.kill()
            assert stat.S_ISFIFO(pipe.stat().st_mode), form
            assert reader.stdout.read() == expected, form
    ok("sql", db, "select 1 as a", "--format", "csv", "-o", link)
    assert link.is_symlink() and file.read_text() == "a\n1\n"


def test_queries_run_where_nobody_may_write(db):
    ok("load", db, "t", write("t.csv", "a\n1\n"))
    folders = [db, *(p for p in db.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    (db / "catalog.db").chmod(0o444)
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    oracle.TMP.chmod(0o755)
    def run_as(*words):
        return subprocess.run([os.environ["STOA_BIN"], *map(str, words)], capture_output=True,
                              text=True, check=False, cwd="/", **other)
    try:
        if run_as("--version").returncode != 0 or run_as("tables", db).returncode != 0:
            print("left out: the build folder cannot be reached by another user")
            return
        done = run_as("sql", db, "select a from t")
        assert (done.returncode, done.stdout) == (0, "a\n1\n"), done.stderr
        done = run_as("sql", db, "insert into t values (2)")
        assert done.returncode != 0 and len(done.stderr.splitlines()) == 1, done.stderr
    finally:
        for folder in folders:
            folder.chmod(0o755)

command.tests(globals())
