#!/usr/bin/env bash
# Exporting: a table of orders rows as CSV, JSON Lines and Parquet, against DuckDB.
exec "$STOA_PYTHON" "$(dirname "$0")/export.py"
