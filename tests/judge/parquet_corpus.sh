#!/usr/bin/env bash
# What `stoa load` makes of every file of the Parquet project's corpus, with PyArrow as the judge.
# judge: quick
set -euo pipefail
exec "$STOA_PYTHON" "$STOA_SOURCE_DIR/tests/judge/parquet_corpus.py"
