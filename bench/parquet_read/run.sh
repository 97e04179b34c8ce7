#!/usr/bin/env bash
# Reading Parquet to Arrow, against DuckDB and PyArrow.
exec "$STOA_PYTHON" "$(dirname "$0")/run.py"
