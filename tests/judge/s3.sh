#!/usr/bin/env bash
# S3 against a real server on loopback, and beside boto3 and rclone: what one writes the others read.
# judge: quick
set -euo pipefail
run_s3=$STOA_SHARED/judges/tables/run_s3.sh
if [[ ! -f $run_s3 ]]; then
    echo "left out: judges/tables/run_s3.sh is not there; STOA_SHARED may point to its folder"
    exit 77
fi
built=("${STOA_JUDGES_CACHE:-$HOME/.cache/stoa-judges}"/versitygw-*/versitygw)
if [[ ! -x ${built[0]} ]]; then
    if [[ -n ${STOA_JUDGE_QUICK:-} ]] || ! command -v go >/dev/null; then
        echo "left out: the S3 server is not built ('make judge' does it, with Go, in minutes)"
        exit 77
    fi
fi
if ! sh "$run_s3" start "$STOA_TMP/s3" >"$STOA_TMP/env"; then
    echo "left out: the S3 server does not start"
    exit 77
fi
trap 'sh "$run_s3" stop "$STOA_TMP/s3"' EXIT
set -a
# shellcheck source=/dev/null
. "$STOA_TMP/env"
set +a
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN
export AWS_CONFIG_FILE=/nonexistent/config AWS_SHARED_CREDENTIALS_FILE=/nonexistent/credentials
"$STOA_PYTHON" "$STOA_SOURCE_DIR/tests/judge/s3.py"
