#!/usr/bin/env python3
"""Asks a state table and its rivals the same, each question in a process of its own and on an empty
folder: docs/benchmarks.md says what the figures are. Less is better everywhere.

    nanoseconds a row    ingest.random, put.seq, put.random, compact, get.hot, get.all, multiget.64,
                         get.missing, scan.filter, scan.all
    microseconds         put.sync.1w, put.sync.16w, put.p50 … put.max, seek.100
    milliseconds         reopen (after a process that ended in the middle)
    megabytes            size"""
import os
import pathlib
import shutil
import subprocess
import sys

PROGRAMS = pathlib.Path(os.environ.get("STOA_BENCH_DIR", "build/bench"))
DATA = pathlib.Path(os.environ.get("STOA_BENCH_DATA", "build/bench-data")) / "lsm"
FULL = os.environ.get("FULL") == "1"
ENGINES = ["stoa", "leveldb", "lmdb"]
ROWS = 10_000_000 if FULL else 2_000_000
PUTS = 3_000_000 if FULL else 1_000_000
UNITS = {"put.sync.1w": "us", "put.sync.16w": "us", "put.p50": "us", "put.p99": "us",
         "put.p999": "us", "put.max": "us", "seek.100": "us", "reopen": "ms", "open": "ms",
         "size": "bytes"}
# Which rival a goal names; the other is shown where it answers the question.
QUESTIONS = [("ingest", ROWS), ("put.seq", PUTS), ("put.random", PUTS), ("put.sync.1w", PUTS),
             ("put.sync.16w", PUTS), ("latency", PUTS), ("reads", ROWS)]
LEFT_OUT = {"lmdb": {"compact", "size", "open"}}


def ask(engine, question, rows, folder, keep=False):
    """The figures that a program prints, by name."""
    program = PROGRAMS / f"bench_lsm_{engine}"
    if not program.exists():
        return {}
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    text = subprocess.run([program, question, str(rows), folder], check=True,
                          capture_output=True, text=True).stdout
    return {name: float(value) for name, value in map(str.split, text.splitlines())}


def compare(name, answers):
    """A ratio of ours to each rival that has the figure."""
    ours = answers["stoa"].get(name)
    unit = UNITS.get(name, "ns/row")
    for rival in ENGINES[1:]:
        theirs = answers[rival].get(name)
        if ours and theirs and name not in LEFT_OUT.get(rival, ()):
            print(f"ratio lsm.{name} {ours:.6g} {unit} vs {rival} {theirs:.6g} "
                  f"= {theirs / ours:.2f}x", flush=True)


def main():
    for question, rows in QUESTIONS:
        answers = {}
        for engine in ENGINES:
            folder = DATA / engine
            answers[engine] = ask(engine, question, rows, folder)
            shutil.rmtree(folder, ignore_errors=True)
        checks = {name: {e: a[name] for e, a in answers.items() if name in a}
                  for name in answers["stoa"] if name.startswith("check.")}
        for name, values in checks.items():
            if max(values.values()) - min(values.values()) > 1e-6 * abs(max(values.values())):
                sys.exit(f"lsm: the engines do not agree on {name}: {values}")
        for name in answers["stoa"]:
            if not name.startswith("check."):
                compare(name, answers)
    for engine in ENGINES[:2]:
        folder = DATA / engine
        ask(engine, "crash", ROWS, folder)
        answer = ask(engine, "reopen", ROWS, folder, keep=True)
        if answer:
            print(f"figure lsm.reopen.{engine} {answer['reopen']:.1f} ms", flush=True)
        shutil.rmtree(folder, ignore_errors=True)


main()
