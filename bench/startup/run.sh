#!/usr/bin/env bash
# From the start of the program to the first row of a one-row table.
exec "$STOA_PYTHON" "$(dirname "$0")/startup.py"
