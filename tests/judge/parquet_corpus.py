"""Every file of parquet-testing's data and bad_data is loaded, and PyArrow compares the data files that
came of it with the source: rows and checksums of columns. A file that is bad must be refused. What
is refused, differs, or is loaded though PyArrow refuses it stands in parquet_corpus.txt with its
reason, and counts as not passed unless both refuse; anything else, and any line there that is no
longer true, fails the judge."""
import pathlib
import sys

import oracle
import reading

CORPUS = oracle.shared("corpora/parquet-testing")
LIST = pathlib.Path(__file__).with_suffix(".txt")


def read_list():
    """{file: (part of what is said, why)}."""
    known = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            name, said, why = (part.strip() for part in line.split(" | "))
            known[name] = (said, why)
    return known


def outcome(loaded, expected, found):
    """(passed, what to say or None) of one file."""
    refused_by_judge = expected.get("error")
    if loaded.crashed:
        return False, f"ended with {loaded.status}: {loaded.said}"
    if loaded.status != 0:
        return refused_by_judge is not None, f"refused: {loaded.said}"
    if refused_by_judge is not None:
        return False, f"loaded, but PyArrow says: {refused_by_judge}"
    if not loaded.files:
        return expected["rows"] == 0, None if expected["rows"] == 0 else "no data file"
    parts = reading.together([found[path] for path in loaded.files])
    differ = reading.differences(expected, parts)
    words = "; ".join(f"{column}: {change}" for column, change in differ.items())
    return not differ, f"differs: {words}" if differ else None


def main():
    files = sorted(path for folder in ("data", "data/*", "bad_data")
                   for path in CORPUS.glob(f"{folder}/*.parquet*") if path.suffix != ".json")
    known = read_list()
    passed, wrong, refused, seen = 0, [], 0, set()
    with reading.folder() as place:
        loaded = reading.load(files, place)
        expected = reading.read(files, "pyarrow")
        found = reading.read([path for one in loaded.values() for path in one.files], "pyarrow")
        for path, one in loaded.items():
            name = str(path.relative_to(CORPUS))
            ok, said = outcome(one, expected[str(path)], found)
            passed += ok
            refused += one.status != 0
            if said is None:
                continue
            part, why = known.get(name, (None, None))
            seen.add(name)
            if part is not None and part in said and not one.crashed:
                print(f"{name}: {said[:110]} ({why})")
            elif name.startswith("bad_data/") and one.status != 0 and not one.crashed:
                print(f"{name}: {said[:110]}")
            else:
                wrong.append(f"{name}: {said}")
    wrong += [f"{name}: {LIST.name} lists it, but there is nothing to say" for name in known.keys() - seen]
    for line in wrong:
        print(f"WRONG {line}")
    print(f"{len(files)} files, {refused} refused by stoa, "
          f"{sum('error' in said for said in expected.values())} by PyArrow")
    print(f"score: {passed}/{len(files)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
