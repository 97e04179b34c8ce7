# `make install PREFIX=…` and `make package`. libduckdb goes to lib/stoa, where libstoa looks for it.
install(TARGETS stoa_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS stoa_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET stoa)
  install(TARGETS stoa RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/stoa DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${STOA_DEPS_DIR}/duckdb/libduckdb.so DESTINATION ${CMAKE_INSTALL_LIBDIR}/stoa OPTIONAL
        PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
        WORLD_EXECUTE)
install(FILES ${STOA_DEPS_DIR}/duckdb/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL
        RENAME LICENSE.duckdb)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The command prints its own manual page and shell completion; they are made when it is installed.
if(TARGET stoa AND NOT CMAKE_CROSSCOMPILING)
  foreach(text "manual;stoa.1" "completion bash;stoa.bash" "completion zsh;_stoa"
          "completion fish;stoa.fish")
    list(GET text 0 words)
    list(GET text 1 file)
    separate_arguments(words)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${file} DEPENDS stoa
      COMMAND stoa ${words} > ${PROJECT_BINARY_DIR}/${file} VERBATIM)
    list(APPEND STOA_TEXTS ${PROJECT_BINARY_DIR}/${file})
  endforeach()
  add_custom_target(command_texts ALL DEPENDS ${STOA_TEXTS})
  add_dependencies(product command_texts)
  install(FILES ${PROJECT_BINARY_DIR}/stoa.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${PROJECT_BINARY_DIR}/stoa.bash RENAME stoa
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${PROJECT_BINARY_DIR}/_stoa DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${PROJECT_BINARY_DIR}/stoa.fish
          DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# The package is found wherever it is unpacked: its paths are relative to the file itself.
file(RELATIVE_PATH STOA_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REPLACE ";" " " STOA_PC_REQUIRES_PRIVATE "${STOA_PC_REQUIRES}")
configure_file(cmake/stoa.pc.in stoa.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/stoa.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/StoaConfig.cmake.in StoaConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Stoa
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(StoaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/StoaConfig.cmake ${PROJECT_BINARY_DIR}/StoaConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Stoa)

set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_VENDOR "The Stoa authors")
set(CPACK_PACKAGE_CONTACT "The Stoa authors <stoa@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Embeddable columnar store: a C library and a command")
set(CPACK_PACKAGE_FILE_NAME stoa-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
include(CPack)
