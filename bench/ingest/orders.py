"""Makes the orders rows as an uncompressed Parquet file (by PyArrow) and a CSV file (by DuckDB).

usage: orders.py ROWS PARQUET CSV"""
import os
import pathlib
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

rows, parquet, csv = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
program = pathlib.Path(os.environ["STOA_BENCH_DIR"]) / "bench_ingest_orders_file"
arrow = parquet.with_suffix(".arrow")
subprocess.run([program, rows, arrow], check=True)
table = pa.ipc.open_file(pa.memory_map(str(arrow))).read_all()
pq.write_table(table, parquet.with_suffix(".part"), compression="none", row_group_size=1 << 20)
parquet.with_suffix(".part").rename(parquet)
arrow.unlink()
duckdb.execute(f"COPY (FROM '{parquet}') TO '{csv.with_suffix('.part')}' (FORMAT csv, HEADER)")
csv.with_suffix(".part").rename(csv)
