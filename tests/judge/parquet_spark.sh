#!/usr/bin/env bash
# Spark reads the Parquet files that Stoa writes. Spark has an environment of its own, which
# `make judge` makes where there is a Java.
# judge: quick
set -euo pipefail
readonly version=4.1.4
cache=${STOA_JUDGES_CACHE:-$HOME/.cache/stoa-judges}
if ! command -v java >/dev/null; then
    echo "left out: no Java for Spark"
    exit 77
fi
if [[ ! -x $cache/spark-$version/bin/spark-submit ]]; then
    if [[ -n ${STOA_JUDGE_QUICK:-} ]]; then
        echo "left out: Spark is not installed ('make judge' does it, in minutes)"
        exit 77
    fi
    mkdir -p "$cache"
    python3 -m venv "$cache/spark-$version"
    if ! "$cache/spark-$version/bin/pip" install -q "pyspark==$version" pyarrow==26.0.1 \
        pandas==3.1.1 xxhash==4.1.0; then
        echo "left out: Spark cannot be installed"
        exit 77
    fi
fi
exec "$STOA_PYTHON" "$STOA_SOURCE_DIR/tests/judge/parquet_spark.py"
