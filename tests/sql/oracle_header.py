"""Our declarations of DuckDB's C API are those of the real header, where one is to be found.

Looked for: $STOA_DUCKDB_HEADER (a file), then duckdb.h beside libduckdb.so."""
import os
import pathlib
import tempfile

import oracle


def find_header():
    places = [os.environ.get("STOA_DUCKDB_HEADER", "")]
    for folder in (os.environ.get("STOA_DUCKDB_DIR", ""), os.environ.get("STOA_DEPS_DIR", "") + "/duckdb"):
        places.append(f"{folder}/duckdb.h")
    for place in places:
        if place and pathlib.Path(place).is_file():
            return pathlib.Path(place)
    oracle.leave_out("no duckdb.h; STOA_DUCKDB_HEADER may name that of DuckDB 1.5.6")


def build(folder, name, *flags):
    program = pathlib.Path(folder) / name
    oracle.run("cc", "-std=gnu17", "-Wall", f"-I{oracle.SOURCE}/src", *flags, "-o", program,
               oracle.SOURCE / "tests/sql/header_check.c")
    return oracle.run(program)


def main():
    header = find_header()
    with tempfile.TemporaryDirectory(dir=oracle.TMP) as folder:
        ours = build(folder, "ours").splitlines()
        theirs = build(folder, "theirs", "-DSTOA_DUCKDB_REAL_HEADER", f"-I{header.parent}").splitlines()
    assert len(ours) > 60
    for mine, real in zip(ours, theirs, strict=True):
        assert mine == real, f"ours: {mine}, the header's: {real}"
    print(f"{len(ours)} sizes, places and values, and every signature, agree with {header.name}")


main()
