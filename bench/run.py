#!/usr/bin/env python3
"""Runs the benchmarks and gathers their figures.   usage: bench/run.py [NAME]   (make bench ONLY=NAME)

Each folder bench/<name>/ is one question; NAME is one of them, or what several begin with: `parquet` is
parquet_read, parquet_write and parquet_filter. Its `run.sh` runs it; without one, every program
build/bench/bench_<name>_<source> runs in turn. What they print is gathered:

    figure <name> <value> <unit>
    ratio  <name> <ours> <unit> vs <rival> <theirs> = <ratio>x
    rival  <name> <version>

and appended, with commit, date, machine and compiler, to bench/results/<name>.json. The run ends
with a table of all ratios. What a question needs installed it says in optional files:
`packages.txt` (Debian) and `requirements.txt` (Python, installed into build/venv-bench-<name>); with
FULL=1 its `needs.sh` builds what no package has into the folder build/deps/bench-<name>.
Set for run.sh: STOA_BENCH_DIR (the programs), STOA_BENCH_DATA (a folder that is kept),
STOA_PYTHON, STOA_BIN; FULL=1 asks for the sizes that the documents quote."""
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
BUILD = ROOT / "build"
NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"
FIGURE = re.compile(rf"^figure\s+(\S+)\s+{NUMBER}\s+(\S+)\s*$")
RATIO = re.compile(rf"^ratio\s+(\S+)\s+{NUMBER}\s+(\S+)\s+vs\s+(.+?)\s+{NUMBER}\s*=\s*{NUMBER}x\s*$")
RIVAL = re.compile(r"^rival\s+(\S+)\s+(\S.*?)\s*$")


def words(path):
    """The words of a list file, without comments."""
    if not path.exists():
        return []
    return [w for line in path.read_text().splitlines() for w in line.split("#")[0].split()]


def questions(only):
    """The folders to run, by name."""
    found = sorted(p.name for p in BENCH.iterdir()
                   if p.is_dir() and p.name not in ("results", "support", "__pycache__"))
    if not only or only in found:
        return [only] if only else found
    group = [name for name in found if name.startswith(f"{only}_")]
    if not group:
        sys.exit(f"bench: there is no benchmark '{only}'; there are: {' '.join(found)}")
    return group


def output_of(*command):
    """The first line that a program prints, or nothing."""
    try:
        text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    except OSError:
        return ""
    return text.splitlines()[0].strip() if text.strip() else ""


def cpu_model():
    """The processor's name, as the kernel gives it."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    match = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def surroundings():
    """What a figure is worth nothing without."""
    commit = output_of("git", "rev-parse", "--short=12", "HEAD")
    if commit and output_of("git", "status", "--porcelain", "--untracked-files=no", "--",
                            "src", "include", "bench", "cmake"):
        commit += "+changes"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "commit": commit,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "compiler": output_of("cc", "--version"),
        "full": os.environ.get("FULL") == "1",
    }


def build():
    """Installs what the questions need, then builds their programs."""
    for name in selected:
        packages = words(BENCH / name / "packages.txt")
        if packages:
            subprocess.run([ROOT / "tools/setup.sh", "packages", *packages], check=True)
        if (BENCH / name / "requirements.txt").exists():
            subprocess.run([ROOT / "tools/setup.sh", "venv", f"venv-bench-{name}",
                            BENCH / name / "requirements.txt"], check=True)
        if os.environ.get("FULL") == "1" and (BENCH / name / "needs.sh").exists():
            subprocess.run([BENCH / name / "needs.sh", BUILD / "deps" / f"bench-{name}"], check=True)
    subprocess.run(["cmake", "--preset", "release", "-DSTOA_BENCH=ON", "--log-level=STATUS"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "build", "-j", os.environ.get("JOBS", "2"),
                    "--target", "product", "benchmarks"], cwd=ROOT, check=True)


def commands(name):
    """What to run for one question."""
    for script in ("run.sh", "run.py"):
        if (BENCH / name / script).exists():
            return [BENCH / name / script]
    sources = sorted([*(BENCH / name).glob("*.c"), *(BENCH / name).glob("*.cc")])
    programs = [BUILD / "bench" / f"bench_{name}_{source.stem}" for source in sources]
    return [program for program in programs if program.exists()]


def run_question(name, environment):
    """Runs one question, showing what it prints. Returns (its record, whether all went well)."""
    record = dict(environment, name=name, rivals={}, figures=[], ratios=[])
    venv = BUILD / f"venv-bench-{name}"
    env = dict(os.environ, STOA_BENCH_DIR=str(BUILD / "bench"),
               STOA_BENCH_DATA=str(BUILD / "bench-data"),
               STOA_VENV=str(venv if venv.exists() else BUILD / "venv"))
    (BUILD / "bench-data").mkdir(parents=True, exist_ok=True)
    well = True
    for command in commands(name):
        process = subprocess.Popen([ROOT / "tools/run_script.sh", command], cwd=ROOT, env=env,
                                   text=True, stdout=subprocess.PIPE)
        for line in process.stdout:
            print(line, end="", flush=True)
            note(record, line)
        well = process.wait() in (0, 77) and well
    return record, well


def note(record, line):
    """Keeps what one line of output says."""
    if match := FIGURE.match(line):
        record["figures"].append({"name": match[1], "value": float(match[2]), "unit": match[3]})
    elif match := RATIO.match(line):
        record["ratios"].append({"name": match[1], "ours": float(match[2]), "unit": match[3],
                                 "rival": match[4], "theirs": float(match[5]),
                                 "ratio": float(match[6])})
    elif match := RIVAL.match(line):
        record["rivals"][match[1]] = match[2]


def append(record):
    """Adds one run to bench/results/<name>.json, a list of runs, the newest last."""
    path = BENCH / "results" / f"{record['name']}.json"
    path.parent.mkdir(exist_ok=True)
    runs = json.loads(path.read_text()) if path.exists() else []
    runs.append(record)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n")
    temporary.rename(path)


def print_table(ratios):
    """All ratios of this run, in one table."""
    rows = [("name", "ours", "theirs", "unit", "rival", "ratio")]
    rows += [(r["name"], f"{r['ours']:g}", f"{r['theirs']:g}", r["unit"], r["rival"],
              f"{r['ratio']:.2f}x") for r in ratios]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print()
    for row in rows:
        cells = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].rjust(widths[2]),
                 row[3].ljust(widths[3]), row[4].ljust(widths[4]), row[5].rjust(widths[5])]
        print("  ".join(cells).rstrip())


def main():
    environment = surroundings()
    build()
    ratios, failed = [], []
    for name in selected:
        print(f"== bench {name}", flush=True)
        record, well = run_question(name, environment)
        if record["figures"] or record["ratios"]:
            append(record)
        ratios += record["ratios"]
        if not well:
            failed.append(name)
    print_table(ratios)
    if failed:
        sys.exit(f"bench: FAILED: {' '.join(failed)}")


if __name__ == "__main__":
    selected = questions(sys.argv[1] if len(sys.argv) > 1 else None)
    main()
