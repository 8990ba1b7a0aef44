/* Warnings of the library, kept for a test to look at. */
#ifndef SUPPORT_WARNINGS_H
#define SUPPORT_WARNINGS_H

/* Each with a line break. */
extern char kept_warnings[8192];

/* What small data sets of tests are warned of. */
#define FEW_IMAGES " validation images an accuracy is known to "

/* Keeps those from here on, but for those that contain except, a literal or NULL. */
void keep_warnings(const char *except);

#endif
