#!/usr/bin/env bash
# Installs what the build, the demo and the tests need, on Debian 12, Ubuntu 24.04 and later.
# Says what it installs; a second run finds everything in place and ends at once.
#
#   tools/setup.sh [base|demo|test|tools|all]...
#   tools/setup.sh packages NAME...       Debian packages by name (for benchmarks and judges)
#   tools/setup.sh venv NAME FILE         a Python environment build/NAME from requirements FILE
#
#   base   compiler, libraries, libduckdb                       (make)
#   demo   base, and the flights of vega-datasets               (make demo)
#   test   demo, and the Python judges in build/venv            (make check)
#   tools  clang with libFuzzer, clang-format, clang-tidy, gcovr (make fuzz, format, coverage)
#
# Environment:
#   STOA_DUCKDB_DIR  a folder with libduckdb.so of 1.5.6: nothing is downloaded for it
#   STOA_CACHE       where downloads are kept for the next clone; default ~/.cache/stoa
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
cache=${STOA_CACHE:-${HOME:-/tmp}/.cache/stoa}
scratch=

# shellcheck source=tools/setup_pins.sh
source "$root/tools/setup_pins.sh"

say() { echo "setup: $*" >&2; }
die() {
    say "$1"
    shift
    for line in "$@"; do echo "       $line" >&2; done
    exit 1
}
trap '[[ -z $scratch ]] || rm -rf "$scratch"' EXIT
new_scratch() {
    mkdir -p "$1"
    scratch=$(mktemp -d "$1/.setup.XXXXXX")
}

# ---- Debian packages ----------------------------------------------------------------------------

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed$'; }

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "the Debian packages above are missing, and this user is not root and has no sudo" \
            "as root, this installs them: $*"
    fi
}

apt_install() {
    local missing=() name
    for name in "$@"; do installed "$name" || missing+=("$name"); done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        die "this system has no apt-get; install the equivalents of: ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    local quiet=(-qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600)
    # The lists may be empty or stale: try with them as they are first, then with fresh ones.
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${quiet[@]}" -y \
        --no-install-recommends "${missing[@]}" >/dev/null 2>&1 </dev/null; then
        as_root apt-get update "${quiet[@]}" >/dev/null </dev/null || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${quiet[@]}" -y \
            --no-install-recommends "${missing[@]}" >/dev/null </dev/null ||
            die "apt-get could not install: ${missing[*]}" \
                "looked in the sources of /etc/apt; install them by hand and run this again"
    fi
}

# ---- npm packages -------------------------------------------------------------------------------

sha256_is() { [[ -f $1 && $(sha256sum <"$1") == "$2 "* ]]; }

# npm_fetch PACKAGE VERSION SHA256 ADVICE: sets `tarball` to the verified download in the cache.
npm_fetch() {
    local package=$1 version=$2 sha=$3 advice=$4 got
    local name=${package#@}
    tarball=$cache/${name//\//-}-$version.tgz
    if ! sha256_is "$tarball" "$sha"; then
        # npm itself is only needed for a download.
        command -v npm >/dev/null || apt_install npm
        say "downloading $package $version from npm"
        new_scratch "$cache"
        (cd "$scratch" && npm pack --loglevel=error "$package@$version" >/dev/null 2>npm.log </dev/null) || {
            sed 's/^/       /' "$scratch/npm.log" >&2
            die "npm could not fetch $package $version" \
                "looked in: $cache, then the registry that 'npm config get registry' names" "$advice"
        }
        got=$(find "$scratch" -name '*.tgz' -print -quit)
        sha256_is "$got" "$sha" ||
            die "$package $version has an unexpected SHA-256" "expected $sha" \
                "found    $(sha256sum <"$got" | cut -d' ' -f1)" "$advice"
        mv -f "$got" "$tarball"
        rm -rf "$scratch"
    fi
}

# unpack TARBALL FOLDER PREFIX FILE...: puts the files into the folder, all or none of them.
unpack() {
    local tarball=$1 folder=$2 prefix=$3
    shift 3
    new_scratch "$deps"
    tar -xzf "$tarball" -C "$scratch" --no-same-owner "${@/#/$prefix/}"
    (cd "$scratch/$prefix" && touch -- *)
    rm -rf "$folder"
    mv "$scratch/$prefix" "$folder"
    rm -rf "$scratch"
}

setup_duckdb() {
    if [[ -n ${STOA_DUCKDB_DIR:-} ]]; then
        [[ -f $STOA_DUCKDB_DIR/libduckdb.so ]] ||
            die "STOA_DUCKDB_DIR is '$STOA_DUCKDB_DIR', but there is no libduckdb.so in it"
        return
    fi
    local stamp=$deps/duckdb/.stamp
    [[ -f $stamp && $(<"$stamp") == "$DUCKDB_LIBRARY_SHA256" && -f $deps/duckdb/libduckdb.so ]] &&
        return
    local advice="or set STOA_DUCKDB_DIR to a folder that holds libduckdb.so of DuckDB $DUCKDB_VERSION"
    [[ $(uname -m) == x86_64 ]] ||
        die "no libduckdb is pinned for $(uname -m)" \
            "set STOA_DUCKDB_DIR to a folder that holds libduckdb.so of DuckDB $DUCKDB_VERSION"
    local tarball
    npm_fetch "$DUCKDB_PACKAGE" "$DUCKDB_PACKAGE_VERSION" "$DUCKDB_TARBALL_SHA256" "$advice"
    unpack "$tarball" "$deps/duckdb" package libduckdb.so LICENSE
    sha256_is "$deps/duckdb/libduckdb.so" "$DUCKDB_LIBRARY_SHA256" ||
        die "libduckdb.so of $DUCKDB_PACKAGE $DUCKDB_PACKAGE_VERSION has an unexpected SHA-256" "$advice"
    echo "$DUCKDB_LIBRARY_SHA256" >"$stamp"
    say "libduckdb $DUCKDB_VERSION is in build/deps/duckdb"
}

setup_vega() {
    local stamp=$deps/vega/.stamp
    [[ -f $stamp && $(<"$stamp") == "$VEGA_TARBALL_SHA256" ]] && return
    local tarball
    npm_fetch vega-datasets "$VEGA_VERSION" "$VEGA_TARBALL_SHA256" \
        "or put vega-datasets-$VEGA_VERSION.tgz into $cache"
    unpack "$tarball" "$deps/vega" package/data "${VEGA_FILES[@]}"
    (cd "$deps/vega" && sha256sum --quiet -c - <<<"$VEGA_SHA256SUMS") ||
        die "the files of vega-datasets $VEGA_VERSION have unexpected SHA-256 sums"
    echo "$VEGA_TARBALL_SHA256" >"$stamp"
    say "the demo's data is in build/deps/vega"
}

# ---- Python -------------------------------------------------------------------------------------

# setup_venv NAME REQUIREMENTS: build/NAME, a link to an environment in the cache that all clones
# with the same requirements and the same Python share.
setup_venv() {
    local link=$root/build/$1 requirements=$2
    local python=/usr/bin/python3
    [[ -x $python ]] || python=python3
    local key folder
    key=$({ "$python" -c 'import sys; print(sys.version)'; cat "$requirements"; } | sha256sum | cut -c1-12)
    folder=$cache/$1-$key
    if [[ ! -f $folder/.complete ]]; then
        mkdir -p "$cache"
        exec 8>"$folder.lock"
        flock 8
    fi
    if [[ ! -f $folder/.complete ]]; then
        say "installing Python packages into build/$1: $(grep -v '^#' "$requirements" | xargs)"
        rm -rf "$folder"
        "$python" -m venv "$folder" || die "python3 -m venv failed; is python3-venv installed?"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
            --only-binary :all: -r "$requirements" </dev/null ||
            die "pip could not install the packages of ${requirements#"$root"/}" \
                "looked in the index that 'pip config list' names" \
                "or make build/$1 an environment that has them, and run this again"
        touch "$folder/.complete"
    fi
    mkdir -p "$root/build"
    [[ $(readlink "$link" 2>/dev/null) == "$folder" ]] || { rm -rf "$link" && ln -s "$folder" "$link"; }
}

# ---- parts --------------------------------------------------------------------------------------

setup_base() {
    apt_install "${BASE_PACKAGES[@]}"
    setup_duckdb
}

setup_demo() {
    setup_base
    setup_vega
}

setup_test() {
    setup_demo
    apt_install "${TEST_PACKAGES[@]}"
    setup_venv venv "$root/tools/requirements.txt"
}

# The newest clang there is whose libFuzzer can be installed with it.
setup_tools() {
    local version
    for version in 22 21 20 19 18 17 16 15 14; do
        if installed "clang-$version" || apt-cache show "clang-$version" >/dev/null 2>&1; then
            apt_install "clang-$version" "libclang-rt-$version-dev" "clang-format-$version" \
                "clang-tidy-$version"
            break
        fi
    done
    command -v gcovr >/dev/null || apt_install gcovr
}


main() {
    (($#)) || set -- base
    if [[ $1 == packages ]]; then
        shift
        apt_install "$@"
        return
    elif [[ $1 == venv ]]; then
        setup_venv "$2" "$3"
        return
    fi
    local part
    for part in "$@"; do
        case $part in
        base | demo | test | tools) "setup_$part" ;;
        all)
            setup_test
            setup_tools
            ;;
        *) die "unknown part '$part'; parts are base, demo, test, tools, all" ;;
        esac
    done
}

main "$@"
