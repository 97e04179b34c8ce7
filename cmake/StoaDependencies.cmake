# What Stoa links. docs/dependencies.md says what each is for; tools/setup.sh installs them.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

set(STOA_PC_REQUIRES libxxhash libzstd liblz4 libdeflate libbrotlidec libbrotlienc zlib liblzma
    libcrypto expat liburing sqlite3 jansson)
pkg_check_modules(DEPS REQUIRED IMPORTED_TARGET ${STOA_PC_REQUIRES})
find_library(SNAPPY_LIBRARY snappy REQUIRED) # Debian ships no snappy.pc
find_library(BZIP2_LIBRARY bz2 REQUIRED)     # and no bzip2.pc

add_library(stoa_dependencies INTERFACE)
target_link_libraries(stoa_dependencies INTERFACE PkgConfig::DEPS ${SNAPPY_LIBRARY} ${BZIP2_LIBRARY}
                      Threads::Threads m ${CMAKE_DL_LIBS})

# Only the command draws text on a terminal.
pkg_check_modules(CLI_DEPS REQUIRED IMPORTED_TARGET libutf8proc libedit)
