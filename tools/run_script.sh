#!/usr/bin/env bash
# Runs one script of the tests, benchmarks or judges in the environment that they are promised:
# STOA_SOURCE_DIR, STOA_BUILD_DIR, STOA_BIN, STOA_TOOLS, STOA_SHARED, STOA_VENV, STOA_PYTHON, and
# STOA_TMP, an empty folder that is removed afterwards. Python scripts run in build/venv.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export STOA_SOURCE_DIR=${STOA_SOURCE_DIR:-$root}
export STOA_BUILD_DIR=${STOA_BUILD_DIR:-$root/build}
export STOA_BIN=${STOA_BIN:-$STOA_BUILD_DIR/stoa}
export STOA_TOOLS=${STOA_TOOLS:-$STOA_BUILD_DIR/tests}
export STOA_DEPS_DIR=${STOA_DEPS_DIR:-$root/build/deps}
export STOA_SHARED=${STOA_SHARED:-$root/../shared}
export STOA_VENV=${STOA_VENV:-$root/build/venv}
export STOA_PYTHON=$STOA_VENV/bin/python
export PYTHONPATH=$root/tests/support${PYTHONPATH:+:$PYTHONPATH}
export PYTHONDONTWRITEBYTECODE=1
export LC_ALL=C.UTF-8

script=$1
shift
STOA_TMP=$(mktemp -d "${TMPDIR:-/tmp}/stoa-test.XXXXXX")
export STOA_TMP
trap 'rm -rf "$STOA_TMP"' EXIT

if [[ $script == *.py ]]; then
    if [[ ! -x $STOA_PYTHON ]]; then
        echo "left out: ${script#"$root"/}: build/venv is missing; 'make setup' installs it"
        exit 77
    fi
    "$STOA_PYTHON" "$script" "$@"
elif [[ $script == *.sh ]]; then
    bash "$script" "$@"
else
    "$script" "$@"
fi
