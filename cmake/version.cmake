# Writes OUTPUT with the program's version and commit; leaves it alone when nothing changed.
set(commit unknown)
# The prefix is not empty where the sources lie in another project's repository.
execute_process(COMMAND git -C ${SOURCE} rev-parse --show-prefix RESULT_VARIABLE failed
                OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT failed AND NOT prefix)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"#define GF_VERSION \"${VERSION}\"
#define GF_COMMIT \"${commit}\"
")
