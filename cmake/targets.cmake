# What CMakeLists.txt and those of its folders do to their targets. Nothing here is set for a whole
# folder, so that a project that adds this one keeps its own flags.

# How every target of ours is compiled, whatever the project that adds this one has set.
function(gradflow_compile_options)
  foreach(target IN LISTS ARGN)
    set_target_properties(${target} PROPERTIES
      C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden
      POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes)
    if(GRADFLOW_WERROR)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(GRADFLOW_SANITIZE OR GRADFLOW_FUZZ)
      target_compile_options(${target} PRIVATE
        -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
      target_link_options(${target} PRIVATE -fsanitize=address,undefined)
    endif()
    if(GRADFLOW_FUZZ)
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
  endforeach()
endfunction()

if(GRADFLOW_FUZZ AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "GRADFLOW_FUZZ needs clang: -DCMAKE_C_COMPILER=clang")
endif()

# Makes the C file ${GENERATED}/OUTPUT, whose table has the files that follow.
function(gradflow_embed output table)
  add_custom_command(
    OUTPUT ${GENERATED}/${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${GENERATED}/${output} -DTABLE=${table} "-DFILES=${ARGN}"
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
endfunction()
