# libstoa, shared and static, and the command.
file(GLOB_RECURSE STOA_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)
list(FILTER STOA_SOURCES EXCLUDE REGEX "/src/cli/")

# libduckdb is opened at run time; only the module that opens it knows where set-up put it.
file(GLOB STOA_SQL_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/sql/*.c)
set_source_files_properties(${STOA_SQL_SOURCES} PROPERTIES
  COMPILE_DEFINITIONS STOA_DUCKDB_BUILD_DIR="${STOA_DEPS_DIR}/duckdb")

add_library(stoa_objects OBJECT ${STOA_SOURCES})
target_include_directories(stoa_objects PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(stoa_objects PRIVATE STOA_BUILD_VERSION="${PROJECT_VERSION}")
target_link_libraries(stoa_objects PUBLIC stoa_dependencies)

add_library(stoa_static STATIC $<TARGET_OBJECTS:stoa_objects>)
set_target_properties(stoa_static PROPERTIES OUTPUT_NAME stoa)
target_include_directories(stoa_static PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(stoa_static PUBLIC stoa_dependencies)

add_library(stoa_shared SHARED $<TARGET_OBJECTS:stoa_objects>)
set_target_properties(stoa_shared PROPERTIES OUTPUT_NAME stoa VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR})
target_include_directories(stoa_shared INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(stoa_shared PRIVATE stoa_dependencies)

add_custom_target(product DEPENDS stoa_static stoa_shared)

# The command links the shared library, so it can use nothing but the public interface.
file(GLOB_RECURSE STOA_CLI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
if(STOA_CLI_SOURCES)
  add_executable(stoa ${STOA_CLI_SOURCES})
  target_include_directories(stoa PRIVATE ${PROJECT_SOURCE_DIR}/src/cli)
  target_link_libraries(stoa PRIVATE stoa_shared PkgConfig::CLI_DEPS Threads::Threads m)
  set_target_properties(stoa PROPERTIES BUILD_RPATH_USE_ORIGIN ON
                        INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  add_dependencies(product stoa)
endif()
