"""Every file of the corpus parquet-writers is loaded and exported. PyArrow, DuckDB and Polars read the
table's data files and its export; rows and checksums of columns must be what the corpus says of the
source. The score counts columns: one for each judge and each of the two writings; what is left out
below counts as not passed."""
import collections
import json
import sys

import oracle
import reading

CORPUS = oracle.shared("corpora/parquet-writers")
JUDGES = ("pyarrow", "duckdb", "polars")

# Sources that `load` refuses; a part of what is said.
REFUSED = {"pyarrow/decimal256.parquet": "a decimal of at most 38 digits"}
# Columns that a judge, or any ("*"), sees inexactly, with their types.
INEXACT = {
    ("*", "halffloat → float"): "half floats become floats; the values are exact",
    ("duckdb", "timestamp[ns, tz=UTC] → timestamp[ns, tz=UTC]"): "DuckDB reads instants in microseconds",
    ("duckdb", "fixed_size_binary[12] → fixed_size_binary[12]"):
        "DuckDB shows an interval as what it is, not as its 12 bytes",
}
UNREADABLE = {("polars", "duckdb/extra_types.parquet"): "Polars has no intervals"}
UNNAMED = ("pyarrow/odd_names.parquet", "", "a column without a name is given one, column_1")


class Tally:
    def __init__(self):
        self.passed = self.total = 0
        self.left_out = collections.Counter()
        self.wrong = []

    def leave_out(self, reason, columns):
        self.left_out[reason] += columns
        self.total += columns

    def compare(self, name, what, judge, expected, found):
        """One judge's reading of one writing."""
        columns = len(expected["schema"])
        if "error" in found and (judge, name) in UNREADABLE:
            self.leave_out(UNREADABLE[judge, name], columns)
            return
        if "error" in found or found["rows"] != expected["rows"]:
            said = found.get("error") or f"{found['rows']} rows, not {expected['rows']}"
            self.wrong.append(f"{name}: {what}: {judge}: {said}")
            self.total += columns
            return
        differ = reading.differences(expected, found)
        for column, change in differ.items():
            inexact = INEXACT.get((judge, change)) or INEXACT.get(("*", change))
            if inexact is not None:
                self.left_out[inexact] += 1
            elif (name, column) == UNNAMED[:2]:
                self.left_out[UNNAMED[2]] += 1
            else:
                self.wrong.append(f"{name}: {what}: {judge}: column '{column}': {change}")
        self.total += columns
        self.passed += columns - len(differ)


def judge_source(tally, name, loaded, expected, found):
    """All readings of one source."""
    writings = [("export", [loaded.export])] if loaded.export else []
    writings += [("data files", loaded.files)] if loaded.files else []
    if loaded.status != 0:
        columns = len(expected["schema"]) * len(JUDGES) * 2
        tally.leave_out(f"{name}: {loaded.said}", columns)
        if loaded.crashed or REFUSED.get(name, "\0") not in loaded.said:
            tally.wrong.append(f"{name}: {loaded.said}")
        return
    if name in REFUSED:
        tally.wrong.append(f"{name}: is no longer refused")
    if not loaded.files and expected["rows"] > 0:
        tally.wrong.append(f"{name}: {expected['rows']} rows, but no data file")
    for what, paths in writings:
        for judge in JUDGES:
            parts = [found[judge][path] for path in paths]
            tally.compare(name, what, judge, expected, reading.together(parts))


def main():
    corpus = json.loads((CORPUS / "expected.json").read_text())
    for name, said in corpus.items():
        if "error" in said:  # PyArrow cannot read it; Polars can
            corpus[name] = reading.read([CORPUS / name], "polars")[str(CORPUS / name)]
            assert "error" not in corpus[name], f"{name}: {corpus[name]}"
    tally = Tally()
    with reading.folder() as place:
        loaded = reading.load([CORPUS / name for name in sorted(corpus)], place, export=True)
        paths = [path for one in loaded.values() for path in [*one.files, one.export] if path]
        found = reading.read_each(paths, JUDGES)
        for source, one in loaded.items():
            name = str(source.relative_to(CORPUS))
            judge_source(tally, name, one, corpus[name], found)
    for reason, columns in sorted(tally.left_out.items()):
        print(f"not counted as passed, {columns} columns: {reason}")
    for line in tally.wrong:
        print(f"WRONG {line}")
    print(f"{len(corpus)} sources, {len(paths)} files written, read by {', '.join(JUDGES)}")
    print(f"score: {tally.passed}/{tally.total}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
