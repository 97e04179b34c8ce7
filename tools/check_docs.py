#!/usr/bin/env python3
"""Compiles and runs the examples of README.md and docs/**/*.md.

    ```c            with `int main` in it: compiled against libstoa, then run
    ```c norun      the same, but only compiled
    ```sh run       run by bash -e, with `stoa` on the path; must succeed
    ```text output  what the example before it prints; a line `...` stands for any lines

Other blocks are only shown. The examples of one page run in order in one empty folder.
Environment: STOA_BUILD_DIR (where libstoa.so and stoa are), STOA_CC, STOA_CFLAGS.
usage: check_docs.py [PAGE...]"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("STOA_BUILD_DIR", ROOT / "build"))
CC = os.environ.get("STOA_CC", "cc")
CFLAGS = os.environ.get("STOA_CFLAGS", "").split()
FENCE = re.compile(r"^( *)```(.*)$")
SECONDS = 300


def read_blocks(page):
    """The fenced blocks of a page: (line, words after the fence, text)."""
    blocks, start, words, lines, indent = [], None, [], [], 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        match = FENCE.match(line)
        if start is None and match:
            start, words, lines, indent = number, match[2].split(), [], len(match[1])
        elif start is not None and match and not match[2].strip():
            blocks.append((start, words, "\n".join(lines) + "\n"))
            start = None
        elif start is not None:
            lines.append(line[indent:] if line[:indent].isspace() else line)
    return blocks


def output_matches(expected, found):
    """Whether `found` is `expected`, in which a line `...` stands for any number of lines."""
    parts = [re.escape(line.rstrip()) for line in expected.strip("\n").split("\n")]
    pattern = "\n".join(r"(?:.*)" if part == re.escape("...") else part for part in parts)
    lines = "\n".join(line.rstrip() for line in found.strip("\n").split("\n"))
    return re.fullmatch(pattern, lines, re.DOTALL) is not None


def execute(command, folder, **options):
    """Runs one command in the page's folder; returns (fault, output)."""
    env = dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}", HOME=str(folder),
               LD_LIBRARY_PATH=str(BUILD), STOA_SOURCE_DIR=str(ROOT), NO_COLOR="1")
    try:
        done = subprocess.run(command, cwd=folder, env=env, text=True, timeout=SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    except subprocess.TimeoutExpired:
        return f"ran longer than {SECONDS} seconds", ""
    if done.returncode != 0:
        return f"exit status {done.returncode}\n{done.stdout}{done.stderr}", done.stdout
    return None, done.stdout


def run_block(words, text, folder):
    """Runs one example. Returns None when it is only shown, else (fault, output)."""
    if words[:1] == ["c"] and re.search(r"\bint\s+main\b", text):
        (folder / ".example.c").write_text(text)
        fault, _ = execute([CC, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g",
                            *CFLAGS, f"-I{ROOT / 'include'}", ".example.c", "-o", ".example",
                            f"-L{BUILD}", "-lstoa", "-lm", "-pthread"], folder)
        if fault or "norun" in words:
            return fault, ""
        return execute(["./.example"], folder)
    if words[:2] == ["sh", "run"]:
        return execute(["bash", "-euo", "pipefail", "-c", text], folder, stdin=subprocess.DEVNULL)
    return None


def check_page(page):
    """Runs the examples of one page; returns their count and the faults."""
    faults, count, output = [], 0, None
    with tempfile.TemporaryDirectory(prefix="stoa-docs.") as folder:
        for line, words, text in read_blocks(page):
            where = f"{page.relative_to(ROOT)}:{line}"
            if words[:2] == ["text", "output"]:
                if output is None:
                    faults.append(f"{where}: there is no example before this output")
                elif not output_matches(text, output):
                    faults.append(f"{where}: expected\n{text}but found\n{output}")
                output = None
                continue
            result = run_block(words, text, pathlib.Path(folder))
            output = None
            if result is None:
                continue
            count += 1
            fault, output = result
            if fault:
                faults.append(f"{where}: {fault}")
    return count, faults


def main():
    pages = [pathlib.Path(p).resolve() for p in sys.argv[1:]] or sorted(
        [p for p in [ROOT / "README.md"] if p.exists()] + list((ROOT / "docs").rglob("*.md")))
    total, failed = 0, 0
    for page in pages:
        count, faults = check_page(page)
        total += count
        failed += len(faults)
        for fault in faults:
            print(fault, flush=True)
    print(f"docs: {total} examples in {len(pages)} pages, {failed} faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
