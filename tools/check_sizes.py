#!/usr/bin/env python3
"""Lists source files over 600 lines, which most should not be; fails over 1200."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARN, FAIL = 600, 1200


def main():
    long, count = [], 0
    for folder in ("src", "include", "tests", "fuzz", "bench", "tools", "cmake", "bindings"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".c", ".h", ".cc", ".py", ".sh", ".cmake"):
                continue
            count += 1
            lines = path.read_bytes().count(b"\n")
            if lines > WARN:
                long.append((lines, path.relative_to(ROOT)))
    for lines, path in sorted(long, reverse=True):
        print(f"{path}: {lines} lines")
    failed = any(lines > FAIL for lines, _ in long)
    print(f"sizes: {count} files, {len(long)} over {WARN} lines"
          + (f", some over {FAIL}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
