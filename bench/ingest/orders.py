"""Makes the orders rows as an uncompressed Parquet file (by PyArrow), a CSV file, and a fifth of them
as JSON Lines (by DuckDB).

usage: orders.py ROWS PARQUET CSV JSONL"""
import os
import pathlib
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

rows, parquet, csv, jsonl = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
program = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_ingest_orders_file"
arrow = parquet.with_suffix(".arrow")
subprocess.run([program, rows, arrow], check=True)
table = pa.ipc.open_file(pa.memory_map(str(arrow))).read_all()
pq.write_table(table, parquet.with_suffix(".part"), compression="none", row_group_size=1 << 20)
parquet.with_suffix(".part").rename(parquet)
arrow.unlink()
duckdb.execute(f"COPY (FROM '{parquet}') TO '{csv.with_suffix('.part')}' (FORMAT csv, HEADER)")
csv.with_suffix(".part").rename(csv)
# Whole numbers of JSON are read as 64 bits with a sign.
duckdb.execute(f"COPY (SELECT * REPLACE (address_hash // 2 AS address_hash) FROM '{parquet}' "
               f"LIMIT {int(rows) // 5}) TO '{jsonl.with_suffix('.part')}' (FORMAT json)")
jsonl.with_suffix(".part").rename(jsonl)
