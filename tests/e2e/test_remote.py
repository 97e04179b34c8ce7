"""Files by URI: statements, load, cat, inspect and export over HTTP and S3, with and without the read
cache. Servers run on loopback and end with the test."""
import gzip
import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq

import command
import oracle
from command import fails, ok, rows

CSV = "a,b\n1,x\n2,y\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of a dictionary, with ranges and ETags; bodies are counted."""
    protocol_version = "HTTP/1.1"
    files = {}
    sent = 0

    def log_message(self, format, *args):
        pass

    def answer(self, with_body):
        content = self.files.get(self.path)
        if content is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        begin, end = 0, len(content)
        words = self.headers.get("Range", "")
        if words.startswith("bytes=") and content:
            first, _, last = words[len("bytes="):].partition("-")
            begin = int(first) if first else len(content) - int(last)
            end = min(int(last) + 1, len(content)) if first and last else len(content)
        if begin >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if words and content else 200)
        self.send_header("ETag", f'"{hash(content) & 0xFFFFFFFF:x}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if words and content:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        self.end_headers()
        if with_body:
            Handler.sent += end - begin
            self.wfile.write(content[begin:end])

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)


def parquet(values):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"v": values}), sink)
    return sink.getvalue().to_pybytes()


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def test_http(database):
    server, base = serve()
    Handler.files = {
        "/one.csv": CSV.encode(),
        "/one.csv.gz": gzip.compress(CSV.encode()),
        "/x.parquet": parquet(list(range(5000))),
        "/export?format=csv&q=1": CSV.encode(),
        "/with%20space.csv": CSV.encode(),
    }
    for name in ("one.csv", "one.csv.gz", "export?format=csv&q=1", "with%20space.csv"):
        assert rows(":memory:", f"select sum(a) from '{base}/{name}'") == [["3"]], name
    assert rows(":memory:", f"select max(v) from read_parquet('{base}/x.parquet')") == [["4999"]]
    assert rows(":memory:", f"select count(*) from '{base}/x.parquet' p join '{base}/one.csv' c "
                            "on p.v = c.a") == [["2"]]
    for name in ("one.csv", "one.csv.gz", "x.parquet"):
        table = "t_" + name.replace(".", "_")
        ok("load", database, table, f"{base}/{name}")
        expected = "5000" if "parquet" in name else "2"
        assert rows(database, f"select count(*) from {table}") == [[expected]]
    assert ok("cat", f"{base}/one.csv.gz", "--format", "csv") == CSV
    assert '"rows": 5000' in ok("inspect", f"{base}/x.parquet")
    fails(3, "sql", ":memory:", f"select * from '{base}/none.csv'", says=f"'{base}/none.csv'")
    Handler.files["/wrong.parquet"] = b"PAR1 but nothing behind it that is any good PAR1"
    status, _, err = command.run("sql", ":memory:", f"select * from '{base}/wrong.parquet'")
    assert status != 0 and f"{base}/wrong.parquet" in err and "staged-" not in err, err
    server.shutdown()


def test_cache(_):
    server, base = serve()
    Handler.files = {"/x.parquet": parquet(list(range(300000)))}
    size = len(Handler.files["/x.parquet"])
    cache = oracle.TMP / "cache"
    query = f"select sum(v) from '{base}/x.parquet'"
    expected = str(sum(range(300000)))
    off = {"STOA_CACHE_DIR": "", "STOA_CACHE_BYTES": "", "XDG_CACHE_HOME": str(oracle.TMP / "xdg")}
    on = {**off, "STOA_CACHE_DIR": str(cache)}

    def ask(env):
        before = Handler.sent
        assert expected in ok("sql", ":memory:", query, "--format", "csv", env=env)
        return Handler.sent - before

    assert ask(off) >= size and ask(off) >= size
    assert not (oracle.TMP / "xdg").exists(), "nobody asked for a cache"
    assert ask(on) >= size
    assert ask(on) == 0, "what was fetched is fetched again"
    assert sum(f.stat().st_size for f in cache.iterdir()) >= size
    assert {f.stat().st_mode & 0o777 for f in cache.iterdir()} == {0o600}
    assert cache.stat().st_mode & 0o777 == 0o700
    Handler.files["/x.parquet"] = parquet(list(range(300000, 0, -1)))
    expected = str(sum(range(300001)))
    assert ask(on) > 0, "another version is another file"
    for file in cache.iterdir():
        file.write_bytes(b"\xff" * (file.stat().st_size // 2))
    assert ask(on) > 0, "damage is seen"
    status, _, err = command.run("sql", ":memory:", query,
                                 env={**off, "STOA_CACHE_BYTES": "a lot"})
    assert status != 0 and "STOA_CACHE_BYTES" in err, err
    server.shutdown()


def test_interrupt(_):
    """Ctrl-C ends the wait for a server that does not answer, and nothing is left."""
    place = oracle.TMP / "interrupted"
    place.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}/x.csv"
        process = subprocess.Popen(
            [os.environ["STOA_BIN"], "sql", ":memory:", f"select * from '{uri}'"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(place)})
        try:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            connection.close()
        finally:
            process.kill()
    assert process.returncode == 130, (process.returncode, err)
    assert list(place.rglob("staged-*")) == [], list(place.rglob("*"))


def start_s3():
    program = pathlib.Path(os.environ["STOA_SOURCE_DIR"]) / "tests/support/s3_server.py"
    process = subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    port = process.stdout.readline().split()[1]
    return process, {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "stoatestkey",
        "AWS_SECRET_ACCESS_KEY": "stoa-test-secret-0123456789", "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }


def test_s3(database):
    process, env = start_s3()
    try:
        for day in (1, 2, 3):
            path = oracle.TMP / f"{day}.csv"
            path.write_text(f"a,b\n{day},x\n")
            ok("load", database, f"t{day}", path, env=env)
            ok("export", database, f"t{day}", "-o", f"s3://lake/dir/day={day}/rows.parquet", env=env)
        count = "select day, count(*) from 's3://lake/dir/**/*.parquet' group by day order by day"
        out = ok("sql", ":memory:", count, "--format", "csv", env=env)
        assert out.splitlines()[1:] == ["1,1", "2,1", "3,1"], out
        ok("load", database, "all", "s3://lake/dir/*/*.parquet", env=env)
        assert rows(database, 'select count(*) from "all"') == [["3"]]
        ok("load", "s3://lake/db", "t", oracle.TMP / "1.csv", env=env)
        ok("load", "s3://lake/db", "t", oracle.TMP / "2.csv", "--mode", "append", env=env)
        out = ok("sql", "s3://lake/db", "select a from t order by a", "--format", "csv", env=env)
        assert out.splitlines() == ["a", "1", "2"], out
        ok("export", database, "t1", "-o", "s3://lake/out/rows.csv", env=env)
        assert ok("cat", "s3://lake/out/rows.csv", "--format", "csv",
                  env=env).splitlines()[0] == "a,b"
        fails(3, "sql", ":memory:", "select * from 's3://lake/no/*.csv'", env=env,
              says="no file matches 's3://lake/no/*.csv'")
        status, _, err = command.run("sql", ":memory:", "select * from 's3://lake/out/rows.csv'",
                                     env={**env, "AWS_SECRET_ACCESS_KEY": "wrong"})
        assert status != 0 and "s3://lake/out/rows.csv" in err and "wrong" not in err, err
    finally:
        process.stdin.close()
        process.wait(timeout=30)


def test_of_parquet_no_more_is_fetched_than_is_needed(_):
    """64 MB of noise beside a narrow column, in ten row groups."""
    server, base = serve()
    sink = pa.BufferOutputStream()
    noise = [os.urandom(3200) for _ in range(20_000)]
    pq.write_table(pa.table({"v": range(20_000), "noise": noise}), sink, row_group_size=2000,
                   compression="none", use_dictionary=False)
    Handler.files = {"/wide.parquet": sink.getvalue().to_pybytes()}
    for words in (["--columns", "v"], ["--columns", "v", "--where", "v >= 10000"],
                  ["--where", "v = 19999", "--columns", "v"]):
        Handler.sent = 0
        found = ok("cat", f"{base}/wide.parquet", *words).splitlines()[1:]
        assert found[-1] == "19999", words
        assert Handler.sent < 16 << 20, (words, Handler.sent)
    server.shutdown()


command.tests(globals())
