# ONNX in and out: onnx.proto, compiled by protobuf-c. Sets ONNX, ONNX_SOURCES and
# ONNX_HEADER, which is generated.
set(GRADFLOW_ONNX ON CACHE STRING "Read and write ONNX: ON, OFF, or AUTO, where it can be")
set_property(CACHE GRADFLOW_ONNX PROPERTY STRINGS ON OFF AUTO)
set(ONNX OFF)
if(NOT GRADFLOW_ONNX STREQUAL "OFF")
  pkg_check_modules(GRADFLOW_PROTOBUF_C IMPORTED_TARGET GLOBAL libprotobuf-c)
  find_program(GRADFLOW_PROTOC_C protoc-c)
  find_path(GRADFLOW_ONNX_PROTO onnx.proto PATH_SUFFIXES onnx)
  if(GRADFLOW_PROTOBUF_C_FOUND AND GRADFLOW_PROTOC_C AND GRADFLOW_ONNX_PROTO)
    set(ONNX ON)
  elseif(NOT GRADFLOW_ONNX STREQUAL "AUTO")
    message(FATAL_ERROR "reading and writing ONNX needs protobuf-c, its protoc-c, and onnx.proto; on Debian: "
                        "libprotobuf-c-dev, protobuf-c-compiler, libonnx-dev (scripts/setup.sh installs "
                        "them). -DGRADFLOW_ONNX=OFF builds without ONNX")
  endif()
endif()
message(STATUS "gradflow: ONNX: ${ONNX}")
if(ONNX)
  add_custom_command(
    OUTPUT ${GENERATED}/onnx.pb-c.c ${GENERATED}/onnx.pb-c.h
    COMMAND ${GRADFLOW_PROTOC_C} -I${GRADFLOW_ONNX_PROTO} --c_out=${GENERATED} ${GRADFLOW_ONNX_PROTO}/onnx.proto
    DEPENDS ${GRADFLOW_ONNX_PROTO}/onnx.proto VERBATIM)
  file(GLOB ONNX_SOURCES CONFIGURE_DEPENDS host/convert/onnx/*.c)
  list(FILTER ONNX_SOURCES EXCLUDE REGEX "/absent\\.c$")
  list(APPEND ONNX_SOURCES ${GENERATED}/onnx.pb-c.c)
  set(ONNX_HEADER ${GENERATED}/onnx.pb-c.h)
else()
  set(ONNX_SOURCES host/convert/onnx/absent.c)
  set(ONNX_HEADER "")
endif()
