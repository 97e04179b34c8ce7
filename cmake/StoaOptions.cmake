# Options, the language, warnings and sanitizers.
option(STOA_WERROR "Warnings are errors" OFF)
option(STOA_ASSERTS "Compile STOA_ASSERT in" OFF)
option(STOA_TESTS "Build the tests" ON)
option(STOA_BENCH "Build the benchmarks" OFF)
option(STOA_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
option(STOA_CCACHE "Compile through ccache where it is installed" ON)
option(STOA_COVERAGE "Count which lines run (gcovr reads the counts)" OFF)
set(STOA_SANITIZE "" CACHE STRING "Sanitizers, comma-separated: address,undefined or thread")
set(STOA_DEPS_DIR ${PROJECT_SOURCE_DIR}/build/deps CACHE PATH
    "Where tools/setup.sh keeps what it downloads; shared by all presets")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O3 -g -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O3 -g -DNDEBUG")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)

if(STOA_CCACHE)
  find_program(CCACHE_PROGRAM ccache)
  if(CCACHE_PROGRAM)
    # Relative paths let one cache serve every clone and worktree of the repository.
    set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_C_COMPILER_LAUNCHER})
  endif()
endif()

add_compile_definitions(_GNU_SOURCE)
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wconversion;-Wshadow>"
                    "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # At -O3 gcc takes pointers that an error path leaves NULL for objects of no size. The builds
  # with sanitizers keep these warnings.
  add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
endif()
if(STOA_WERROR)
  add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Werror>")
endif()
if(STOA_ASSERTS)
  add_compile_definitions(STOA_ASSERTS=1)
endif()
# Names of files in messages and debug information are relative to the repository.
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)

set(STOA_SANITIZE_FLAGS "")
if(STOA_SANITIZE)
  set(STOA_SANITIZE_FLAGS -fsanitize=${STOA_SANITIZE} -fno-sanitize-recover=all
      -fno-omit-frame-pointer)
  add_compile_options(${STOA_SANITIZE_FLAGS})
  add_link_options(${STOA_SANITIZE_FLAGS})
  if(STOA_SANITIZE MATCHES thread AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan) # fences are not modelled; code that needs one says so
  endif()
endif()
if(STOA_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
if(STOA_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "STOA_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
