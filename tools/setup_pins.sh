# shellcheck shell=bash disable=SC2034
# What tools/setup.sh installs: names, versions and SHA-256 sums, and nothing else.

BASE_PACKAGES=(
    build-essential cmake ninja-build pkg-config
    libxxhash-dev libzstd-dev liblz4-dev libsnappy-dev libdeflate-dev libbrotli-dev zlib1g-dev libbz2-dev
    liblzma-dev libcurl4-openssl-dev libssl-dev libexpat1-dev liburing-dev
    libsqlite3-dev libjansson-dev libutf8proc-dev libedit-dev
    libcmocka-dev python3 python3-venv sqlite3
)

# Real servers for the tests of HTTP, and the tools that make their inputs.
TEST_PACKAGES=(nginx-light openssl bzip2 xz-utils zstd lz4 python3-boto3)

DUCKDB_VERSION=1.5.6
DUCKDB_PACKAGE=@duckdb/node-bindings-linux-x64
DUCKDB_PACKAGE_VERSION=1.5.6-r.1
DUCKDB_TARBALL_SHA256=1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff
DUCKDB_LIBRARY_SHA256=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633

VEGA_VERSION=3.2.1
VEGA_TARBALL_SHA256=6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3
VEGA_FILES=(flights-3m.parquet flights-200k.json flights-200k.arrow airports.csv)
VEGA_SHA256SUMS="\
dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0  flights-3m.parquet
82c60682ccdec1a9cf1102b2a011bef789243053f1ac01a531580c72be3d8bc0  flights-200k.json
3a0e2e459f388c98f5323a59ccd011a888e717603480fa27cbaacbd000370d5b  flights-200k.arrow
903c7169e6d558eefb95295fe2947ec8503135fbb855ea5c737cf4a90ea603ad  airports.csv"
