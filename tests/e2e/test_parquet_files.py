"""Parquet files in: what PyArrow wrote is what comes out of the table, also from files whose columns
differ, and damage is found."""
import datetime
import decimal
import json

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

import command
import oracle
from command import fails, ok, rows, write

D = decimal.Decimal


def put(name, table, **options):
    path = oracle.TMP / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def exported(database, table="t"):
    path = oracle.TMP / "out.arrow"
    ok("export", database, table, "-o", path, "-q")
    return feather.read_table(path)


def same(found, expected):
    assert found.column_names == expected.column_names, found.column_names
    for name in expected.column_names:
        left, right = found[name], expected[name]
        assert left.type == right.type, (name, left.type, right.type)
        assert left.combine_chunks().equals(right.combine_chunks()), (name, left, right)


def test_times_of_all_units_are_kept(db):
    ticks = [0, None, 1234567891, -1]
    table = pa.table({
        **{f"z_{unit}": pa.array(ticks, pa.timestamp(unit, "UTC")) for unit in ("ms", "us", "ns")},
        **{f"d_{unit}": pa.array(ticks, pa.duration(unit)) for unit in ("s", "ms", "us", "ns")},
        "t_ns": pa.array([0, None, 1234567891, 5], pa.time64("ns")),
        "half": pa.array([1.5, None, -2.0, 0.25], pa.float32()).cast(pa.float16()).cast(pa.float32()),
        "list": pa.array([[1, None], None, [], [-1]], pa.list_(pa.timestamp("ns", "UTC"))),
    })
    ok("load", db, "t", put("times.parquet", table))
    same(exported(db), table)


def test_rows_with_nan_are_found_by_every_road(db):
    """NaN is in no bound of Parquet, and above all numbers in SQL: bounds of the others would hide it."""
    nan = float("nan")
    for name, values in (("mixed", [1.0, nan, 2.0]), ("only", [nan, nan]), ("none", [1.0, 2.0])):
        path = oracle.TMP / f"{name}.arrow"
        feather.write_feather(pa.table({"c": pa.array(values), "f": pa.array(values, pa.float32())}),
                              path, compression="uncompressed")
        ok("load", db, name, path)
        out = oracle.TMP / f"{name}.parquet"
        ok("export", db, name, "-o", out, "--page-rows", 1)
        for column in "cf":
            for text, expected in (("> 5", sum(v != v for v in values)),
                                   ("<= 5", sum(v == v for v in values)),
                                   ("= 'nan'", sum(v != v for v in values)),
                                   (">= 2", sum(not v < 2 for v in values))):
                for source in (f'"{name}"', f"'{out}'"):
                    query = f"select count(*) n from {source} where {column} {text}"
                    found = json.loads(ok("sql", db, query, "--format", "json"))
                    assert found[0]["n"] == expected, (query, found, expected)


def test_seconds_come_back_as_seconds(db):
    ticks = [0, None, 1234567891, -1]
    table = pa.table({"s": pa.array(ticks, pa.timestamp("s")),
                      "list": pa.array([[1, None], None, [], [-1]], pa.list_(pa.timestamp("s", "UTC")))})
    feather.write_feather(table, oracle.TMP / "seconds.arrow", compression="uncompressed")
    ok("load", db, "t", oracle.TMP / "seconds.arrow")
    same(exported(db), table)
    late = put("late.parquet", pa.table({"s": pa.array([1500], pa.timestamp("ms")),
                                         "list": pa.array([[]], pa.list_(pa.timestamp("s", "UTC")))}))
    fails(1, "load", db, "t", late, "--mode", "append",
          says=["late.parquet", "'s'", "timestamp_s", "timestamp_ms"])


OLD = pa.table({
    "id": pa.array([1, 2, 3], pa.int32()),
    "price": pa.array([D("1.25"), None, D("-9.99")], pa.decimal128(5, 2)),
    "ratio": pa.array([0.5, None, -2.0], pa.float32()),
    "day": pa.array([datetime.date(1969, 12, 31), None, datetime.date(2024, 2, 29)]),
    "place": pa.array([{"lat": 1, "name": "a"}, None, {"lat": None, "name": "c"}],
                      pa.struct([("lat", pa.int16()), ("name", pa.string())])),
    "gone": pa.array(["x", "y", None]),
})
NEW = pa.table({
    "place": pa.array([{"zip": "z", "lat": 2.5}, {"zip": None, "lat": None}],
                      pa.struct([("zip", pa.string()), ("lat", pa.float64())])),
    "day": pa.array([datetime.datetime(2024, 1, 1, 12, 30), None], pa.timestamp("us")),
    "ID": pa.array([2**40, None], pa.int64()),
    "ratio": pa.array([1e300, None], pa.float64()),
    "price": pa.array([D("123456.789"), None], pa.decimal128(12, 3)),
    "tags": pa.array([[{"k": "a", "n": 1}], []], pa.list_(pa.struct([("k", pa.string()),
                                                                     ("n", pa.int8())]))),
})
PLACE = pa.struct([("lat", pa.float64()), ("name", pa.string()), ("zip", pa.string())])
BOTH = pa.table({
    "id": pa.array([1, 2, 3, 2**40, None], pa.int64()),
    "price": pa.array([D("1.250"), None, D("-9.990"), D("123456.789"), None], pa.decimal128(12, 3)),
    "ratio": pa.array([0.5, None, -2.0, 1e300, None], pa.float64()),
    "day": pa.array([datetime.datetime(1969, 12, 31), None, datetime.datetime(2024, 2, 29),
                     datetime.datetime(2024, 1, 1, 12, 30), None], pa.timestamp("us")),
    "place": pa.array([{"lat": 1.0, "name": "a", "zip": None}, None,
                       {"lat": None, "name": "c", "zip": None},
                       {"lat": 2.5, "name": None, "zip": "z"},
                       {"lat": None, "name": None, "zip": None}], PLACE),
    "gone": pa.array(["x", "y", None, None, None]),
    "tags": pa.array([None, None, None, [{"k": "a", "n": 1}], []],
                     pa.list_(pa.struct([("k", pa.string()), ("n", pa.int8())]))),
})


def test_files_with_other_columns_are_united(db):
    put("mixed/1.parquet", OLD)
    put("mixed/2.parquet", NEW)
    ok("load", db, "t", oracle.TMP / "mixed/*.parquet")
    same(exported(db), BOTH)
    ok("load", db, "named", oracle.TMP / "mixed/1.parquet", oracle.TMP / "mixed/2.parquet")
    same(exported(db, "named"), BOTH)


def test_appended_files_widen_to_the_table(db):
    ok("load", db, "t", put("new.parquet", BOTH))
    ok("load", db, "t", put("old.parquet", OLD), "--mode", "append")
    expected = pa.concat_tables([BOTH, BOTH.slice(0, 3)])
    same(exported(db), expected)
    fails(1, "load", db, "t", put("more.parquet", pa.table({"id": [1], "extra": [2]})),
          "--mode", "append", says=["more.parquet", "'extra'"])
    assert rows(db, "select count(*) from t") == [["8"]]


def with_ids(table, ids):
    fields = [field.with_metadata({b"PARQUET:field_id": str(i).encode()})
              for field, i in zip(table.schema, ids)]
    return pa.table(table.columns, schema=pa.schema(fields))


def test_columns_with_ids_may_be_renamed(db):
    old = with_ids(pa.table({"a": [1, 2], "b": ["x", "y"]}), [5, 6])
    new = with_ids(pa.table({"bee": ["z"], "a": [3], "c": [0.5]}), [6, 5, 7])
    ok("load", db, "t", put("ids/1.parquet", old), put("ids/2.parquet", new))
    same(exported(db), pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [None, None, 0.5]}))
    # One file without ids: names it is, for all of them.
    plain = put("ids/3.parquet", pa.table({"b": ["w"]}))
    ok("load", db, "n", oracle.TMP / "ids/*.parquet")
    assert exported(db, "n").column_names == ["a", "b", "bee", "c"]
    assert plain.exists()


def test_what_cannot_be_united_is_named(db):
    put("apart/1.parquet", OLD)
    put("apart/2.parquet", pa.table({"id": ["one"]}))
    line = fails(1, "load", db, "t", oracle.TMP / "apart/*.parquet",
                 says=["apart/2.parquet", "column 'id'", "expected int", "found string"])
    assert "\n" not in line
    put("apart/2.parquet", pa.table({"place": pa.array([{"lat": b"x"}])}))
    fails(1, "load", db, "t", oracle.TMP / "apart/*.parquet",
          says=["apart/2.parquet", "column 'place.lat'", "int16", "binary"])


def test_a_row_that_does_not_fit_has_its_file_and_number(db):
    good = pa.table({"a": pa.array(range(5000), pa.int64())})
    bad = pa.table({"a": pa.array([None if i == 2345 else i for i in range(5000)], pa.int64())})
    put("rows/1.parquet", good, row_group_size=1000)
    put("rows/2.parquet", bad, row_group_size=1000)
    schema = ["--schema", "a long not null"]
    fails(1, "load", db, "t", oracle.TMP / "rows/*.parquet", *schema,
          says=["rows/2.parquet", "row 2345", "'a'"])
    reject = oracle.TMP / "rejected.jsonl"
    ok("load", db, "t", oracle.TMP / "rows/*.parquet", *schema, "--on-error", f"reject:{reject}")
    assert rows(db, "select count(*), sum(a) from t") == [["9999", str(2 * 12497500 - 2345)]]
    found = [json.loads(line) for line in reject.read_text().splitlines()]
    assert len(found) == 1 and found[0]["file"].endswith("rows/2.parquet"), found


def test_damage_in_pages_with_checksums_is_found(db):
    table = pa.table({"a": pa.array(range(20000), pa.int64()),
                      "s": [f"text {i * i}" for i in range(20000)]})
    whole = put("sums.parquet", table, write_page_checksum=True, compression="zstd",
                use_dictionary=False).read_bytes()
    start = pq.read_metadata(oracle.TMP / "sums.parquet").row_group(0).column(1).data_page_offset
    for byte in range(start + 100, start + 2100, 250):
        damaged = bytearray(whole)
        damaged[byte] ^= 16
        fails(4, "load", db, "t", write("damaged.parquet", bytes(damaged)),
              says=["damaged.parquet", "'s'", "checksum"])


def test_older_instants_beyond_nanoseconds_need_a_coarser_unit(db):
    ends = [datetime.datetime(9999, 12, 31, 23, 59, 59, 999999), None,
            datetime.datetime(1, 1, 1, 0, 0, 0, 7)]
    path = put("int96.parquet", pa.table({"t": pa.array(ends, pa.timestamp("us"))}),
               use_deprecated_int96_timestamps=True)
    for words in (["cat", path], ["cat", path, "--int96", "ns"], ["load", db, "t", path]):
        fails(1, *words, says=["int96.parquet", "column 't'", "1677 to 2262", "--int96 us"])
    fails(2, "cat", path, "--int96", "s", says="expected ns, us or ms")
    fails(2, "load", db, "t", path, "--int96", "s", says="expected ns, us or ms")
    for unit, step in ("us", 1), ("ms", 1000):
        down = [t and t.replace(microsecond=t.microsecond // step * step) for t in ends]
        expected = pa.table({"t": pa.array(down, pa.timestamp(unit))})
        ok("load", db, unit, path, "--int96", unit)
        same(exported(db, unit), expected)
        ok("cat", path, "--int96", unit, "-o", oracle.TMP / "int96.arrow")
        same(feather.read_table(oracle.TMP / "int96.arrow"), expected)
    ok("load", db, "us", path, "--mode", "append")
    assert rows(db, "select count(t), max(t) from us") == [["4", "9999-12-31 23:59:59.999999"]]


def test_a_column_that_cannot_be_read_stops_only_who_asks_for_it(db):
    wide = pa.array([D("1e60"), None, D(-3)], pa.decimal256(70, 2))
    table = pa.table({"a": [1, 2, 3], "wide": wide, "s": ["x", None, "z"],
                      "both": pa.StructArray.from_arrays([pa.array([7, 8, 9]), wide], ["n", "w"]),
                      "list": pa.array([[D(5)], [], None], pa.list_(pa.decimal256(40, 0))),
                      "last": [None, 2.5, 3.5]})
    path, plain = put("wide.parquet", table), put("plain.parquet", table.select(["a", "s"]))
    refused = ["wide.parquet", "column 'wide'", "decimal(70, 2)", "--columns"]
    fails(1, "cat", path, says=refused)
    fails(1, "cat", path, "-o", oracle.TMP / "wide.arrow", says=refused)
    fails(1, "cat", path, "--columns", "a,wide", says=refused)
    fails(1, "cat", path, "--columns", "a", "--where", "wide is null", says=refused)
    fails(1, "cat", path, "--columns", "both", says=["column 'w'", "decimal(70, 2)"])
    fails(1, "cat", path, "--columns", "list", says=["decimal(40, 0)"])
    fails(1, "cat", plain, path, says=refused)
    fails(1, "load", db, "t", path, says=refused)
    fails(1, "cat", put("none.parquet", table.slice(0, 0)), says="column 'wide'")
    names = ["last", "s", "a"]
    ok("cat", path, "--columns", ",".join(names), "-o", oracle.TMP / "rest.arrow")
    same(feather.read_table(oracle.TMP / "rest.arrow"), table.select(names))
    assert ok("cat", path, "--columns", "last", "--where", "a = 3") == "last\n3.5\n"
    assert ok("cat", path, plain, "--columns", "a", "--where", "s = 'z'") == "a\n3\n3\n"


def test_many_small_files(db):
    for i in range(60):
        put(f"many/{i:03}.parquet", pa.table({"i": [i, i], "n": [str(i), None]}))
    ok("load", db, "t", oracle.TMP / "many/*.parquet")
    assert exported(db)["i"].to_pylist() == [i for i in range(60) for _ in range(2)]


def test_parquet_loads_in_a_small_memory(db):
    path = put("large.parquet", pa.table({"a": range(2_000_000), "s": ["some text"] * 2_000_000}),
               row_group_size=200_000)
    ok("load", db, "t", path, env={"STOA_MEMORY": "160MB", "STOA_THREADS": "2"})
    assert rows(db, "select count(*), sum(a) from t") == [["2000000", "1999999000000"]]


command.tests(globals())
