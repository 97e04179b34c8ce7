#!/usr/bin/env bash
# What the command makes of every IPC file of the Arrow project's corpus, with PyArrow as the judge.
# judge: quick
set -euo pipefail
exec "$STOA_PYTHON" "$STOA_SOURCE_DIR/tests/judge/ipc_corpus.py"
