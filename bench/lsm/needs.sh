#!/usr/bin/env bash
# Builds RocksDB from Debian's source package, without assertions and for this processor (a quarter of
# an hour), and keeps it for other clones. Debian's own build has assertions, which cost it up to two
# thirds of its speed.   usage: needs.sh FOLDER      FOLDER/librocksdb.so and FOLDER/include
set -euo pipefail

version=7.8.3
sha256=b85408a374770897332bf15e51620a5f35720dd416a4749e3899057f9cfaf84d
cache=${STOA_CACHE:-${HOME:-/tmp}/.cache/stoa}
kept=$cache/rocksdb-$version-$(uname -m)

build() {
    local scratch
    scratch=$(mktemp -d "$cache/.rocksdb.XXXXXX")
    # shellcheck disable=SC2064  # the name as it is now
    trap "rm -rf '$scratch'" EXIT
    mkdir -p "$scratch/lists/partial" "$scratch/sources"
    sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/*.sources >"$scratch/sources/src.sources"
    local options=(-qq -o "Dir::Etc::sourcelist=-" -o "Dir::Etc::sourceparts=$scratch/sources"
        -o "Dir::State::lists=$scratch/lists")
    apt-get "${options[@]}" update >&2
    (cd "$scratch" && apt-get "${options[@]}" source --download-only "rocksdb=$version-2" >&2)
    echo "$sha256  $scratch/rocksdb_$version.orig.tar.gz" | sha256sum --check --quiet >&2
    tar -xzf "$scratch/rocksdb_$version.orig.tar.gz" -C "$scratch"
    cmake -G Ninja -S "$scratch/rocksdb-$version" -B "$scratch/build" -DCMAKE_BUILD_TYPE=Release \
        -DWITH_TESTS=OFF -DWITH_TOOLS=OFF -DWITH_CORE_TOOLS=OFF -DWITH_BENCHMARK_TOOLS=OFF \
        -DWITH_GFLAGS=OFF -DWITH_LZ4=ON -DPORTABLE=OFF -DUSE_RTTI=ON -DFAIL_ON_WARNINGS=OFF >&2
    cmake --build "$scratch/build" --target rocksdb-shared >&2
    mkdir "$scratch/done"
    cp -L "$scratch/build/librocksdb.so.7" "$scratch/done/librocksdb.so.7"
    ln -s librocksdb.so.7 "$scratch/done/librocksdb.so"
    cp -r "$scratch/rocksdb-$version/include" "$scratch/done/include"
    rm -rf "$kept"
    mv "$scratch/done" "$kept"
}

[[ -f $kept/librocksdb.so ]] || build
mkdir -p "$(dirname "$1")"
ln -sfn "$kept" "$1"
