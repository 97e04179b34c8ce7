#!/usr/bin/env bash
# Loading rows into files by partition, against DuckDB and PyArrow.
exec "$STOA_PYTHON" "$(dirname "$0")/partition.py"
