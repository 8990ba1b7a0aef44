/* cmocka, with the headers that it wants to come before it. */
#ifndef SUPPORT_TEST_H
#define SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka's come last. */
#include <cmocka.h>

#endif
