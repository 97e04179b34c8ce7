"""Geometries, geographies and variants: named as Arrow names them when they are read, and what they were
when they are written again. Columns are well-known binary, so nothing needs to know more of them."""
import json
import subprocess
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import oracle

TOOL = oracle.tool("tool_parquet_read")
TESTING = oracle.shared("corpora/parquet-testing")
DEFAULT = "OGC:CRS84"
# The reference system and edges that GeoArrow's metadata names, by file.
GEO = {
    "crs-default": (DEFAULT, None, None), "crs-geography": (DEFAULT, None, "spherical"),
    "crs-srid": ("5070", "srid", None), "geography-points": (DEFAULT, None, "spherical"),
    "geography-lines": (DEFAULT, None, "spherical"), "geospatial": (DEFAULT, None, None),
    "geospatial-with-nan": (DEFAULT, None, None), "crs-projjson": (5070, None, None),
    "crs-arbitrary-value": (5070, None, None),
}


def run(*words):
    done = subprocess.run([TOOL, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def geo_field(path):
    with pa.ipc.open_stream(path) as stream:
        table = stream.read_all()
    name = next(name for name in table.column_names if name.startswith("geo"))
    metadata = table.schema.field(name).metadata
    assert metadata[b"ARROW:extension:name"] == b"geoarrow.wkb"
    return json.loads(metadata[b"ARROW:extension:metadata"]), table.column(name).to_pylist(), name


def logical_type(path, name):
    schema = pq.ParquetFile(path).schema
    column = next(schema.column(i) for i in range(len(schema)) if schema.column(i).path == name)
    return json.loads(column.logical_type.to_json())


def check_geo(folder, file, want):
    source, out = TESTING / f"data/geospatial/{file}.parquet", f"{folder}/out"
    run(source, out)
    says, rows, name = geo_field(out)
    crs = says["crs"]["id"]["code"] if isinstance(says["crs"], dict) else says["crs"]
    assert (crs, says.get("crs_type"), says.get("edges")) == want, f"{file}: {says}"
    assert rows == [None if value is None else bytes(value) for value in
                    pq.read_table(source).column(name).to_pylist()], file

    run(source, f"{folder}/again.parquet", "rewrite")
    run(f"{folder}/again.parquet", f"{folder}/again")
    assert geo_field(f"{folder}/again") == (says, rows, name), file
    theirs, ours = logical_type(source, name), logical_type(f"{folder}/again.parquet", name)
    # PROJJSON of the file's metadata is written where the type is.
    if file not in ("crs-projjson", "crs-arbitrary-value"):
        assert ours == theirs, f"{file}: {ours} for {theirs}"
    metadata = pq.ParquetFile(f"{folder}/again.parquet").metadata.row_group(0)
    for i in range(metadata.num_columns):
        column = metadata.column(i)
        if column.path_in_schema == name:
            assert column.statistics is None or not column.statistics.has_min_max


def check_variant(folder):
    source, again = TESTING / "shredded_variant/case-126.parquet", f"{folder}/again.parquet"
    run(source, f"{folder}/out")
    run(source, again, "rewrite")
    run(again, f"{folder}/again")
    tables = []
    for path in (f"{folder}/out", f"{folder}/again"):
        with pa.ipc.open_stream(path) as stream:
            tables.append(stream.read_all())
        metadata = tables[-1].schema.field("var").metadata
        assert metadata is None or metadata.get(b"ARROW:extension:name") == b"arrow.parquet.variant"
    assert tables[0].to_pylist() == tables[1].to_pylist()
    assert "Variant" in str(pq.ParquetFile(again).schema)


def check_table(folder):
    """SQL over a table sees what they are stored as."""
    database = f"{folder}/db"
    oracle.stoa("init", database)
    oracle.stoa("load", database, "g", TESTING / "data/geospatial/crs-srid.parquet")
    oracle.stoa("load", database, "v", TESTING / "shredded_variant/case-126.parquet")
    assert "BLOB" in oracle.stoa("sql", database, "SELECT typeof(geometry) AS t FROM g")
    assert "2" in oracle.stoa("sql", database, "SELECT count(var.value) AS n FROM v")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for file, want in GEO.items():
            check_geo(folder, file, want)
        check_variant(folder)
        check_table(folder)


main()
