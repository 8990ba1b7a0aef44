# Sets out to what tells whether the file is still the one that was installed: the digest of its
# bytes, or the target of a link; "" where there is none.
function(gradflow_fingerprint out file)
  set(result "")
  if(IS_SYMLINK ${file})
    file(READ_SYMLINK ${file} target)
    string(SHA256 result "link ${target}")
  elseif(EXISTS ${file} AND NOT IS_DIRECTORY ${file})
    file(SHA256 ${file} result)
  endif()
  set(${out} "${result}" PARENT_SCOPE)
endfunction()
