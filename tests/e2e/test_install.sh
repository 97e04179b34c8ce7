#!/usr/bin/env bash
# What `make install` puts down serves a program built with pkg-config, one built with CMake, and
# the command itself, wherever the folder is moved to.
set -euo pipefail

cmake --install "$STOA_BUILD_DIR" --prefix "$STOA_TMP/first" >"$STOA_TMP/log"
mv "$STOA_TMP/first" "$STOA_TMP/moved"
prefix=$STOA_TMP/moved
lib=$(dirname "$(find "$prefix" -name libstoa.a)")

cd "$STOA_TMP"
cat >program.c <<'END'
#include <stdio.h>
#include <stoa/status.h>

int main(void) {
    puts(stoa_status_name(STOA_OK));
    return 0;
}
END

PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
read -ra flags <<<"$STOA_CFLAGS $(pkg-config --cflags --libs stoa)"
"$STOA_CC" program.c "${flags[@]}" -o shared
[[ $(LD_LIBRARY_PATH=$lib ./shared) == ok ]]

read -ra flags <<<"$STOA_CFLAGS $(pkg-config --cflags stoa) $lib/libstoa.a $(pkg-config --libs --static stoa | sed 's/-lstoa//')"
"$STOA_CC" program.c "${flags[@]}" -o static
[[ $(./static) == ok ]]

cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.22)
project(program C)
find_package(Stoa 0.1 REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE Stoa::stoa)
END
cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$STOA_CC" \
    -DCMAKE_C_FLAGS="$STOA_CFLAGS" >>log
cmake --build build >>log
[[ $(./build/program) == ok ]]

if [[ -d $STOA_SOURCE_DIR/src/cli ]]; then
    "$prefix/bin/stoa" --version >>log
fi
