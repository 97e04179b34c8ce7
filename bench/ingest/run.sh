#!/usr/bin/env bash
# Loading: a Parquet and a CSV file of the same orders rows into a table, against DuckDB.
exec "$STOA_PYTHON" "$(dirname "$0")/ingest.py"
