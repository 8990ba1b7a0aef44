/* A clock that is set while a program waits must not make it wait longer. */
#define _GNU_SOURCE /* syscall, pthread_condattr_setclock */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "support/test.h"

/* In place of the C library's: whoever asks for the time of day reads a clock that is then set back
 * by a minute. */
int clock_gettime(clockid_t clock, struct timespec *out) {
  int status = (int)syscall(SYS_clock_gettime, clock, out);
  if (clock == CLOCK_REALTIME) out->tv_sec += 60;
  return status;
}

static void a_wait_does_not_grow_with_the_clock(void **state) {
  (void)state;
  gf__lock *lock;
  assert_int_equal(gf__lock_new(&lock), GF_OK);
  double begun = gf__seconds();
  gf__lock_take(lock);
  gf__lock_wait_for(lock, 0.05);
  gf__lock_release(lock);
  double waited = gf__seconds() - begun;
  gf__lock_free(&lock);
  assert_true(waited >= 0.04 && waited < 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_wait_does_not_grow_with_the_clock)};
  return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
