"""Files of many other writers verify and can be described, and those that are known to be bad do not
verify, each for the reason that it was made for."""
import json
import subprocess
import sys

import oracle

TOOL = oracle.tool("tool_parquet_write")
CORPUS = oracle.shared("corpora/parquet-testing")
WRITERS = oracle.shared("corpora/parquet-writers")

# Files among the good ones that are not whole, with a part of what is said of them.
NOT_WHOLE = {
    "datapage_v1-corrupt-checksum.parquet": "checksum",
    "rle-dict-uncompressed-corrupt-checksum.parquet": "checksum",
    "nation.dict-malformed.parquet": "lies within its chunk",
    "repeated_no_annotation.parquet": "expected 0 rows but found 6",
}
# Dictionary codes of no bits for values that are all the first entry: unusual, and whole.
WHOLE = {"ARROW-GH-43605.parquet"}
ENCRYPTED = "encrypt"


def tool(verb, path, *words):
    done = subprocess.run([TOOL, verb, path, *words], capture_output=True, timeout=180)
    assert done.returncode in range(0, 13), f"{verb} {path}: ended by {done.returncode}"
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def main():
    wrong, count = [], 0
    good = sorted(CORPUS.glob("data/*.parquet")) + sorted(CORPUS.glob("shredded_variant/*.parquet"))
    good += sorted(WRITERS.glob("*/*.parquet"))
    for path in good:
        if ENCRYPTED in path.name:
            continue
        count += 1
        status, _, said = tool("verify", path)
        want = NOT_WHOLE.get(path.name)
        if (want is None) != (status == 0) or (want or "") not in said:
            wrong.append(f"{path.name}: verify: {said.strip() or 'no error'}")
        status, text, said = tool("describe", path, "pages") if want is None else tool("describe", path)
        if status != 0:
            wrong.append(f"{path.name}: describe: {said.strip()}")
        else:
            assert json.loads(text)["format"] == "parquet"
    for path in sorted(CORPUS.glob("bad_data/*.parquet")):
        count += 1
        status, _, said = tool("verify", path)
        if (status == 0) != (path.name in WHOLE):
            wrong.append(f"{path.name}: verify: {said.strip() or 'no error'}")
    print("\n".join(wrong))
    print(f"{count} files, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
