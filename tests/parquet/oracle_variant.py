"""Every shredded variant of parquet-testing is put together to the value that it was made from, or
refused where it must be; variants that were not shredded pass through."""
import json
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import oracle
import variant_values

TOOL = oracle.tool("tool_parquet_read")
FOLDER = oracle.shared("corpora/parquet-testing") / "shredded_variant"
VARIANTS = oracle.shared("corpora/parquet-testing") / "variant"


def read(path, out, *words):
    done = subprocess.run([TOOL, path, out, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode in range(13), f"{path}: ended by {done.returncode}: {done.stderr}"
    if done.returncode != 0:
        return None, done.stderr
    with pa.ipc.open_stream(out) as stream:
        return stream.read_all(), ""


def decoded(path):
    data = path.read_bytes()
    names, used = variant_values.metadata(data)
    return variant_values.value(data[used:], names)


def variants(column):
    storage = pa.concat_arrays([chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
                                for chunk in column.chunks])
    assert storage.type == pa.struct([pa.field("metadata", pa.binary(), False),
                                      pa.field("value", pa.binary(), False)]), storage.type
    return [None if row is None else variant_values.value(
        row["value"], variant_values.metadata(row["metadata"])[0]) for row in storage.to_pylist()]


def check_case(case, out):
    table, said = read(FOLDER / case["parquet_file"], out)
    if "error_message" in case:
        assert table is None and "variant" in said and "var" in said, f"{case}: {said}"
        return
    assert table is not None, f"{case}: {said}"
    want = [decoded(FOLDER / name) for name in
            case.get("variant_files") or [case.get("variant_file")] if name]
    found = variants(table.column("var"))
    assert [row for row in found if row is not None] == want or found == want, \
        f"{case}: {found} for {want}"


def check_plain(folder, out):
    """The values of `variant`, written by PyArrow as they are."""
    names = sorted(path.stem for path in VARIANTS.glob("*.metadata"))
    rows = [{"metadata": (VARIANTS / f"{name}.metadata").read_bytes(),
             "value": (VARIANTS / f"{name}.value").read_bytes()} for name in names] + [None]
    kind = pa.struct([pa.field("metadata", pa.binary(), False), pa.field("value", pa.binary(), False)])
    pq.write_table(pa.table({"v": pa.array(rows, kind)}), f"{folder}/plain.parquet")
    table, said = read(f"{folder}/plain.parquet", out)
    assert table.column("v").to_pylist() == rows, said
    for row in rows[:-1]: # all of them are variants to the decoder
        variant_values.value(row["value"], variant_values.metadata(row["metadata"])[0])


def main():
    cases = [case for case in json.loads((FOLDER / "cases.json").read_text())
             if "parquet_file" in case]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            check_case(case, f"{folder}/out.arrows")
        check_plain(folder, f"{folder}/out.arrows")
    refused = sum("error_message" in case for case in cases)
    print(f"{len(cases)} shredded variants, {refused} of them to be refused")


main()
