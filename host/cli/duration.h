#ifndef GF_CLI_DURATION_H
#define GF_CLI_DURATION_H

enum { GF__DURATION_SIZE = 32 };

/* "1:02:03", "2:03", or "?" for what is unknown. */
void gf__format_duration(char out[GF__DURATION_SIZE], double seconds);

#endif
