"""DuckDB and our predicates select the same rows: the text as it was written and as we print it."""
import os
import random
import sys

import oracle

try:
    import duckdb
except ImportError:
    oracle.leave_out("the Python package duckdb is not there")

SEED = int(os.environ.get("STOA_TEST_SEED", random.SystemRandom().randrange(2**32)))
ROWS, PREDICATES = 300, 1500
print(f"schema.oracle_predicate: STOA_TEST_SEED={SEED}")
rng = random.Random(SEED)


def number(low, high):
    return str(rng.randint(low, high))


def edge(*choices):
    return rng.choice(choices)


def decimal_text(scale):
    value = rng.randint(-300, 300) if rng.random() < 0.8 else rng.randint(-99999, 99999)
    sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def float_text():
    return edge("nan", "inf", "-inf", "0", "-0.0", "0.5", "-0.5", "1.5", "3", "-3", "1e300",
                "0.1") if rng.random() < 0.5 else repr(rng.uniform(-3, 3))


def date_text():
    return f"{rng.randint(1995, 2005)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def time_text(digits):
    clock = f"{rng.randint(0, 23):02}:{edge(0, 30):02}:{edge(0, 15):02}"
    return clock + (f".{rng.randint(0, 10**digits - 1):0{digits}}" if rng.random() < 0.5 else "")


def string_text():
    return "".join(rng.choice(["a", "b", "ab", "é", "z", "'", "%", "_", " ", "日"])
                   for _ in range(rng.randint(0, 3)))


def blob_text():
    return "".join(f"\\x{rng.choice([0, 1, 97, 127, 128, 255]):02X}"
                   for _ in range(rng.randint(0, 3)))


def uuid_text():
    return f"{edge('00000000', 'ffffffff', '80000000')}-0000-0000-0000-{rng.randint(0, 9):012}"


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def plain(text):
    return text


def number_literal(text):
    return text if text.strip("+-.0123456789e") == "" else quoted(text)


def typed(name):
    return lambda text: f"{name} {quoted(text)}"


def cast(name):
    return lambda text: f"{quoted(text)}::{name}"


FRACTIONS = ["2.5", "-2.5", "0.0001", "127.5", "1e3", "-1e3", "1000000", "-1000000", "99999999999",
             "18446744073709551615", "18446744073709551616", "-1", "0.0", "7.00", "1e-3", "-0.5"]

# DuckDB takes 1e3 for a DOUBLE, and then compares 64-bit integers as DOUBLE, which cannot tell
# 2^64 - 1 from 2^64. Our constants are exact, so these are left to the narrower types.
WIDE_FRACTIONS = [text for text in FRACTIONS if "e" not in text]

# name, our type, DuckDB's, how values are made, how one is written in a predicate, others that may
# stand there and need not be a value of the type
COLUMNS = [
    ("flag", "boolean", "BOOLEAN", lambda: edge("true", "false"), plain, []),
    ("tiny", "int8", "TINYINT", lambda: edge(number(-5, 5), number(-128, 127)), plain, FRACTIONS),
    ("small", "int16", "SMALLINT", lambda: edge(number(-5, 5), "32767", "-32768"), plain, FRACTIONS),
    ("i", "int", "INTEGER", lambda: edge(number(-5, 5), "2147483647", "-2147483648"), plain,
     FRACTIONS),
    ("l", "long", "BIGINT", lambda: edge(number(-5, 5), "9223372036854775807",
                                         "-9223372036854775808"), plain,
     WIDE_FRACTIONS),
    ("ub", "uint8", "UTINYINT", lambda: edge(number(0, 5), number(0, 255)), plain, FRACTIONS),
    ("us", "uint16", "USMALLINT", lambda: edge(number(0, 5), "65535"), plain, FRACTIONS),
    ("ui", "uint32", "UINTEGER", lambda: edge(number(0, 5), "4294967295"), plain, FRACTIONS),
    ("ul", "uint64", "UBIGINT", lambda: edge(number(0, 5), "18446744073709551615"), plain,
     WIDE_FRACTIONS),
    ("f", "float", "FLOAT", float_text, cast("float"), []),
    ("d", "double", "DOUBLE", float_text, cast("double"), ["2", "0", "-0.0"]),
    ("money", "decimal(9, 2)", "DECIMAL(9, 2)", lambda: decimal_text(2), plain,
     ["0.005", "-0.005", "1.001", "99999999", "3", "1e3", "1.100"]),
    ("big", "decimal(38, 10)", "DECIMAL(38, 10)", lambda: decimal_text(10), plain,
     ["0.5", "1", "-2"]),
    ("day", "date", "DATE", date_text, typed("date"),
     ["timestamp '2000-01-01 00:00:00'", "timestamp '2000-06-01 12:00:00'", "'2001-02-03'",
      "timestamp '1999-12-31 23:59:59.999999'"]),
    ("clock", "time", "TIME", lambda: time_text(6), typed("time"), ["'12:00:00'"]),
    ("at", "timestamp", "TIMESTAMP", lambda: f"{date_text()} {time_text(6)}", typed("timestamp"),
     ["date '2000-06-01'", "'2000-06-01 00:00:00'"]),
    ("at_s", "timestamp_s", "TIMESTAMP_S", lambda: f"{date_text()} {time_text(1)[:8]}",
     cast("timestamp_s"), []),
    ("at_ms", "timestamp_ms", "TIMESTAMP_MS", lambda: f"{date_text()} {time_text(3)}",
     cast("timestamp_ms"), []),
    ("at_ns", "timestamp_ns", "TIMESTAMP_NS", lambda: f"{date_text()} {time_text(9)}",
     cast("timestamp_ns"), []),
    ("instant", "timestamptz", "TIMESTAMPTZ", lambda: f"{date_text()} {time_text(6)}+00",
     typed("timestamptz"), ["'2000-06-01 12:00:00+02:00'"]),
    ("name", "string", "VARCHAR", string_text, quoted, []),
    ("bytes", "binary", "BLOB", blob_text, cast("blob"), []),
    ("key", "uuid", "UUID", uuid_text, quoted, []),
    ("s", "struct<x: int>", "STRUCT(x INTEGER)", lambda: number(-5, 5), plain, FRACTIONS),
    ("odd \"name\" é", "string", "VARCHAR", string_text, quoted, []),
]


def reference(column):
    name = column[0]
    return "s.x" if name == "s" else '"' + name.replace('"', '""') + '"'


def constant(column):
    make, write, others = column[3], column[4], column[5]
    if rng.random() < 0.04:
        return "null"
    if others and rng.random() < 0.4:
        return rng.choice(others)
    return write(make())


def leaf():
    column = rng.choice(COLUMNS)
    name = reference(column)
    form = rng.randrange(12)
    if form < 6:
        op = rng.choice(["=", "<>", "!=", "<", "<=", ">", ">="])
        return (f"{constant(column)} {op} {name}" if rng.random() < 0.15
                else f"{name} {op} {constant(column)}")
    if form == 6:
        return f"{name} {edge('', 'not ')}between {constant(column)} and {constant(column)}"
    if form < 9:
        many = 25 if rng.random() < 0.1 else 3
        values = ", ".join(constant(column) for _ in range(rng.randint(1, many)))
        return f"{name} {edge('', 'not ')}in ({values})"
    if form == 9:
        return f"{name} is {edge('', 'not ')}null"
    column = rng.choice([c for c in COLUMNS if c[1] == "string"])
    name = reference(column)
    prefix = "".join(rng.choice(["a", "b", "é", "日"]) for _ in range(rng.randint(0, 2)))
    if form == 10:
        return f"{name} {edge('', 'not ')}like {quoted(prefix + edge('%', ''))}"
    return f"starts_with({name}, {quoted(prefix + edge('', '%'))})"


def predicate(depth):
    if depth == 0 or rng.random() < 0.3:
        return leaf() if rng.random() < 0.97 else edge("true", "false")
    form = rng.random()
    if form < 0.25:
        return f"not ({predicate(depth - 1)})"
    word = edge(" and ", " or ")
    return "(" + word.join(predicate(depth - 1) for _ in range(rng.randint(2, 3))) + ")"


def main():
    rows = [[None if rng.random() < 0.15 else column[3]() for column in COLUMNS]
            for _ in range(ROWS)]
    predicates = [predicate(rng.randint(0, 3)) for _ in range(PREDICATES)]

    db = duckdb.connect(config={"threads": 1})
    db.execute("SET TimeZone = 'UTC'")
    names = ['"' + c[0].replace('"', '""') + '"' for c in COLUMNS]
    db.execute("CREATE TABLE t (row INTEGER, "
               + ", ".join(f"{n} {c[2]}" for n, c in zip(names, COLUMNS)) + ")")
    casts = ", ".join("{'x': ?::INTEGER}" if c[0] == "s" else f"?::{c[2]}" for c in COLUMNS)
    db.executemany(f"INSERT INTO t VALUES (?, {casts})",
                   [[i, *row] for i, row in enumerate(rows)])

    text = ", ".join(f"{n} {c[1]}" for n, c in zip(names, COLUMNS)) + "\n"
    text += f"{ROWS}\n"
    text += "".join("\t".join("\\N" if v is None else v for v in row) + "\n" for row in rows)
    text += "".join(p + "\n" for p in predicates)
    answers = oracle.run(oracle.tool("tool_schema_predicate"), stdin=text).splitlines()
    assert len(answers) == PREDICATES, f"{len(answers)} answers"

    selected = 0
    for written, answer in zip(predicates, answers):
        assert not answer.startswith("error: "), f"{written}: {answer}"
        printed, ours = answer.rsplit("\t", 1)
        ours = [int(row) for row in ours.split()]
        selected += len(ours)
        for form in (written, printed):
            theirs = [r[0] for r in
                      db.execute(f"SELECT row FROM t WHERE {form} ORDER BY row").fetchall()]
            assert ours == theirs, (f"written {written}\nprinted {printed}\n"
                                    f"ours   {ours}\ntheirs {theirs} for {form}")
    print(f"{PREDICATES} predicates over {ROWS} rows, {selected} rows selected, all the same")


if __name__ == "__main__":
    sys.exit(main())
