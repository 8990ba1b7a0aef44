#define _XOPEN_SOURCE 700 /* popen */

#include "support/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/text.h"
#include "support/folder.h"
#include "support/test.h"

char *run_program(const char *arguments, int *code) {
  char piece[4096];
  gf__text command = {0}, out = {0};
  gf__text_add(&command, "cd '%s' && '%s' %s 2>&1", fixture_folder, PROGRAM, arguments);
  assert_int_equal(gf__text_status(&command), GF_OK);
  FILE *pipe = popen(command.data, "r");
  gf__text_free(&command);
  assert_non_null(pipe);
  for (size_t n; (n = fread(piece, 1, sizeof piece, pipe)) > 0;) gf__text_add_bytes(&out, piece, n);
  int status = pclose(pipe);
  assert_true(WIFEXITED(status));
  *code = WEXITSTATUS(status);
  gf__text_add(&out, "%s", "");
  assert_int_equal(gf__text_status(&out), GF_OK);
  return out.data;
}

void assert_prints(const char *arguments, int expected_code, const char *expected) {
  int code;
  char *text = run_program(arguments, &code);
  assert_string_equal(text, expected);
  assert_int_equal(code, expected_code);
  free(text);
}
