#!/usr/bin/env bash
# The Parquet files that Stoa writes hold what was loaded: PyArrow, DuckDB and Polars are the judges.
# judge: quick
set -euo pipefail
exec "$STOA_PYTHON" "$STOA_SOURCE_DIR/tests/judge/parquet_written.py"
