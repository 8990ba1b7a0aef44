/* Assertions about calls of the library. */
#ifndef SUPPORT_ASSERT_H
#define SUPPORT_ASSERT_H

#include <gradflow/status.h>

#include "support/test.h"

/* Fails the test with the library's message. */
#define assert_ok(call) assert_ok_at((call), #call, __FILE__, __LINE__)
void assert_ok_at(gf_status status, const char *call, const char *file, int line);

#define assert_fails(status, message, call)           \
  do {                                                \
    assert_int_equal((call), (status));               \
    assert_string_equal(gf_error_message(), message); \
  } while (0)

#endif
