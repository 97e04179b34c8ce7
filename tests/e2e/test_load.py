"""Loading: every format goes in, what is read back is what other readers see in the file, and what
does not fit leaves nothing behind."""
import datetime
import decimal
import gzip
import json
import os
import subprocess
import sys
import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq

import command
import oracle
from command import fails, ok, rows, write

CSV = 'id,name,score\n1,one,1.5\n2,"two, with a comma",\n3,"says ""three""",-0.25\n'
ROWS = [["1", "one", "1.5"], ["2", "two, with a comma", ""], ["3", 'says "three"', "-0.25"]]
SELECT = "select * from t order by id"


def sample():
    """A table with most types that Parquet and Arrow files bring."""
    zone = datetime.timezone.utc
    return pa.table({
        "b": pa.array([True, None, False]),
        "i8": pa.array([1, None, -128], pa.int8()),
        "u64": pa.array([0, None, 2**64 - 1], pa.uint64()),
        "f": pa.array([1.5, None, float("inf")], pa.float32()),
        "dec": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-99999999.99")],
                        pa.decimal128(10, 2)),
        "d": pa.array([datetime.date(1900, 1, 1), None, datetime.date(9999, 12, 31)]),
        "ts": pa.array([datetime.datetime(2024, 2, 29, 1, 2, 3, 456789), None,
                        datetime.datetime(1969, 12, 31, 23, 59, 59)], pa.timestamp("us")),
        "tz": pa.array([datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=zone), None,
                        datetime.datetime(1969, 12, 31, tzinfo=zone)], pa.timestamp("us", "UTC")),
        "s": pa.array(["", None, "zwölf 十二 🂡"]),
        "bin": pa.array([b"", None, b"\x00\xff"]),
        "list": pa.array([[1, None], None, []], pa.list_(pa.int32())),
        "struct": pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": None}],
                           pa.struct([("x", pa.int64()), ("y", pa.string())])),
    })


def exported(database, query="t"):
    """What the table holds, by way of PyArrow."""
    path = oracle.TMP / "out.arrow"
    ok("export", database, query, "-o", path, "-q")
    return feather.read_table(path)


def same(found, expected):
    """Equal by value and by type, as far as Arrow calls the types the same."""
    assert found.column_names == expected.column_names
    for name in expected.column_names:
        left, right = found[name], expected[name]
        assert left.type == right.type, (name, left.type, right.type)
        assert left.to_pylist() == right.to_pylist(), name


def test_csv(db):
    ok("load", db, "t", write("t.csv", CSV))
    assert rows(db, SELECT) == ROWS


def test_csv_from_standard_input(db):
    ok("load", db, "t", "-", "--format", "csv", stdin=CSV)
    assert rows(db, SELECT) == ROWS


def test_tsv(db):
    ok("load", db, "t", write("t.tsv", "id\tname\n1\ta,b\n2\tc\n"))
    assert rows(db, SELECT) == [["1", "a,b"], ["2", "c"]]


def test_compressed_csv(db):
    import pyarrow as arrow
    ok("load", db, "gz", write("t.csv.gz", gzip.compress(CSV.encode())))
    for codec, ending in (("zstd", "zst"), ("lz4", "lz4"), ("bz2", "bz2")):
        path = oracle.TMP / f"t.csv.{ending}"
        with arrow.output_stream(str(path), compression=codec) as out:
            out.write(CSV.encode())
        ok("load", db, ending, path)
        assert rows(db, f"select * from {ending} order by id") == ROWS, codec
    assert rows(db, "select * from gz order by id") == ROWS


def test_json_and_json_lines(db):
    objects = [{"id": 1, "tags": ["a", "b"]}, {"id": 2, "tags": []}, {"id": -3, "tags": None}]
    ok("load", db, "a", write("t.json", json.dumps(objects)))
    ok("load", db, "l", write("t.jsonl", "\n".join(map(json.dumps, objects))))
    for table in "al":
        assert command.objects(db, f"select * from {table} order by id desc") == \
            [objects[1], objects[0], objects[2]], table
    assert "long" in ok("schema", db, "a"), "numbers of both signs are whole numbers"


def test_parquet_and_arrow(db):
    table = sample()
    pq.write_table(table, oracle.TMP / "t.parquet")
    feather.write_feather(table, oracle.TMP / "t.arrow", compression="zstd")
    with pa.ipc.new_stream(str(oracle.TMP / "t.arrows"), table.schema) as out:
        out.write_table(table)
    for name in ("t.parquet", "t.arrow", "t.arrows"):
        ok("load", db, "t", oracle.TMP / name, "--mode", "overwrite" if db.exists() else "create")
        same(exported(db), table)


def test_memory_kind_and_memory_database(db):
    ok("load", db, "t", write("t.csv", CSV), "--kind", "memory")
    assert ok("sql", ":memory:", f"select count(*) from '{oracle.TMP}/t.csv'") == \
        "count_star()\n3\n"


def test_globs_keep_the_order_of_names(db):
    for i in range(3):
        write(f"parts/p{i}.csv", f"id,part\n{i},{i}\n")
    ok("load", db, "t", oracle.TMP / "parts/p*.csv")
    assert rows(db, "select * from t") == [["0", "0"], ["1", "1"], ["2", "2"]]


def test_files_with_other_columns_are_united_by_name(db):
    write("mixed/a.csv", "a,b\n1,x\n2,y\n")
    write("mixed/b.csv", "b;c;a\nz;1.5;7.25\n")
    write("mixed/c.csv", "c,a,d\n2024-01-01,foo,3\n")
    ok("load", db, "two", oracle.TMP / "mixed/a.csv", oracle.TMP / "mixed/b.csv")
    assert rows(db, "from two") == [["1.0", "x", ""], ["2.0", "y", ""], ["7.25", "z", "1.5"]]
    ok("load", db, "all", oracle.TMP / "mixed/*.csv")
    assert rows(db, 'from "all"') == [["1", "x", "", ""], ["2", "y", "", ""],
                                      ["7.25", "z", "1.5", ""], ["foo", "", "2024-01-01", "3"]]


def test_append_overwrite_create(db):
    path = write("t.csv", CSV)
    ok("load", db, "t", path)
    ok("load", db, "t", path, "--mode", "append")
    assert rows(db, "select count(*) from t") == [["6"]]
    ok("load", db, "t", path, "--mode", "overwrite")
    assert rows(db, "select count(*) from t") == [["3"]]
    fails(1, "load", db, "t", path, says=["'t' exists", "--mode"])
    assert rows(db, "select count(*) from t") == [["3"]]


def test_schema_option_gives_types(db):
    uid = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    path = write("t.csv", f"id,price,code,key\n1,12.50,007,{uid}\n")
    ok("load", db, "t", path, "--schema",
       "id long not null, price decimal(9, 2), code string, key uuid")
    assert rows(db, "select id, price, code, key, typeof(price), typeof(key) from t") == \
        [["1", "12.50", "007", str(uid), "DECIMAL(9,2)", "UUID"]]
    text = ok("schema", db, "t", "--format", "csv")
    assert "1,id,long,not null," in text and "decimal(9, 2)" in text and "uuid" in text


def test_missing_optional_column_is_null_and_unknown_one_is_an_error(db):
    ok("load", db, "t", write("t.csv", CSV))
    ok("load", db, "t", write("u.csv", "id,name\n4,four\n"), "--mode", "append")
    assert rows(db, "select * from t where id = 4") == [["4", "four", ""]]
    fails(1, "load", db, "t", write("v.csv", "id,name,color\n5,five,red\n"), "--mode", "append",
          says="color")
    fails(1, "load", db, "t", write("v.jsonl", '{"id": 5, "color": "red"}\n'), "--mode", "append",
          says="color")
    assert rows(db, "select count(*) from t") == [["4"]]


def test_a_value_that_does_not_fit_is_named(db):
    lines = ["id,n"] + [f"{i},{i}" for i in range(30000)] + ["30000,many"]
    line = fails(1, "load", db, "t", write("bad.csv", "\n".join(lines) + "\n"),
                 "--schema", "id long, n long", says=["bad.csv", "line 30002", "'n'", "many"])
    assert "\n" not in line
    assert ok("tables", db, "--format", "csv").count("\n") <= 1


def test_rejected_rows_are_set_aside(db):
    path = write("some.csv", "id,n\n1,10\n2,ten\n3,30\nx,40\n")
    rejects = oracle.TMP / "rejects.jsonl"
    ok("load", db, "t", path, "--schema", "id long, n long", "--on-error", f"reject:{rejects}")
    assert rows(db, "select * from t order by id") == [["1", "10"], ["3", "30"]]
    found = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(r["line"], r["column"]) for r in found] == [(3, "n"), (5, "id")]
    assert all("some.csv" in r["file"] for r in found)


def test_rejected_nulls_are_set_aside(db):
    table = pa.table({"id": pa.array([1, None, 3, None], pa.int64()), "n": [1, 2, 3, 4]})
    pq.write_table(table, oracle.TMP / "nulls.parquet")
    rejects = oracle.TMP / "nulls.jsonl"
    path = oracle.TMP / "nulls.parquet"
    fails(1, "load", db, "t", path, "--schema", "id long not null, n long",
          says=["row 1", "'id'", "null"])
    ok("load", db, "t", path, "--schema", "id long not null, n long", "--on-error",
       f"reject:{rejects}")
    assert rows(db, "select n from t order by n") == [["1"], ["3"]]
    assert [json.loads(line)["row"]["n"] for line in rejects.read_text().splitlines()] == [2, 4]


def test_malformed_files(db):
    bad_utf8 = b"id,name\n1,ok\n2,\xff\xfe\n"
    fails(1, "load", db, "t", write("bad8.csv", bad_utf8), says=["bad8.csv"])
    fails(1, "load", db, "t", write("bad.json", '[{"id": 1}, {"id": '), says=["bad.json"])
    fails(1, "load", db, "t", write("bad.jsonl", '{"id": 1}\n{"id" 2}\n'), says=["bad.jsonl"])
    fails(1, "load", db, "t", write("empty.csv", ""), says=["empty.csv", "empty"])
    pq.write_table(sample(), oracle.TMP / "cut.parquet")
    whole = (oracle.TMP / "cut.parquet").read_bytes()
    write("cut.parquet", whole[:len(whole) // 2])
    status, out, err = command.run("load", db, "t", oracle.TMP / "cut.parquet")
    assert status in (1, 3, 4) and out == "" and len(err.splitlines()) == 1, (status, err)
    assert "cut.parquet" in err
    feather.write_feather(sample(), oracle.TMP / "cut.arrow", compression="uncompressed")
    whole = (oracle.TMP / "cut.arrow").read_bytes()
    fails(4, "load", db, "t", write("cut.arrow", whole[:len(whole) // 2]), says="cut.arrow")
    assert not db.exists() or ok("tables", db, "--format", "csv").count("\n") <= 1


def test_page_checksums_of_other_writers_are_compared(db):
    table = pa.table({"n": pa.array(range(5000), pa.int64())})
    path = oracle.TMP / "checked.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:])
    fails(4, "load", db, "t", path, says=["checked.parquet", "column 'n'", "checksum"])
    path.write_bytes(whole)
    ok("load", db, "t", path)


def test_wrong_paths(db):
    fails(3, "load", db, "t", oracle.TMP / "absent.csv", says="absent.csv")
    fails(3, "load", db, "t", str(oracle.TMP / "*.nothing"), says="*.nothing")
    empty = oracle.TMP / "a [folder]"
    empty.mkdir()
    fails(3, "load", db, "t", empty, says="no file below")
    fails(1, "load", db, "t", write("what", "hello"), says=["what", "--format"])


def test_a_folder_is_its_parquet_files(db):
    folder = oracle.TMP / "fol*der" / "day=2024-01-02"
    folder.mkdir(parents=True)
    ok("sql", ":memory:", f"copy (select 1 as id) to '{folder}/x.parquet' (format parquet)")
    (folder / "notes.txt").write_text("no rows")
    ok("load", db, "t", folder.parent)
    assert rows(db, "select id, day, typeof(day) from t") == [["1", "2024-01-02", "DATE"]]
    ok("load", db, "u", f"{folder.parent}/", "--no-hive")
    assert rows(db, "select * from u") == [["1"]]


def test_rows_are_sorted_within_files(db):
    lines = "".join(f"{(i * 7919) % 1000},{i % 3},{'' if i % 5 == 0 else i}\n" for i in range(3000))
    path = write("unsorted.csv", "k,part,v\n" + lines)
    ok("load", db, "t", path, "--sort", "k, v desc nulls first", "--partition", "part")
    files = [line.split(",")[0] for line in ok("files", db, "t").splitlines()[1:]]
    assert len(files) == 3
    for file in files:
        found = rows(db, f"select k, v from read_parquet('{db}/{file}', hive_partitioning = false)")
        keys = [(int(k), 0 if v in ("", "NULL") else 1, -int(v or 0)) for k, v in found]
        assert keys == sorted(keys), file
    ok("load", db, "t", path, "--mode", "append", "--sort", "k")
    assert rows(db, "select count(*), sum(k) from t") == [["6000", str(2 * sum(range(1000)) * 3)]]
    assert [line.split(",")[0] for line in ok("tables", db).splitlines()[1:]] == ["t"]
    fails(1, "load", db, "u", path, "--sort", "nothing", says="nothing")
    fails(1, "load", db, "t", path, "--sort", "k", says="exists")
    fails(2, "load", db, "u", path, "--key", "k", says=["--key", "--kind state"])
    assert "right" in ok("verify", db)


def test_names_are_any_text(db):
    names = ['quo"te', "dot.ted", "sp ace", "naïve 表", "select", "a/b"]
    path = write("t.csv", CSV)
    for name in names:
        ok("load", db, name, path)
        quoted = name.replace('"', '""')
        assert rows(db, f'select count(*) from "{quoted}"') == [["3"]], name
        assert "3" in ok("summary", db, name, "--format", "csv")
    listed = [row.split(",")[0] for row in ok("tables", db, "--format", "csv").splitlines()[1:]]
    assert len(listed) == len(names)
    fails(1, "load", db, "", path)


def test_a_bigger_table_reads_back_equal(db):
    count = 300_000
    table = pa.table({
        "id": pa.array(range(count), pa.int64()),
        "word": pc.binary_join_element_wise(
            pa.array(["w"] * count), pc.cast(pa.array([i % 1000 for i in range(count)]),
                                             pa.string()), "-"),
        "maybe": pa.array([None if i % 7 == 0 else i / 3 for i in range(count)], pa.float64()),
    })
    pq.write_table(table, oracle.TMP / "big.parquet", row_group_size=50_000)
    pacsv.write_csv(table, oracle.TMP / "big.csv")
    ok("load", db, "p", oracle.TMP / "big.parquet")
    same(exported(db, "p"), table)
    ok("load", db, "c", oracle.TMP / "big.csv")
    same(exported(db, "c"), table)



def test_lines_above_the_table_are_not_lost(db):
    fails(1, "load", db, "t", write("ragged.csv", "a,b\n1,2\n3\n4,5,6\n"),
          says=["ragged.csv", "line 1", "line 4"])
    ok("load", db, "c", write("comments.csv", "# made by hand\n\na,b\n1,x\n#2,y\n"))
    assert rows(db, "select * from c") == [["1", "x"], ["#2", "y"]]


def test_a_long_field(db):
    ok("load", db, "t", write("long.csv", "a,b\n1," + "x" * 5_000_000 + "\n"))
    assert rows(db, "select a, length(b) from t") == [["1", "5000000"]]


def test_a_fraction_does_not_become_a_whole_number(db):
    ok("load", db, "t", write("t.csv", "a,b\n1,x\n"))
    fails(1, "load", db, "t", write("f.csv", "a,b\n1.5,x\n"), "--mode", "append",
          says=["'a'", "long", "double"])
    fails(1, "load", db, "t", write("f.json", '[{"a": 1.5}]'), "--mode", "append",
          says=["'a'", "long", "double"])
    assert rows(db, "select * from t") == [["1", "x"]]


def test_a_schema_that_shares_no_column_with_the_file(db):
    fails(1, "load", db, "t", write("t.csv", "a,b\n1,x\n"), "--schema", "c long", says="'a'")


def test_utf16_is_named(db):
    fails(1, "load", db, "t", write("t.csv", "a,b\n1,x\n".encode("utf-16")), says="UTF-16")


def test_compression_is_known_by_content(db):
    ok("load", db, "t", write("plain.csv.gz", CSV))
    assert rows(db, SELECT) == ROWS
    ok("load", db, "u", write("packed.json", gzip.compress(b'[{"a": 1}]')))
    assert rows(db, "select * from u") == [["1"]]


def test_json_keys_and_types_that_come_late(db):
    signed = [{"a": -1}, {"a": 1}] * 15000
    late = "\n".join(map(json.dumps, signed + [{"a": 1, "b": "late"}]))
    ok("load", db, "key", write("key.jsonl", late))
    assert rows(db, "select count(*), count(b) from key") == [["30001", "1"]]
    plain = "\n".join(map(json.dumps, [{"a": 1}] * 30000 + [{"a": "text"}]))
    ok("load", db, "type", write("type.jsonl", plain))
    assert rows(db, "select count(*), max(a) from type") == [["30001", "text"]]
    assert [f for f in (db / "tmp").rglob("*") if f.is_file()] == []
    ok("load", db, "base", write("base.jsonl", '{"a": 1}\n'))
    fails(1, "load", db, "base", write("key.jsonl", late), "--mode", "append", says="'b'")


def test_json_dates_in_other_orders(db):
    lines = [{"d": f"{i % 28 + 1:02}-12-2024", "n": i} for i in range(3000)]
    ok("load", db, "t", write("dates.jsonl", "\n".join(map(json.dumps, lines))))
    assert rows(db, "select min(d), max(d), count(*) from t") == [["2024-12-01", "2024-12-28", "3000"]]


def test_json_objects_of_many_members_are_columns(db):
    ok("load", db, "t", write("wide.json", json.dumps([{f"k{i}": i for i in range(2000)}])))
    assert rows(db, "select k0, k1999 from t") == [["0", "1999"]]


def test_json_with_a_byte_order_mark(db):
    ok("load", db, "t", write("bom.json", b'\xef\xbb\xbf[{"a": 1}]'))
    ok("load", db, "u", "-", "--format", "jsonl", stdin=b'\xef\xbb\xbf{"a": 1}\n')
    assert rows(db, "select a from t union all select a from u") == [["1"], ["1"]]
    assert [f for f in (db / "tmp").rglob("*") if f.is_file()] == []


def test_deep_json_is_refused(db):
    deep = '[{"s": "\\"[[", "a":\n' + "[" * 200_000 + "]" * 200_000 + "}]"
    fails(1, "load", db, "t", write("deep.json", deep), says=["deep.json", "line 2", "1000"])
    assert "\n" not in fails(1, "cat", oracle.TMP / "deep.json", says="deep")


def test_deep_json_is_refused_when_packed(db):
    deep = b'{"a": 1}\n{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}\n"
    fails(1, "load", db, "t", write("deep.jsonl.gz", gzip.compress(deep)),
          says=["deep.jsonl.gz", "line 2", "1000"])
    fails(1, "load", db, "t", write("deep.json.gz", gzip.compress(b"[" + deep[9:-1] + b"]")),
          says=["deep.json.gz", "1000"])


def test_packed_text_is_shown(db):
    packed = gzip.compress(CSV.encode())
    assert command.run("cat", write("shown.csv.gz", packed), "--format", "csv")[1] == \
        command.run("cat", write("shown.csv", CSV), "--format", "csv")[1] != ""
    assert "two" in ok("cat", write("shown.jsonl.gz", gzip.compress(b'{"a": "two"}\n')))


def test_damaged_packed_files_are_refused(db):
    lines = "".join(f"{i},{i * i}\n" for i in range(50_000))
    packed = bytearray(gzip.compress(("a,b\n" + lines).encode()))
    ok("load", db, "t", write("whole.csv.gz", bytes(packed) + gzip.compress(b"7,8\n")))
    assert rows(db, "select count(*), count(*) filter (b = 8) from t") == [["50001", "1"]]
    packed[-6] ^= 1
    fails(4, "load", db, "u", write("sum.csv.gz", bytes(packed)), says=["sum.csv.gz", "gzip"])
    fails(4, "load", db, "u", write("cut.csv.gz", bytes(packed[:-9])), says=["cut.csv.gz"])
    assert "u" not in [row.split(",")[0] for row in ok("tables", db, "--format", "csv").splitlines()]


def test_wide_decimals_are_refused(db):
    pq.write_table(pa.table({"d": pa.array([decimal.Decimal("1.5")], pa.decimal256(50, 2))}),
                   oracle.TMP / "wide.parquet")
    fails(1, "load", db, "t", oracle.TMP / "wide.parquet", says=["wide.parquet", "'d'", "38"])


def test_pipes_by_name(db):
    pipe = oracle.TMP / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"printf 'a,b\\n1,2\\n' > '{pipe}'"]):
        ok("load", db, "t", pipe, "--format", "csv")
    assert rows(db, "select * from t") == [["1", "2"]]


def test_csv_loads_in_a_small_memory(db):
    small = {"STOA_MEMORY": "128MB", "STOA_THREADS": "2"}
    path = write("big.csv", "a,b\n" + "".join(f"{i},some text\n" for i in range(3_000_000)))
    ok("load", db, "t", path, env=small)
    assert rows(db, "select count(*), sum(a) from t") == [["3000000", "4499998500000"]]


def test_inspect_shows_pages(db):
    pq.write_table(pa.table({"a": [1, 2, 3]}), oracle.TMP / "pages.parquet")
    plain = json.loads(ok("inspect", oracle.TMP / "pages.parquet"))
    pages = json.loads(ok("inspect", "--pages", oracle.TMP / "pages.parquet"))
    assert "pages" not in json.dumps(plain) and "pages" in json.dumps(pages)


def test_inspect_reads_well(db):
    path = oracle.TMP / "shown.parquet"
    day, moment = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30)
    pq.write_table(pa.table({
        "day": [day, None], "at": pa.array([moment, moment], pa.timestamp("ms")),
        "price": pa.array([decimal.Decimal("-1.50"), decimal.Decimal("2.25")], pa.decimal128(9, 2)),
        "name": ["a\"b\n", "é" * 40], "raw": [b"\x00\xff", b"z"], "u": pa.array([1, 255], pa.uint8()),
        "half": pa.array([1.5, -2.0], pa.float16()), "yes": [False, True]}),
        path, write_page_index=True, write_page_checksum=True, compression="zstd",
        sorting_columns=[pq.SortingColumn(0, descending=True)])
    about = json.loads(ok("inspect", "--pages", path))
    columns = {c["path"]: c for c in about["row_groups"][0]["columns"]}
    bounds = {name: (c["statistics"].get("min_text"), c["statistics"].get("max_text"))
              for name, c in columns.items()}
    assert bounds["day"] == ("2024-02-29", "2024-02-29")
    assert bounds["at"] == ("2024-02-29 12:30:00", "2024-02-29 12:30:00")
    assert bounds["price"] == ("-1.50", "2.25") and bounds["u"] == ("1", "255")
    assert bounds["name"][0] == '"a\\"b\\n"' and bounds["name"][1].startswith('"éé')
    assert bounds["raw"] == ("0x00ff", "0x7a") and bounds["yes"] == ("false", "true")
    assert about["row_groups"][0]["sorted_by"] == [
        {"path": "day", "descending": True, "nulls_first": False}]
    data = columns["day"]["pages"][-1]
    assert data["crc_holds"] and data["first_row"] == 0 and data["null_count"] == 1
    assert (data["min_text"], data["definition_encoding"]) == ("2024-02-29", "RLE")
    text = ok("inspect", "--text", "--pages", path)
    for part in ("message schema {", "  optional INT32 day (DATE)", "sorted by day descending",
                 "2 values, 1 nulls", "-1.50 … 2.25", " good RLE_DICTIONARY", "written by parquet-cpp"):
        assert part in text, f"{part}\n{text}"
    assert max(map(len, text.splitlines())) <= 110 and "\t" not in text
    blob = bytearray(path.read_bytes())
    blob[data["offset"] + data["header_bytes"]] ^= 1
    path.write_bytes(blob)
    assert " BAD " in ok("inspect", "--text", "--pages", path)


command.tests(globals())
