"""What oracle and end-to-end tests need: where things are, how to run them, how to leave out.

    import oracle
    path = oracle.shared("corpora/parquet-testing")   # ends the test as skipped when absent
    out = oracle.stoa("sql", db, "SELECT 1")           # runs the built command
"""
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["STOA_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["STOA_BUILD_DIR"])
TOOLS = pathlib.Path(os.environ["STOA_TOOLS"])
TMP = pathlib.Path(os.environ["STOA_TMP"])
SHARED = pathlib.Path(os.environ["STOA_SHARED"])
SKIPPED = 77


def leave_out(reason):
    """Ends the test as skipped, saying why in one line."""
    print(f"left out: {reason}", flush=True)
    sys.exit(SKIPPED)


def shared(name):
    """The path of a corpus or judge beside the repository (or where STOA_SHARED points)."""
    path = SHARED / name
    if not path.exists():
        leave_out(f"{name} is not there; STOA_SHARED may point to the folder that holds it")
    return path


def tool(name):
    """The path of the helper program tests/<module>/tool_X.c, as `tool_<module>_X`."""
    return TOOLS / name


def run(*command, status=0, stdin=None, **options):
    """Runs a program; its exit status must be `status`. Returns its standard output, as text."""
    done = subprocess.run([str(part) for part in command], input=stdin, text=True,
                          capture_output=True, **options)
    if done.returncode != status:
        words = " ".join(str(part) for part in command)
        raise AssertionError(f"{words}: expected exit status {status} but found {done.returncode}"
                             f"\n{done.stdout}{done.stderr}")
    return done.stdout


def stoa(*arguments, **options):
    """Runs the built command."""
    return run(os.environ["STOA_BIN"], *arguments, **options)
