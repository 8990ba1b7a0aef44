# The target docs: the reference of the public headers as HTML, in docs/api of the build folder. Not
# of `all`; `cmake --install --component docs` installs it once it is built.
find_package(Doxygen QUIET)
if(NOT DOXYGEN_FOUND)
  return()
endif()

set(GRADFLOW_API_FOLDER ${PROJECT_BINARY_DIR}/docs/api)
configure_file(docs/Doxyfile.in ${GENERATED}/Doxyfile @ONLY)
file(GLOB_RECURSE PUBLIC_HEADERS CONFIGURE_DEPENDS include/*.h)
add_custom_command(
  OUTPUT ${GRADFLOW_API_FOLDER}/index.html
  COMMAND ${CMAKE_COMMAND} -E make_directory ${GRADFLOW_API_FOLDER}
  COMMAND ${DOXYGEN_EXECUTABLE} ${GENERATED}/Doxyfile
  DEPENDS ${PUBLIC_HEADERS} ${GENERATED}/Doxyfile
  COMMENT "Writing the reference of the public headers" VERBATIM)
add_custom_target(docs DEPENDS ${GRADFLOW_API_FOLDER}/index.html)
if(GRADFLOW_INSTALL)
  install(DIRECTORY ${GRADFLOW_API_FOLDER} DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT docs
          OPTIONAL)
endif()
