"""Driving the built command in tests: runs, results, expectations that read as sentences."""
import csv
import io
import json
import os
import subprocess
import sys
import traceback

import oracle


def run(*arguments, stdin=None, env=None, cwd=None):
    """Runs `stoa`; returns (exit status, standard output, standard error)."""
    command = [os.environ["STOA_BIN"], *(str(a) for a in arguments)]
    mode = {} if isinstance(stdin, bytes) else {"text": True}
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, check=False,
                          env=dict(os.environ, **(env or {})), **mode)
    as_text = (lambda b: b.decode(errors="replace")) if isinstance(stdin, bytes) else str
    return done.returncode, as_text(done.stdout), as_text(done.stderr)


def ok(*arguments, **options):
    """Runs `stoa`, which must succeed; returns its standard output."""
    status, out, err = run(*arguments, **options)
    assert status == 0, f"stoa {' '.join(map(str, arguments))}: exit status {status}\n{err}"
    return out


def fails(status, *arguments, says=(), **options):
    """Runs `stoa`, which must fail with `status`, one line on standard error, nothing on standard
    output, and every text of `says` in that line. Returns the line."""
    found, out, err = run(*arguments, **options)
    words = " ".join(map(str, arguments))
    assert found == status, f"stoa {words}: expected exit status {status} but found {found}\n{err}"
    assert out == "", f"stoa {words}: expected nothing on standard output but found {out!r}"
    lines = err.splitlines()
    assert len(lines) == 1, f"stoa {words}: expected one line but found:\n{err}"
    assert lines[0].startswith("stoa: "), lines[0]
    for text in [says] if isinstance(says, str) else says:
        assert text in lines[0], f"stoa {words}: expected '{text}' in: {lines[0]}"
    return lines[0]


def rows(database, query):
    """The rows of a query as lists of texts (csv: a null is an empty text)."""
    text = ok("sql", database, query, "--format", "csv")
    return list(csv.reader(io.StringIO(text)))[1:]


def objects(database, query):
    """The rows of a query as dictionaries with JSON's types."""
    return json.loads(ok("sql", database, query, "--format", "json"))


def write(name, content):
    """A file of the test's temporary folder."""
    path = oracle.TMP / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def tests(scope):
    """Runs every function test_* of a module, in order; each gets an empty database's path. All run,
    whatever fails before them."""
    count, failed = 0, []
    for name, function in list(scope.items()):
        if name.startswith("test_") and callable(function):
            count += 1
            try:
                function(oracle.TMP / f"{name}.stoa")
            except Exception:
                failed.append(name)
                print(f"failed: {name}\n{traceback.format_exc()}", flush=True)
    print(f"{count - len(failed)} passed, {len(failed)} failed")
    if failed:
        sys.exit(1)
