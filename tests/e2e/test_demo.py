"""The demo's answers are those that DuckDB gives over the raw files, and its database is plain
Parquet for other readers."""
import os
import subprocess

import duckdb
import polars

import command
import oracle

DATA = oracle.pathlib.Path(os.environ["STOA_DEPS_DIR"]) / "vega"
QUESTIONS = sorted((oracle.SOURCE / "demo/questions").glob("*.sql"))


def test_the_demo(_):
    database = oracle.TMP / "demo.stoa"
    env = dict(os.environ, STOA_DEMO_DATA=str(DATA), STOA_DEMO_DATABASE=str(database), NO_COLOR="1")
    done = subprocess.run(["bash", oracle.SOURCE / "demo/demo.sh"], env=env, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("3,000,000", "200,000", "3,376", "every checksum is right", "Try next"):
        assert text in done.stdout + done.stderr, text

    raw = duckdb.connect()
    raw.execute(f"create view flights as from '{DATA}/flights-3m.parquet'")
    raw.execute(f"create view airports as from '{DATA}/airports.csv'")
    raw.execute(f"create view flights_sample as from '{DATA}/flights-200k.json'")
    assert len(QUESTIONS) >= 4
    for question in QUESTIONS:
        expected = raw.execute(question.read_text())
        names = [c[0] for c in expected.description]
        ours = command.objects(database, question.read_text())
        theirs = [dict(zip(names, row)) for row in expected.fetchall()]
        assert len(theirs) > 3
        assert [{k: str(v) for k, v in row.items()} for row in ours] == \
            [{k: str(v) for k, v in row.items()} for row in theirs], question.name

    files = [line.split(",")[0] for line in
             command.ok("files", database, "flights", "--format", "csv").splitlines()[1:]]
    frame = polars.scan_parquet([database / f for f in files])
    assert frame.select(polars.len()).collect().item() == 3_000_000
    assert frame.select(polars.col("delay").sum()).collect().item() == \
        raw.execute("select sum(delay) from flights").fetchone()[0]


if not (DATA / "flights-3m.parquet").exists():
    oracle.leave_out("the demo's data; 'make demo' installs it")
command.tests(globals())
