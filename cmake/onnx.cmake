# The export to ONNX: onnx.proto, compiled by protobuf-c. Sets ONNX, and where it is on adds the
# target onnx.
set(GRADFLOW_ONNX AUTO CACHE STRING "Build the export to ONNX: ON, OFF, or AUTO, where it can be")
set_property(CACHE GRADFLOW_ONNX PROPERTY STRINGS AUTO ON OFF)
set(ONNX OFF)
if(NOT GRADFLOW_ONNX STREQUAL "OFF")
  pkg_check_modules(PROTOBUF_C IMPORTED_TARGET libprotobuf-c)
  find_program(PROTOC_C protoc-c)
  find_path(ONNX_PROTO onnx.proto PATH_SUFFIXES onnx)
  if(PROTOBUF_C_FOUND AND PROTOC_C AND ONNX_PROTO)
    set(ONNX ON)
  elseif(NOT GRADFLOW_ONNX STREQUAL "AUTO")
    message(FATAL_ERROR "GRADFLOW_ONNX needs protobuf-c, its protoc-c, and onnx.proto; on Debian: "
                        "libprotobuf-c-dev, protobuf-c-compiler, libonnx-dev")
  endif()
endif()
message(STATUS "Export to ONNX: ${ONNX}")
if(ONNX)
  add_custom_command(
    OUTPUT ${GENERATED}/onnx.pb-c.c ${GENERATED}/onnx.pb-c.h
    COMMAND ${PROTOC_C} -I${ONNX_PROTO} --c_out=${GENERATED} ${ONNX_PROTO}/onnx.proto
    DEPENDS ${ONNX_PROTO}/onnx.proto VERBATIM)
  file(GLOB ONNX_SOURCES CONFIGURE_DEPENDS host/convert/onnx/*.c)
  list(FILTER ONNX_SOURCES EXCLUDE REGEX "/absent\\.c$")
  list(APPEND ONNX_SOURCES ${GENERATED}/onnx.pb-c.c)
else()
  set(ONNX_SOURCES host/convert/onnx/absent.c)
endif()
