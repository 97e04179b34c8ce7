#!/usr/bin/env bash
# What the Parquet writer makes of every type, encoding, codec, page version, nesting, null pattern and
# size: PyArrow, DuckDB, Polars and, where it is there, Spark are the judges. A quick run takes a sample.
# judge: quick
set -euo pipefail
exec "$STOA_PYTHON" "$STOA_SOURCE_DIR/tests/judge/parquet_matrix.py"
