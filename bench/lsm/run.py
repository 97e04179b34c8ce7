#!/usr/bin/env python3
"""Asks a state table and its rivals the same, each question in a process of its own and on an empty
folder: docs/benchmarks.md says what the figures are; those of keys and values begin with kv. Less is
better everywhere.

    nanoseconds a row    ingest.random, put.seq, put.random, compact, get.hot, get.all, multiget.64,
                         get.missing, scan.filter, scan.all
    nanoseconds          get.p50, get.p99 (one by one, the clock in it)
    microseconds         put.sync.1w, put.sync.16w, put.p50 … put.max, seek.100
    milliseconds         open; reopen (after a process that ended in the middle)
    bytes                size

With FULL=1 RocksDB is asked too: needs.sh builds it once, from its source."""
import os
import pathlib
import shutil
import subprocess
import sys

PROGRAMS = pathlib.Path(os.environ.get("STOA_BENCH_DIR", "build/bench"))
DATA = pathlib.Path(os.environ.get("STOA_BENCH_DATA", "build/bench-data")) / "lsm"
FULL = os.environ.get("FULL") == "1"
RIVALS = ["leveldb", "lmdb", "rocksdb"] if FULL else ["leveldb", "lmdb"]
ORDERS = 10_000_000 if FULL else 2_000_000
PUTS = 3_000_000 if FULL else 1_000_000
UNITS = {"put.sync.1w": "us", "put.sync.16w": "us", "put.p50": "us", "put.p99": "us",
         "put.p999": "us", "put.max": "us", "seek.100": "us", "reopen": "ms", "open": "ms",
         "get.p50": "ns", "get.p99": "ns", "size": "bytes"}
QUESTIONS = {
    "orders": [("ingest", ORDERS), ("put.seq", PUTS), ("put.random", PUTS), ("put.sync.1w", PUTS),
               ("put.sync.16w", PUTS), ("latency", PUTS), ("reads", ORDERS), ("reopen", ORDERS)],
    "kv": [("ingest", PUTS), ("put.seq", PUTS), ("put.random", PUTS), ("reads", PUTS)],
}
# LMDB has no log to replay and nothing to compact.
LEFT_OUT = {"lmdb": {"compact", "size", "open", "reopen"}}


def print_rivals():
    """Their versions; RocksDB's is that of needs.sh."""
    versions = {"rocksdb": "7.8.3 without assertions"}
    for rival in RIVALS:
        versions.setdefault(rival, subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", f"lib{rival}-dev"],
            capture_output=True, text=True).stdout)
        print(f"rival {rival} {versions[rival]}", flush=True)


def ask(engine, rows, question, count):
    """The figures that a program prints, by name."""
    program = PROGRAMS / f"bench_lsm_{engine}"
    folder = DATA / engine
    if not program.exists() or question in LEFT_OUT.get(engine, ()):
        return {}
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for step in ["crash", "reopen"] if question == "reopen" else [question]:
        text = subprocess.run([program, rows, step, str(count), folder], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
    shutil.rmtree(folder, ignore_errors=True)
    return {name: float(value) for name, value in map(str.split, text.splitlines())}


def agree(name, values):
    """Ends the run where engines that were given the same rows do not answer the same."""
    if max(values) - min(values) > 1e-6 * abs(max(values)):
        sys.exit(f"lsm: the engines do not agree on {name}: {values}")


def compare(prefix, ours, theirs, rival):
    """A ratio of ours to a rival's for each figure that both have."""
    for name, value in ours.items():
        if name.startswith("check."):
            agree(name, [value, theirs.get(name, value)])
        elif theirs.get(name) and name not in LEFT_OUT.get(rival, ()):
            print(f"ratio lsm.{prefix}{name} {value:.6g} {UNITS.get(name, 'ns/row')} vs {rival} "
                  f"{theirs[name]:.6g} = {theirs[name] / value:.2f}x", flush=True)


def main():
    print_rivals()
    for rows, questions in QUESTIONS.items():
        for question, count in questions:
            ours = ask("stoa", rows, question, count)
            for rival in RIVALS:
                compare("kv." if rows == "kv" else "", ours, ask(rival, rows, question, count),
                        rival)


main()
