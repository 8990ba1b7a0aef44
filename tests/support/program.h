/* The program, run as its users run it. */
#ifndef SUPPORT_PROGRAM_H
#define SUPPORT_PROGRAM_H

/* Runs it with the arguments in the fixture's folder; *code is its exit status. Returns what it
 * has printed, on both streams; the caller frees it. */
char *run_program(const char *arguments, int *code);

/* All that it prints, and its exit status. */
void assert_prints(const char *arguments, int expected_code, const char *expected);

#endif
