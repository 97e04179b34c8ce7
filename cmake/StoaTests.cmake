# Tests by file name, in tests/<module>/:
#
#   test_X.c    unit       ctest <module>.X          one behaviour a test
#   prop_X.c    property   ctest <module>.prop_X     random data from a printed seed
#   fault_X.c   fault      ctest <module>.fault_X    every nth allocation or file call fails
#   crash_X.c   crash      ctest <module>.crash_X    what was not synced is lost, torn, reordered
#   thread_X.c  threads    ctest <module>.thread_X   also run under the thread sanitizer
#   oracle_X.py oracle     ctest <module>.oracle_X   other implementations read and write our files
#   tool_X.c    no test: the program $STOA_TOOLS/tool_<module>_X for the oracle tests
#
# and tests/e2e/test_*.py and test_*.sh (label e2e), which drive the built command.
# A test that exits with 77 is counted as skipped; it says in one line what it left out.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
set(STOA_TEST_DIR ${PROJECT_BINARY_DIR}/tests)
set(STOA_TIMEOUT_SCALE 1)
if(STOA_SANITIZE OR STOA_COVERAGE)
  set(STOA_TIMEOUT_SCALE 4)
endif()

file(GLOB STOA_SUPPORT_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
if(STOA_SUPPORT_SOURCES)
  add_library(test_support STATIC ${STOA_SUPPORT_SOURCES})
  set(scope PUBLIC)
else()
  add_library(test_support INTERFACE)
  set(scope INTERFACE)
endif()
target_include_directories(test_support ${scope} ${PROJECT_SOURCE_DIR}/tests/support)
target_compile_definitions(test_support ${scope} STOA_TEST_SOURCE_DIR="tests")
target_link_libraries(test_support ${scope} stoa_static PkgConfig::CMOCKA)

set(supp ${PROJECT_SOURCE_DIR}/tools/sanitizers)
# What a program that a test compiles must be compiled with, to link libstoa.
list(JOIN STOA_SANITIZE_FLAGS " " cflags)
set(STOA_TEST_ENV
    "STOA_CC=${CMAKE_C_COMPILER}"
    "STOA_CFLAGS=${cflags}"
    "STOA_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "STOA_BUILD_DIR=${PROJECT_BINARY_DIR}"
    "STOA_BIN=${PROJECT_BINARY_DIR}/stoa"
    "STOA_TOOLS=${STOA_TEST_DIR}"
    "STOA_DEPS_DIR=${STOA_DEPS_DIR}"
    "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1:strict_string_checks=1"
    "LSAN_OPTIONS=suppressions=${supp}/leaks.txt:print_suppressions=0"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=suppressions=${supp}/threads.txt:halt_on_error=1:second_deadlock_stack=1")

# A test whose name is taken by another is a mistake that CMake reports by itself.
function(stoa_test name label module timeout)
  math(EXPR seconds "${timeout} * ${STOA_TIMEOUT_SCALE}")
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${label};${module}" TIMEOUT ${seconds}
                       SKIP_RETURN_CODE 77 ENVIRONMENT "${STOA_TEST_ENV}")
  if(label STREQUAL threads)
    set_tests_properties(${name} PROPERTIES PROCESSORS 2)
  endif()
endfunction()

function(stoa_c_tests prefix label timeout)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/${prefix}_*.c)
  foreach(source ${sources})
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(GET folder FILENAME module)
    cmake_path(GET source STEM stem)
    string(REGEX REPLACE "^test_" "" name ${stem})
    set(target ${prefix}_${module}_${stem})
    string(REPLACE "${module}_${prefix}_" "${module}_" target ${target})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${STOA_TEST_DIR})
    target_link_libraries(${target} PRIVATE test_support)
    if(label)
      stoa_test(${module}.${name} ${label} ${module} ${timeout} ${target})
    endif()
  endforeach()
endfunction()

stoa_c_tests(test unit 120)
stoa_c_tests(prop property 120)
stoa_c_tests(fault fault 600)
stoa_c_tests(crash crash 600)
stoa_c_tests(thread threads 600)
stoa_c_tests(tool "" 0)

function(stoa_script_tests pattern label timeout)
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${pattern})
  foreach(script ${scripts})
    cmake_path(GET script PARENT_PATH folder)
    cmake_path(GET folder FILENAME module)
    cmake_path(GET script STEM stem)
    string(REGEX REPLACE "^test_" "" name ${stem})
    stoa_test(${module}.${name} ${label} ${module} ${timeout}
              ${PROJECT_SOURCE_DIR}/tools/run_script.sh ${script})
  endforeach()
endfunction()

stoa_script_tests(*/oracle_*.py oracle 600)
stoa_script_tests(e2e/test_*.py e2e 600)
stoa_script_tests(e2e/test_*.sh e2e 600)
