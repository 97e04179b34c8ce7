#!/usr/bin/env python3
"""Asks the scheduler and its rivals the same, in turns: each program runs again and again, one side
after the other, and the medians are compared.

    sched.fork_join     fib: a task for every call, nanoseconds a task, against oneTBB's task_group
    sched.spawn         tasks of one store each, spawned one after the other by one thread and waited
                        for: against task_group, and against a queue with a mutex and a condition
    sched.parallel_for  an array filled: `flat` costs the same at every index, `skewed` as much as the
                        index says; against gcc's OpenMP with the best of its schedules

One thread (.1t) and two (.2t). The spawning thread is one of the scheduler's own, as it is in oneTBB;
`sched.spawn_outside` has it spawn from a thread that is not."""
import os
import pathlib
import statistics
import subprocess

PROGRAMS = pathlib.Path(os.environ.get("STOA_BENCH_DIR", "build/bench"))
FULL = os.environ.get("FULL") == "1"
ROUNDS, RUNS = (7, 5) if FULL else (3, 3)
FIB = 35 if FULL else 32
SPAWN = 2_000_000 if FULL else 1_000_000
FLAT = 4_000_000
SKEWED = 8_000


def runs(program, *arguments):
    """The seconds of each run of one program, or nothing where it was not built."""
    path = PROGRAMS / f"bench_sched_{program}"
    if not path.exists():
        return []
    text = subprocess.run([path, *map(str, arguments)], check=True, capture_output=True, text=True)
    return [float(line) for line in text.stdout.split()]


def compare(sides):
    """The median of each side, the sides taking turns."""
    seconds = [[] for _ in sides]
    for _ in range(ROUNDS):
        for side, found in zip(sides, seconds):
            found += runs(*side)
    return [statistics.median(found) if found else None for found in seconds]


def ratio(name, ours, theirs, rival, scale, unit):
    if ours and theirs:
        print(f"ratio {name} {ours * scale:.3f} {unit} vs {rival} {theirs * scale:.3f} "
              f"= {theirs / ours:.2f}x", flush=True)


def fork_join(threads):
    a, b = 1, 1
    for _ in range(FIB - 1):
        a, b = b, a + b
    tasks = b - 1  # calls with n >= 2
    ours, tbb = compare([("stoa", "fork_join", threads, FIB, RUNS),
                         ("tbb", "fork_join", threads, FIB, RUNS)])
    ratio(f"sched.fork_join.{threads}t", ours, tbb, "tbb", 1e9 / tasks, "ns/task")


def spawn(threads):
    inside, outside, tbb, queue = compare([("stoa", "spawn_inside", threads, SPAWN, RUNS),
                                           ("stoa", "spawn", threads, SPAWN, RUNS),
                                           ("tbb", "spawn", threads, SPAWN, RUNS),
                                           ("mutex_queue", "spawn", threads, SPAWN, RUNS)])
    for name, ours in (("spawn", inside), ("spawn_outside", outside)):
        for rival, theirs in (("tbb", tbb), ("mutex_queue", queue)):
            ratio(f"sched.{name}.{threads}t", ours, theirs, rival, 1e9 / SPAWN, "ns/task")


def parallel_for(threads, question, size):
    schedules = ("static", "dynamic", "guided")
    found = compare([("stoa", question, threads, size, RUNS)] +
                    [("openmp", question, threads, size, RUNS, s) for s in schedules])
    rivals = [(seconds, s) for seconds, s in zip(found[1:], schedules) if seconds]
    if rivals:
        best, schedule = min(rivals)
        ratio(f"sched.parallel_for.{question}.{threads}t", found[0], best, f"openmp-{schedule}",
              1e3, "ms")


def versions():
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libtbb-dev"],
                          capture_output=True, text=True).stdout
    if text:
        print(f"rival tbb {text}")
    text = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True).stdout
    print(f"rival openmp libgomp of gcc {text.strip()}")


versions()
for count in (1, 2):
    fork_join(count)
    spawn(count)
    parallel_for(count, "flat", FLAT)
    parallel_for(count, "skewed", SKEWED)
