#!/usr/bin/env python3
"""Holds the text of the repository to a few rules: no trailing white space, no tabs outside
Makefiles, lines of at most 110 columns in C (the format asks
for 100), a line feed at the end, no addresses of package
registries, no paths of somebody's machine, no conflict markers; and the relative links of
Markdown pages lead somewhere."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUFFIXES = {".c", ".h", ".cc", ".py", ".sh", ".cmake", ".in", ".md", ".txt", ".toml", ".json",
            ".yml", ".mk", ""}
# Data that is kept byte for byte.
DATA = re.compile(r"(^|/)(data|seeds|results|vectors|golden)/|^LICENSE$")
COLUMNS = 110
REGISTRIES = re.compile(
    r"npm(js|mirror)\.(org|com)|pypi\.(org|io)|pythonhosted\.org|crates\.io|proxy\.golang\.org"
    r"|repo1?\.maven(\.apache)?\.org|deb\.debian\.org|(archive|ports)\.ubuntu\.com|apt\.llvm\.org")
MACHINE = re.compile(r"(?<![\w.$}{*~-])/(work|root)/\w|(?<![\w.$}{*~-])/home/\w+/\w")
LINK = re.compile(r"\]\(([^()\s]+)\)")
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|#", re.IGNORECASE)  # a URI, or a place in the same page
MARKER = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


def tracked():
    """The files that git knows or would add; without git, every file outside build folders."""
    try:
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                               capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file()]
        names = [n for n in names if not re.match(r"build|\.git/", n)]
    return sorted(n for n in names if n and (ROOT / n).is_file() and not (ROOT / n).is_symlink())


def check_lines(name, text):
    """Faults of single lines, with their numbers."""
    code = name.endswith((".c", ".h"))
    makefile = pathlib.Path(name).name == "Makefile"
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield number, "trailing white space"
        if "\t" in line and not makefile and code:
            yield number, "a tab"
        if code and len(line) > COLUMNS:
            yield number, f"{len(line)} columns; at most {COLUMNS}"
        if REGISTRIES.search(line):
            yield number, "the address of a package registry: name the package, not its host"
        if MACHINE.search(line):
            yield number, "a path of one machine"


def check_links(name, text):
    """Relative links of a page that lead nowhere, with their lines; examples are left alone."""
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            path = (ROOT / name).parent / target.partition("#")[0]
            if not ELSEWHERE.match(target) and not path.exists():
                yield number, f"the link to '{target}' leads nowhere"


def main():
    faults, count = [], 0
    for name in tracked():
        if DATA.search(name) or pathlib.Path(name).suffix not in SUFFIXES:
            continue
        data = (ROOT / name).read_bytes()
        if b"\0" in data:
            continue
        count += 1
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.append(f"{name}: not UTF-8 at byte {error.start}")
            continue
        if text and not text.endswith("\n"):
            faults.append(f"{name}: no line feed at the end")
        if MARKER.search(text):
            faults.append(f"{name}: a conflict marker")
        found = [*check_lines(name, text), *(check_links(name, text) if name.endswith(".md") else ())]
        faults += [f"{name}:{number}: {fault}" for number, fault in found]
    for fault in faults:
        print(fault)
    print(f"text: {count} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
