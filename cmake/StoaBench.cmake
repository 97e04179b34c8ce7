# bench/<question>/*.c and *.cc are programs build/bench/bench_<question>_<file>. A line
#
#   /* link: leveldb lmdb */
#
# among the first ten of a program names the libraries it needs besides libstoa; where one is
# missing the program is left out, with a message. A line "flags:" of the same kind gives options to
# the compiler and the linker. bench/support/*.c is shared by all.
set(STOA_BENCH_DIR ${PROJECT_BINARY_DIR}/bench)
file(GLOB STOA_BENCH_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*/*.c
     ${PROJECT_SOURCE_DIR}/bench/*/*.cc)
file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/support/*.c)
list(FILTER STOA_BENCH_SOURCES EXCLUDE REGEX "/bench/support/")

add_library(bench_support INTERFACE)
target_include_directories(bench_support INTERFACE ${PROJECT_SOURCE_DIR}/bench/support)
target_link_libraries(bench_support INTERFACE stoa_static)
if(support)
  add_library(bench_support_objects STATIC ${support})
  target_link_libraries(bench_support_objects PUBLIC stoa_static)
  target_link_libraries(bench_support INTERFACE bench_support_objects)
endif()
if(STOA_BENCH_SOURCES MATCHES "\\.cc(;|$)")
  enable_language(CXX)
endif()

# Sets `out` to the libraries that `source` asks for, also from the folder `needs`, and `missing` to the first that is not there.
function(stoa_bench_libraries source needs out missing)
  file(STRINGS ${source} line REGEX "^(//|/\\*) link: " LIMIT_COUNT 1)
  string(REGEX REPLACE "^(//|/\\*) link: *" "" line "${line}")
  string(REGEX REPLACE " *\\*/.*$" "" line "${line}")
  string(REPLACE " " ";" names "${line}")
  set(found "")
  foreach(name ${names})
    find_library(BENCH_LIB_${name} NAMES ${name} ${name}.so HINTS ${needs}
                 PATHS ${STOA_DEPS_DIR}/duckdb)
    if(NOT BENCH_LIB_${name})
      set(${missing} ${name} PARENT_SCOPE)
      return()
    endif()
    list(APPEND found ${BENCH_LIB_${name}})
  endforeach()
  set(${missing} "" PARENT_SCOPE)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# Sets `out` to the options that `source` asks for.
function(stoa_bench_flags source out)
  file(STRINGS ${source} line REGEX "^/\\* flags: " LIMIT_COUNT 1)
  string(REGEX REPLACE "^/\\* flags: *" "" line "${line}")
  string(REGEX REPLACE " *\\*/.*$" "" line "${line}")
  string(REPLACE " " ";" line "${line}")
  set(${out} "${line}" PARENT_SCOPE)
endfunction()

add_custom_target(benchmarks)
foreach(source ${STOA_BENCH_SOURCES})
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET folder FILENAME question)
  cmake_path(GET source STEM stem)
  set(needs ${STOA_DEPS_DIR}/bench-${question})
  stoa_bench_libraries(${source} ${needs} libraries missing)
  if(missing)
    message(STATUS "bench: ${question}/${stem} is left out: lib${missing} is not installed")
    continue()
  endif()
  set(target bench_${question}_${stem})
  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${STOA_BENCH_DIR})
  target_include_directories(${target} PRIVATE ${folder} ${needs}/include)
  target_link_libraries(${target} PRIVATE bench_support ${libraries})
  stoa_bench_flags(${source} flags)
  target_compile_options(${target} PRIVATE ${flags})
  target_link_options(${target} PRIVATE ${flags})
  add_dependencies(benchmarks ${target})
endforeach()
