/* A folder for the files of a test, or of all tests of a group. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

extern char fixture_folder[64];

/* Setup and teardown: an empty folder, which is removed with all that is in it. */
int folder_open(void **state);
int folder_close(void **state);

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_open, folder_close)

/* The path of name in the folder; valid until the fourth call from here. */
const char *in_folder(const char *name);

#endif
