"""State tables against a model of Python's: random puts, merges, deletions and ranges of them, by the batch
and row by row, on tables of every type of key, ascending and descending, alone and together; scans, gets and
counts in between, with flushes, compactions and reopenings. PyArrow and DuckDB read what the command gives."""
import datetime as dt
import decimal
import functools
import os
import random
import sys
import time
import uuid

import oracle

sys.dont_write_bytecode = True
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

SEED = int(os.environ.get("STOA_TEST_SEED", time.time_ns() % 2**32))
TOOL = oracle.tool("tool_lsm_state")
D = decimal.Decimal
UTC = dt.timezone.utc
INF = float("inf")
POOL = 60  # keys of a table
STEPS = 45
RUNS = 3  # of the tool on a table: it is closed and opened in between
VALUES = [("v", "long", pa.int64()), ("w", "string", pa.string()), ("x", "double", pa.float64()),
          ("y", "decimal(20, 3)", pa.decimal128(20, 3))]


def integers(bits, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return [low, low + 1, high, high - 1, 0, 1, 2, 100, *([-1, -2] if signed else [200, 255])]


LONG = [b"a" * 300, b"a" * 300 + b"\0", b"\xff" * 2000, b"a" * 9000]
BYTES = [b"", b"\0", b"\0\0", b"\0\xff", b"\xff", b"\xff\0", b"\xff\xff", b"a", b"a\0", b"a\0b", b"ab", *LONG]
TEXTS = ["", "\0", "\0\0", "\0\u00ff", "a", "a\0", "a\0b", "ab", "b", "\u00e9", "\u20ac", "\U0001f600",
         "\uffff", "z" * 300, "z" * 300 + "\0", "z" * 9000]
DAYS = [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]
MOMENTS = [dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23, 59, 59, 999999), dt.datetime(1970, 1, 1),
           dt.datetime(2024, 2, 29, 12, 30, 45, 1), dt.datetime(9999, 12, 31, 23, 59, 59)]
TYPES = {  # the schema's word: PyArrow's type, values
    "boolean": (pa.bool_(), [False, True]),
    "int8": (pa.int8(), integers(8, True)),
    "int16": (pa.int16(), integers(16, True)),
    "int": (pa.int32(), integers(32, True)),
    "long": (pa.int64(), integers(64, True)),
    "uint8": (pa.uint8(), integers(8, False)),
    "uint16": (pa.uint16(), integers(16, False)),
    "uint32": (pa.uint32(), integers(32, False)),
    "uint64": (pa.uint64(), integers(64, False)),
    "float": (pa.float32(), [float("nan"), -INF, INF, -1.5, 0.0, -0.0, 2.0**-149, 2.0**127, 0.25, -0.25]),
    "double": (pa.float64(), [float("nan"), -INF, INF, -1e-300, 0.0, -0.0, 5e-324, 1e308, 0.1, -0.1]),
    "decimal(9, 2)": (pa.decimal128(9, 2), [D("-9999999.99"), D("-0.01"), D("0.00"), D("0.01"), D("9999999.99")]),
    "decimal(18, 4)": (pa.decimal128(18, 4), [D("-1.0000"), D("0.0000"), D("0.0001"), D("99999999999999.9999")]),
    "decimal(38, 10)": (pa.decimal128(38, 10),
                        [D("-9999999999999999999999999999.9999999999"), D("-0.0000000001"), D(0), D(1),
                         D("9999999999999999999999999999.9999999999")]),
    "date": (pa.date32(), DAYS),
    "time": (pa.time64("us"), [dt.time(), dt.time(0, 0, 0, 1), dt.time(12), dt.time(23, 59, 59, 999999)]),
    "timestamp": (pa.timestamp("us"), MOMENTS),
    "timestamptz": (pa.timestamp("us", "UTC"), [moment.replace(tzinfo=UTC) for moment in MOMENTS]),
    "duration": (pa.duration("us"), [dt.timedelta(microseconds=us) for us in (-10**15, -1, 0, 1, 10**15)]),
    "string": (pa.string(), TEXTS),
    "binary": (pa.binary(), BYTES),
    "fixed[3]": (pa.binary(3), [b"\0\0\0", b"\0\0\xff", b"\0\xff\0", b"abc", b"\xff\xff\xff"]),
    "uuid": (pa.uuid(), [uuid.UUID(int=n) for n in (0, 1, 255, 1 << 127, (1 << 128) - 1)]),
}


def same(value):
    """A value that is equal to another where the store's are."""
    if isinstance(value, float):
        return "nan" if value != value else value + 0.0
    return value


def order_of(value):
    """What values of one type compare as: NaN above all, texts and bytes by their bytes."""
    if isinstance(value, float):
        return (1, 0.0) if value != value else (0, value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value.bytes if isinstance(value, uuid.UUID) else value


def array(values, kind):
    if kind == pa.uuid():
        storage = pa.array([None if v is None else v.bytes for v in values], pa.binary(16))
        return pa.ExtensionArray.from_storage(kind, storage)
    return pa.array(values, kind)


class Table:
    """A table and its model: rows by key, in which NaN is "nan"."""

    def __init__(self, chance, db, number, parts):
        self.chance, self.db, self.name = chance, db, f"t{number}"
        self.parts = parts  # (word, descending)
        self.rows = {}
        self.script, self.checks, self.files = [], [], 0
        keys = ", ".join(f"k{i} {word} not null" for i, (word, _) in enumerate(parts))
        values = ", ".join(f"{name} {word}" for name, word, _ in VALUES)
        key = ", ".join(f"k{i}{' desc' if down else ''}" for i, (_, down) in enumerate(parts))
        oracle.run(TOOL, db, "create", self.name, f"{keys}, {values}", key, "v add",
                   chance.choice(["", "lz4", "zstd"]))
        self.key_types = [TYPES[word][0] for word, _ in parts]
        self.pool = [tuple(self.random_value(word) for word, _ in parts) for _ in range(POOL)]

    def random_value(self, word):
        kind, values = TYPES[word]
        if self.chance.random() < 0.7:
            return self.chance.choice(values)
        if word == "binary":
            return bytes(self.chance.choice(b"\0\0\xff\xffab") for _ in range(self.chance.randrange(12)))
        if word == "string":
            return "".join(self.chance.choice("\0\0ab\u00ff\U0001f600") for _ in range(self.chance.randrange(9)))
        if word in ("int", "long", "uint32", "uint64"):
            return self.chance.randrange(0, 1000)
        return self.chance.choice(values)

    # ---- The order of keys

    def compare(self, left, right, count):
        for i in range(count):
            a, b = order_of(left[i]), order_of(right[i])
            if a != b:
                return (1 if a > b else -1) * (-1 if self.parts[i][1] else 1)
        return 0

    def sorted_rows(self):
        count = len(self.parts)
        return sorted(self.rows.values(), key=functools.cmp_to_key(
            lambda a, b: self.compare(a, b, count)))

    # ---- Files for the tool

    def write(self, rows, names, kinds):
        path = oracle.TMP / f"{self.name}-{self.files}.arrow"
        self.files += 1
        columns = [array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
        batch = pa.record_batch(columns, names=names)
        with pa.ipc.new_stream(path, batch.schema) as out:
            out.write_batch(batch)
        return path

    def write_rows(self, rows):
        return self.write(rows, [f"k{i}" for i in range(len(self.parts))] + [v[0] for v in VALUES],
                          self.key_types + [v[2] for v in VALUES])

    def write_keys(self, keys):
        return self.write(keys, [f"k{i}" for i in range(len(self.parts))], self.key_types)

    # ---- Writing

    def random_values(self):
        chance = self.chance
        return (chance.choice([None, 0, chance.randrange(-10**6, 10**6)]),
                chance.choice([None, "", "note", "x" * chance.randrange(200)]),
                chance.choice([None, float("nan"), -0.0, chance.random() * 100]),
                chance.choice([None, D(chance.randrange(-10**6, 10**6)) / 1000]))

    def some_keys(self):
        return [self.chance.choice(self.pool) for _ in range(self.chance.randrange(1, 30))]

    def put(self):
        operation = self.chance.choice(["put", "put", "merge"])
        rows = [key + self.random_values() for key in self.some_keys()]
        by_row = self.chance.random() < 0.5
        path = self.write_rows(rows)
        self.script.append(f"rows {operation} {path}" if by_row else f"{operation} {path}")
        for row in rows:
            self.apply(operation, row)

    def key_of(self, row):
        return tuple(same(value) for value in row[:len(self.parts)])

    def apply(self, operation, row):
        count = len(self.parts)
        before = self.rows.get(self.key_of(row))
        if operation == "put" or before is None:
            self.rows[self.key_of(row)] = row
            return
        values = [old if new is None else new for old, new in zip(before[count:], row[count:])]
        if before[count] is not None and row[count] is not None:
            values[0] = before[count] + row[count]
        self.rows[self.key_of(row)] = row[:count] + tuple(values)

    def delete(self):
        keys = self.some_keys()[:8]
        path = self.write_keys(keys)
        self.script.append(f"rows delete {path}" if self.chance.random() < 0.5 else f"delete {path}")
        for key in keys:
            self.rows.pop(self.key_of(key), None)

    def random_bounds(self):
        """Two keys in order, and how many of their columns count."""
        left, right = self.chance.choice(self.pool), self.chance.choice(self.pool)
        counts = [self.chance.randrange(len(self.parts) + 1) for _ in range(2)]
        if self.compare(left, right, min(counts)) > 0:
            left, right = right, left
        return left, right, counts[0], counts[1]

    def within(self, row, bounds, included=False):
        left, right, from_count, to_count = bounds
        end = self.compare(row, right, to_count)
        return self.compare(row, left, from_count) >= 0 and (
            to_count == 0 or end < 0 or (included and end == 0))

    def delete_range(self):
        bounds = self.random_bounds()
        if bounds[2] == 0 and bounds[3] == 0:
            return
        self.script.append(f"range {self.write_keys(bounds[:2])} {bounds[2]} {bounds[3]}")
        self.rows = {key: row for key, row in self.rows.items() if not self.within(row, bounds)}

    # ---- Reading

    def scan(self):
        bounds, included = self.random_bounds(), self.chance.random() < 0.5
        reverse, limit = self.chance.random() < 0.5, self.chance.choice([0, 0, 1, 7])
        out = oracle.TMP / f"{self.name}-scan-{len(self.script)}.arrow"
        path = self.write_keys(bounds[:2])
        words = f"{path} {bounds[2]} {bounds[3]} {int(included)}"
        self.script.append(f"scan {out} {words} {int(reverse)} {limit}")
        rows = [row for row in self.sorted_rows() if self.within(row, bounds, included)]
        self.script.append(f"count {words}")
        count = str(len(rows))
        rows = rows[::-1] if reverse else rows
        rows = rows[:limit] if limit else rows
        self.checks.append((lambda: self.expect(rows, out), None))
        self.checks.append((None, count))

    def get(self):
        keys = self.some_keys()
        out = oracle.TMP / f"{self.name}-get-{len(self.script)}.arrow"
        self.script.append(f"{self.chance.choice(['many', 'gets'])} {self.write_keys(keys)} {out}")
        rows = [self.rows.get(self.key_of(key)) for key in keys]
        width = len(self.parts) + len(VALUES)
        empty = (None,) * width
        self.checks.append((lambda: self.expect([row or empty for row in rows], out),
                            "".join("0" if row is None else "1" for row in rows)))

    def expect(self, rows, path):
        with pa.OSFile(str(path)) as file:
            found = pa.ipc.open_stream(file).read_all()
        self.expect_table(rows, found, path)

    def expect_table(self, rows, found, what):
        columns = [column.to_pylist() for column in found.columns]
        found = [tuple(same(column[i]) for column in columns) for i in range(len(columns[0]))]
        expected = [tuple(same(value) for value in row) for row in rows]
        for i, (left, right) in enumerate(zip(expected, found)):
            assert left == right, f"seed {SEED}, {self.parts}, {what}: row {i}: {left} != {right}"
        assert len(expected) == len(found), f"seed {SEED}, {self.parts}: {len(expected)} {len(found)}"

    # ---- Running

    def run(self):
        steps = [self.put] * 6 + [self.delete] * 2 + [self.delete_range, self.scan, self.scan, self.get, self.get]
        for _ in range(RUNS):
            self.script, self.checks = [], []
            for _ in range(STEPS // RUNS):
                self.chance.choice(steps)()
                if self.chance.random() < 0.15:
                    self.script.append(self.chance.choice(["flush", "compact"]))
            self.scan()
            said = oracle.run(TOOL, self.db, "run", self.name, stdin="\n".join(self.script) + "\n").splitlines()
            for check, line in self.checks:
                if line is not None:
                    found = said.pop(0)
                    assert found == line, f"seed {SEED}, {self.parts}: {found} != {line}"
                if check is not None:
                    check()


def check_command(table):
    """What the command writes as Parquet and Arrow, and what SQL makes of the table."""
    rows = table.sorted_rows()
    parquet, arrow = oracle.TMP / f"{table.name}.parquet", oracle.TMP / f"{table.name}.out.arrow"
    oracle.stoa("scan", table.db, table.name, "-o", parquet)
    table.expect_table(rows, pq.read_table(parquet), "parquet")
    oracle.stoa("scan", table.db, table.name, "--reverse", "-o", arrow)
    with pa.OSFile(str(arrow)) as file:
        table.expect_table(rows[::-1], pa.ipc.open_file(file).read_all(), "arrow")
    query = "select count(*), sum(v), count(w), max(y), min(v) from {}"
    said = oracle.stoa("sql", table.db, query.format(table.name), "--format", "csv").splitlines()[1]
    expected = duckdb.sql(query.format(f"'{parquet}'")).fetchone()
    assert said == ",".join("" if v is None else str(v) for v in expected), (SEED, table.parts, said, expected)


def check_upsert(table):
    """Parquet that PyArrow writes, loaded by key; deletions and changes by SQL."""
    rows = list({table.key_of(row): row for row in
                 [key + table.random_values() for key in table.some_keys()]}.values())
    path = oracle.TMP / f"{table.name}-upsert.parquet"
    names = [f"k{i}" for i in range(len(table.parts))] + [v[0] for v in VALUES]
    kinds = table.key_types + [v[2] for v in VALUES]
    pq.write_table(pa.table([array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)],
                            names=names), path)
    oracle.stoa("load", table.db, table.name, path, "--mode", "upsert", "--quiet")
    for row in rows:
        table.apply("put", row)
    count = len(table.parts)
    oracle.stoa("sql", table.db, f"delete from {table.name} where v > 500000; "
                                 f"update {table.name} set w = 'changed' where v < 0")
    table.rows = {key: row for key, row in table.rows.items() if row[count] is None or row[count] <= 500000}
    for key, row in table.rows.items():
        if row[count] is not None and row[count] < 0:
            table.rows[key] = row[:count + 1] + ("changed",) + row[count + 2:]


def main():
    print(f"STOA_TEST_SEED={SEED}", flush=True)
    chance = random.Random(SEED)
    db = oracle.TMP / "oracle.stoa"
    words = list(TYPES)
    parts = [[(word, down)] for word in words for down in (False, True)]
    for _ in range(14):
        parts.append([(chance.choice(words), chance.random() < 0.5) for _ in range(chance.randrange(2, 4))])
    parts += [[("string", False), ("binary", True)], [("binary", False), ("string", False)]]
    for number, key in enumerate(parts):
        table = Table(chance, db, number, key)
        table.run()
        if number % 4 == 0:
            check_upsert(table)
            check_command(table)
    print(f"{len(parts)} tables")


main()
