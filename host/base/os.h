/* What differs between operating systems; os.c is the only file that uses POSIX. */
#ifndef GF_BASE_OS_H
#define GF_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef struct gf__thread gf__thread;
typedef struct gf__lock gf__lock; /* a mutex with one condition variable */

gf_status gf__thread_start(gf__thread **out, void (*run)(void *), void *argument) GF_MUST_USE;
void gf__thread_join(gf__thread **thread); /* waits, frees, clears; NULL is fine */

gf_status gf__lock_new(gf__lock **out) GF_MUST_USE;
void gf__lock_free(gf__lock **lock);
void gf__lock_take(gf__lock *lock);
void gf__lock_release(gf__lock *lock);
void gf__lock_wait(gf__lock *lock);                     /* holding the lock: until someone wakes */
void gf__lock_wait_for(gf__lock *lock, double seconds); /* the same, for at most that long */
void gf__lock_wake_all(gf__lock *lock);

double gf__seconds(void);        /* monotonic */
void gf__sleep(double seconds);  /* less than 1 */
void gf__utc_now(char out[21]);  /* 2026-01-31T23:59:59Z */
int gf__cpu_count(void);         /* CPUs that this process may use, at least 1 */
int gf__machine_cpu_count(void); /* those that any process may use here, at least 1 */
size_t gf__peak_memory(void);    /* the most bytes that were resident so far; 0 if unknown */
uint64_t gf__host_memory(void);  /* bytes of the machine; 0 if unknown */

bool gf__path_exists(const char *path);
bool gf__path_is_folder(const char *path);
/* False of folders, devices, pipes and sockets; links are followed. */
bool gf__path_is_regular(const char *path);
bool gf__path_is_link(const char *path);
/* Whether path is the folder or anything below it, links followed; false where one is not there. */
bool gf__path_is_inside(const char *path, const char *folder);
double gf__path_age(const char *path); /* seconds since it was written; 0 if unknown */
gf_status gf__make_folder(const char *path) GF_MUST_USE; /* with parents; an existing one is fine */
gf_status gf__make_private_folder(const char *path) GF_MUST_USE; /* new ones for this user alone */
/* Opens a new file to write, or returns NULL and sets errno, as where there is one; one that is
 * private can be read and written by this user alone. */
FILE *gf__file_create(const char *path, bool is_private);
gf_status gf__remove_folder(const char *path) GF_MUST_USE; /* with all files and folders in it */
gf_status gf__rename(const char *from, const char *to) GF_MUST_USE; /* replaces; syncs the folder */
gf_status gf__sync_file(FILE *file, const char *path) GF_MUST_USE;
int gf__process_id(void);
uint64_t gf__entropy(void);                 /* 64 bits that no other process gets */
void gf__host_name(char *out, size_t size); /* "localhost" if unknown */
/* The names in a folder without "." and "..", sorted bytewise. Free *out with gf__names_free. */
typedef struct gf__names {
  char **v;
  size_t count;
} gf__names;
gf_status gf__list_folder(const char *path, gf__names *out) GF_MUST_USE;
void gf__names_free(gf__names *names); /* clears; an empty one is fine */

/* A file that one process at a time holds; the system lets go of it when the process ends. */
typedef struct gf__file_lock gf__file_lock;
/* Creates the file at need. GF_ERROR_FILE, with what is in use, where another process holds it. */
gf_status gf__file_lock_take(gf__file_lock **out, const char *path) GF_MUST_USE;
void gf__file_lock_release(gf__file_lock **lock); /* clears; NULL is fine */

/* The folder for this user's caches ("…/gradflow"), or an error where the environment names none.
 */
gf_status gf__cache_folder(char *out, size_t size) GF_MUST_USE;
/* The path without symbolic links. GF_ERROR_FILE where others than this user (and, on
 * the way there, root) own it or can write it, or a folder on the way without a sticky bit: they
 * could put there what they like. */
gf_status gf__private_path(char *out, size_t size, const char *path) GF_MUST_USE;

/* Whether the dynamic linker loads a library; why (size bytes) gets its message where it does not.
 */
bool gf__library_loads(const char *path, char *why, size_t size);

bool gf__is_terminal(FILE *file);
int gf__terminal_width(FILE *file);  /* columns; 80 if unknown */
int gf__terminal_height(FILE *file); /* rows; 24 if unknown */
/* Notes which signals the program was started to ignore, as by nohup. Called at its start, before a
 * driver changes that. */
void gf__note_ignored_signals(void);
/* Calls handler on Ctrl-C, on a request to end, and when the terminal goes away, but for signals
 * that gf__note_ignored_signals found ignored; handler does only what a signal handler may.
 * Writing to a pipe that nobody reads becomes an error of that write. */
void gf__on_interrupt(void (*handler)(int signal));

#endif
