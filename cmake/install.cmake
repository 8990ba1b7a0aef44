# What `cmake --install`, the target uninstall, and cpack do.
include(CMakePackageConfigHelpers)

set(PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/gradflow)
set(SHARE ${CMAKE_INSTALL_DATADIR})

install(TARGETS gradflow_shared gradflow_static EXPORT gradflow
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(DIRECTORY configs/ DESTINATION ${SHARE}/gradflow/configs)

# CMake's package: gradflow::gradflow is the shared library, gradflow::gradflow_static the other.
set_target_properties(gradflow_shared PROPERTIES EXPORT_NAME gradflow)
set_target_properties(gradflow_static PROPERTIES EXPORT_NAME gradflow_static)
install(EXPORT gradflow NAMESPACE gradflow:: FILE gradflow-config.cmake DESTINATION ${PACKAGE})
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${GENERATED}/gradflow-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${GENERATED}/gradflow-config-version.cmake DESTINATION ${PACKAGE})

# pkg-config's file finds the prefix from its own place, so that the prefix may be moved.
file(RELATIVE_PATH PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" PREFIX_FROM_PC ${PREFIX_FROM_PC})
list(TRANSFORM STATIC_LIBRARIES PREPEND -l OUTPUT_VARIABLE PC_LIBRARIES)
list(JOIN PC_LIBRARIES " " PC_LIBRARIES)
configure_file(cmake/gradflow.pc.in ${GENERATED}/gradflow.pc @ONLY)
install(FILES ${GENERATED}/gradflow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET gradflow)
  install(TARGETS gradflow)
  set(MANUAL ${GENERATED}/manual)
  add_custom_command(
    OUTPUT ${MANUAL}/man/gradflow.1 ${MANUAL}/gradflow.bash ${MANUAL}/_gradflow
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:gradflow> -DFOLDER=${MANUAL}
            -P ${PROJECT_SOURCE_DIR}/cmake/manual.cmake
    DEPENDS gradflow cmake/manual.cmake VERBATIM)
  add_custom_target(gradflow_manual ALL DEPENDS ${MANUAL}/man/gradflow.1)
  install(DIRECTORY ${MANUAL}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${MANUAL}/gradflow.bash DESTINATION ${SHARE}/bash-completion/completions
          RENAME gradflow)
  # Debian's zsh does not look into site-functions below /usr.
  foreach(folder site-functions vendor-completions)
    install(FILES ${MANUAL}/_gradflow DESTINATION ${SHARE}/zsh/${folder})
  endforeach()
endif()

# The parent's build has its own targets and packages.
if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

# CMake's own install_manifest.txt has what was written last, which may be a package of cpack's.
set(MANIFEST ${PROJECT_BINARY_DIR}/gradflow_installed.txt)
install(CODE "set(GRADFLOW_MANIFEST \"${MANIFEST}\")" ALL_COMPONENTS)
install(SCRIPT cmake/record_install.cmake ALL_COMPONENTS)
add_custom_target(uninstall
  COMMAND ${CMAKE_COMMAND} -DMANIFEST=${MANIFEST} -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
  VERBATIM)

set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_VENDOR gradflow)
set(CPACK_PACKAGE_CONTACT "the authors of gradflow")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "the authors of gradflow <gradflow@localhost>")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "pocl-opencl-icd | opencl-icd")
find_program(GRADFLOW_SHLIBDEPS dpkg-shlibdeps)
if(GRADFLOW_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
include(CPack)
