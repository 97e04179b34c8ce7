"""Names that Parquet allows and schemas do not: files of PyArrow with fields without a name and with one
name for several are read, whole and by field."""
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import oracle

TOOL = oracle.tool("tool_parquet_read")


def read(path, out, *words):
    done = subprocess.run([TOOL, path, out, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    with pa.ipc.open_stream(out) as stream:
        return stream.read_all()


def check(folder, names, want):
    arrays = [pa.array([i, i + 1]) for i in range(len(names))]
    nested = pa.StructArray.from_arrays(arrays, names=names)
    path, out = f"{folder}/in.parquet", f"{folder}/out.arrows"
    pq.write_table(pa.Table.from_arrays(arrays + [nested], names=names + ["nested"]), path)
    table = read(path, out)
    assert table.column_names == want + ["nested"], table.column_names
    assert [field.name for field in table.schema.field("nested").type] == want
    for i, column in enumerate(table.columns[:-1]):
        assert column.to_pylist() == [i, i + 1]
    assert table.column("nested").to_pylist()[1] == {name: i + 1 for i, name in enumerate(want)}
    table = read(path, out, f"fields={len(names)}")
    assert table.column_names == want[-1:]


def main():
    with tempfile.TemporaryDirectory() as folder:
        check(folder, ["a", "A", "b"], ["a", "A", "b"])
        check(folder, ["a", "a", "a", "b"], ["a", "a_2", "a_3", "b"])
        check(folder, ["a", "a", "a_2", "a", "a_2"], ["a", "a_3", "a_2", "a_4", "a_2_2"])
        check(folder, ["", "x", ""], ["column_1", "x", "column_3"])
        check(folder, ["column_2", "", "x"], ["column_2", "column_2_2", "x"])


main()
