"""Every IPC file of arrow-testing goes through the command.

Integration files are copied by `stoa cat` and must come out equal, schema and metadata included; what
is refused must be refused for the reason given below. The newest of them are also loaded, and PyArrow
compares the data files of the table with the source. Hostile files must end in rows or in an error.
The score counts files that end as they should, a refusal that is expected included.
"""
import sys

import pyarrow as pa
import pyarrow.ipc as ipc

import oracle
import reading

CORPUS = oracle.shared("corpora/arrow-testing")
sys.path.insert(0, str(reading.READER.parent))
import common  # noqa: E402  (of the table judges)

INTEGRATION = CORPUS / "arrow-ipc-stream/integration"
LOADED = "cpp-21.0.0"
HOSTILE = ("arrow-ipc-stream", "arrow-ipc-file", "arrow-ipc-tensor-stream", "forward-compatibility")

# What the command refuses: (a part of the file's name, a part of what it says).
REFUSED = (
    ("bigendian", "big-endian"),
    ("list_view", "list views ('+vl') are not supported"),
    # Old writers made decimals of more digits than their type has; the reader validates.
    ("0.14.1/generated_decimal", "expected at most 3 digits but found"),
    ("1.0.0-littleendian/generated_decimal.", "expected at most 3 digits but found"),
    ("1.0.0-littleendian/generated_decimal256", "expected at most 37 digits but found"),
)
# What a table refuses; of these, nothing is lost in silence.
NOT_LOADED = (
    ("decimal256", "a decimal of more than 38 digits"),
    ("duplicate_fieldnames", "expected a name for every field"),
    ("interval", "expected an interval that Parquet can hold"),
    ("list_view", "list views ('+vl') are not supported"),
    ("run_end_encoded", "a run-end encoded field"),
    ("union", "a union (Arrow format"),
)


def read_any(data):
    return (ipc.open_file(data) if data[:6] == b"ARROW1" else ipc.open_stream(data)).read_all()


def named(path):
    """The file under a name that says what it is: streams of old do not begin with a mark."""
    folder = oracle.TMP / path.parent.name
    folder.mkdir(exist_ok=True)
    link = folder / (path.stem + (".arrow" if path.read_bytes()[:6] == b"ARROW1" else ".arrows"))
    if not link.is_symlink():
        link.symlink_to(path)
    return link


def copy(path):
    """(exit status, what was said, the copy) of one file."""
    out = oracle.TMP / f"copy-{path.parent.name}-{path.name}.arrows"
    status, _, said = reading.stoa("cat", named(path), "--format", "arrows", "-o", out)
    return status, said, out


def known(name, said, listed):
    return any(part in name and words in said for part, words in listed)


def check_copy(name, path, status, said, out):
    """(passed, fault or None)"""
    if status != 0:
        return known(name, said, REFUSED), f"{name}: {said}"
    found, expected = read_any(out.read_bytes()), read_any(path.read_bytes())
    if not found.schema.equals(expected.schema, check_metadata=True):
        return False, f"{name}: the schema differs:\n{expected.schema}\n{found.schema}"
    if found.equals(expected) or repr(found.to_pylist()) == repr(expected.to_pylist()):
        return True, None
    return False, f"{name}: values differ"


def judge_copies():
    files = sorted([*INTEGRATION.glob("*/*.stream"), *INTEGRATION.glob("*/*.arrow_file")])
    passed, wrong, refused = 0, [], 0
    for path, (status, said, out) in reading.each(copy, files).items():
        ok, fault = check_copy(f"{path.parent.name}/{path.name}", path, status, said, out)
        passed += ok
        refused += status != 0
        wrong += [fault] if not ok else []
    print(f"copies: {len(files) - refused} equal, {refused} refused as expected"
          if not wrong else f"copies: {len(wrong)} wrong")
    return passed, len(files), wrong


def expected_of(table):
    columns = [(field.name, common.tree_of_arrow(field.type)) for field in table.schema]
    return {"rows": table.num_rows, "columns": common.table_checksums(table, columns),
            "schema": [{"name": field.name, "type": str(field.type)} for field in table.schema]}


def judge_tables():
    files = sorted((INTEGRATION / LOADED).glob("*.stream"))
    passed, wrong = 0, []
    with reading.folder() as place:
        loaded = reading.load([named(path) for path in files], place)
        found = reading.read([path for one in loaded.values() for path in one.files], "pyarrow")
        for path, one in zip(files, loaded.values()):
            if one.status != 0:
                print(f"not loaded: {path.name}: {one.said}")
                if known(path.name, one.said, NOT_LOADED):
                    passed += 1
                else:
                    wrong.append(f"{path.name}: {one.said}")
                continue
            differ = {}
            if one.files:
                differ = reading.differences(expected_of(read_any(path.read_bytes())),
                                             reading.together([found[file] for file in one.files]))
            passed += not differ
            wrong += [f"{path.name}: table: {differ}"] if differ else []
    return passed, len(files), wrong


def judge_hostile():
    files = [path for folder in HOSTILE for path in sorted((CORPUS / folder).iterdir())
             if path.is_file()]
    passed, wrong = 0, []
    for path, (status, said, _) in reading.each(copy, files).items():
        ok = status in (0, 1, 3, 4) and (status == 0) == (said == "")
        passed += ok
        wrong += [] if ok else [f"{path.name}: ended with {status}: {said}"]
    print(f"hostile: {len(files)} files")
    return passed, len(files), wrong


def main():
    results = [judge() for judge in (judge_copies, judge_tables, judge_hostile)]
    wrong = [line for result in results for line in result[2]]
    for line in wrong:
        print(f"WRONG {line}")
    print(f"score: {sum(result[0] for result in results)}/{sum(result[1] for result in results)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
