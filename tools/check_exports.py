#!/usr/bin/env python3
"""Compares what libstoa.so exports with what include/stoa declares as STOA_API: the same names,
all of them stoa_*.   usage: check_exports.py LIBRARY"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
DIRECTIVES = re.compile(r"^\s*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
DECLARATION = re.compile(r"\bSTOA_API\b([^;{]*)")
FUNCTION = re.compile(r"\b(\w+)\s*\(")
OBJECT = re.compile(r"\b(\w+)\s*(?:\[[^\]]*\])?\s*$")


def declared_names():
    """Each name declared as STOA_API, with the header that declares it."""
    names = {}
    for path in sorted((ROOT / "include" / "stoa").rglob("*.h")):
        text = DIRECTIVES.sub("", COMMENTS.sub(" ", path.read_text()))
        for match in DECLARATION.finditer(text):
            found = [n for n in FUNCTION.findall(match[1]) if n.islower() and n[:2] != "__"]
            found = found or OBJECT.findall(match[1])
            if found:
                names[found[0]] = path.relative_to(ROOT)
    return names


def exported_names(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    # Sanitizers and coverage add symbols of their own, with leading underscores.
    return {line.split()[-1].split("@")[0] for line in lines if not line.split()[-1][0] == "_"}


def main():
    declared, exported = declared_names(), exported_names(sys.argv[1])
    faults = []
    for name in sorted(exported - declared.keys()):
        faults.append(f"{name}: exported, but include/stoa does not declare it as STOA_API")
    for name in sorted(declared.keys() - exported):
        faults.append(f"{declared[name]}: {name} is declared as STOA_API, but not exported")
    for name in sorted(declared):
        if not name.startswith("stoa_"):
            faults.append(f"{declared[name]}: {name} does not start with stoa_")
    for fault in faults:
        print(fault)
    print(f"exports: {len(exported)} names, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
