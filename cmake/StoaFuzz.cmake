# fuzz/fuzz_X.c defines LLVMFuzzerTestOneInput for one parser of outside bytes. Under the preset
# `fuzz` it becomes a libFuzzer program; in every other build, a test that replays the seeds in
# fuzz/seeds/X, whole, truncated and with bits flipped.
file(GLOB STOA_FUZZ_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/fuzz_*.c)
add_custom_target(fuzzers)
foreach(source ${STOA_FUZZ_SOURCES})
  cmake_path(GET source STEM target)
  string(REGEX REPLACE "^fuzz_" "" name ${target})
  if(STOA_FUZZ)
    add_executable(${target} ${source})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  elseif(STOA_TESTS)
    add_executable(${target} ${source} ${PROJECT_SOURCE_DIR}/fuzz/replay_main.c)
    stoa_test(fuzz.${name} fuzz fuzz 300 ${target} ${PROJECT_SOURCE_DIR}/fuzz/seeds/${name})
  else()
    continue()
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  target_link_libraries(${target} PRIVATE stoa_static)
  # libFuzzer calls the entry by its name; no header declares it.
  target_compile_options(${target} PRIVATE -Wno-missing-prototypes)
  add_dependencies(fuzzers ${target})
endforeach()
