"""Spark (parquet-mr) reads what Stoa writes: every file of the corpus parquet-writers that Spark reads
as PyArrow does is loaded and exported, and Spark's rows and checksums of the table's data files and of
the export must be those of the source. The score counts columns of both writings."""
import json
import sys

import oracle
import reading

CORPUS = oracle.shared("corpora/parquet-writers")

# Sources that do not pass today, and why; a line that is no longer true fails the judge.
KNOWN = {
    "pyarrow/odd_names.parquet": "a column without a name is given one, column_1",
}


def main():
    corpus = json.loads((CORPUS / "expected.json").read_text())
    names = sorted(name for name, said in corpus.items()
                   if said.get("others", {}).get("spark") == "same")
    passed, total, wrong, failed = 0, 0, [], set()
    with reading.folder() as place:
        loaded = reading.load([CORPUS / name for name in names], place, export=True)
        paths = [path for one in loaded.values() for path in [*one.files, one.export] if path]
        found = reading.read(paths, "spark")
        for name, one in zip(names, loaded.values()):
            columns = len(corpus[name]["schema"])
            total += 2 * columns
            if one.status != 0:
                failed.add(name)
                wrong += [] if name in KNOWN else [f"{name}: {one.said}"]
                continue
            for what, files in (("data files", one.files), ("export", [one.export])):
                if not files and corpus[name]["rows"] == 0:
                    passed += columns
                    continue
                differ = reading.differences(corpus[name],
                                             reading.together([found[path] for path in files]))
                passed += 0 if "" in differ else columns - len(differ)
                failed |= {name} if differ else set()
                wrong += [f"{name}: {what}: column '{column}': {change}"
                          for column, change in differ.items() if name not in KNOWN]
    wrong += [f"{name}: passes now" for name in sorted(KNOWN.keys() - failed)]
    for name, why in KNOWN.items():
        print(f"not passed: {name}: {why}")
    for line in wrong:
        print(f"WRONG {line}")
    print(f"{len(names)} sources, {len(paths)} files written, read by Spark")
    print(f"score: {passed}/{total}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
