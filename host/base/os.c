#define _GNU_SOURCE /* sched_getaffinity and CPU_COUNT; the rest is POSIX */
#include "base/os.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/text.h"

struct gf__thread {
  pthread_t id;
  void (*run)(void *);
  void *argument;
};

struct gf__lock {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
};

static void *thread_main(void *self) {
  gf__thread *thread = self;
  thread->run(thread->argument);
  return NULL;
}

gf_status gf__thread_start(gf__thread **out, void (*run)(void *), void *argument) {
  *out = NULL;
  gf__thread *thread = malloc(sizeof *thread);
  if (!thread) return gf__fail_host_memory(sizeof *thread);
  thread->run = run;
  thread->argument = argument;
  /* Signals are the main thread's. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread->id, NULL, thread_main, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    free(thread);
    return gf__fail(GF_ERROR_MEMORY, "cannot start a thread: %s", strerror(error));
  }
  *out = thread;
  return GF_OK;
}

void gf__thread_join(gf__thread **thread) {
  if (!*thread) return;
  pthread_join((*thread)->id, NULL);
  free(*thread);
  *thread = NULL;
}

gf_status gf__lock_new(gf__lock **out) {
  gf__lock *lock = malloc(sizeof *lock);
  *out = lock;
  if (!lock) return gf__fail_host_memory(sizeof *lock);
  pthread_mutex_init(&lock->mutex, NULL);
  /* A clock that is set while somebody waits changes nothing. */
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&lock->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return GF_OK;
}

void gf__lock_free(gf__lock **lock) {
  if (!*lock) return;
  pthread_cond_destroy(&(*lock)->changed);
  pthread_mutex_destroy(&(*lock)->mutex);
  free(*lock);
  *lock = NULL;
}

void gf__lock_take(gf__lock *lock) { pthread_mutex_lock(&lock->mutex); }
void gf__lock_release(gf__lock *lock) { pthread_mutex_unlock(&lock->mutex); }
void gf__lock_wait(gf__lock *lock) { pthread_cond_wait(&lock->changed, &lock->mutex); }

void gf__lock_wait_for(gf__lock *lock, double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until); /* the condition's clock */
  long nanoseconds = until.tv_nsec + (long)(1e9 * seconds);
  until.tv_sec += nanoseconds / 1000000000;
  until.tv_nsec = nanoseconds % 1000000000;
  pthread_cond_timedwait(&lock->changed, &lock->mutex, &until);
}

void gf__lock_wake_all(gf__lock *lock) { pthread_cond_broadcast(&lock->changed); }

double gf__seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void gf__sleep(double seconds) {
  nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * seconds)}, NULL);
}

void gf__utc_now(char out[21]) {
  time_t now = time(NULL);
  struct tm utc;
  gmtime_r(&now, &utc);
  strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

int gf__cpu_count(void) {
#ifdef CPU_COUNT
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

/* The first process is bound to no core, but shares the limits of a container. */
int gf__machine_cpu_count(void) {
#ifdef CPU_COUNT
  cpu_set_t set;
  if (sched_getaffinity(1, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

size_t gf__peak_memory(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

uint64_t gf__host_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

bool gf__path_exists(const char *path) { return access(path, F_OK) == 0; }

bool gf__path_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool gf__path_is_regular(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool gf__path_is_link(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

bool gf__path_is_inside(const char *path, const char *folder) {
  char *inner = realpath(path, NULL), *outer = realpath(folder, NULL);
  size_t length = outer ? strlen(outer) : 0;
  bool is_root = length == 1;
  bool is_inside = inner && outer && strncmp(inner, outer, length) == 0 &&
                   (is_root || inner[length] == '/' || !inner[length]);
  free(inner);
  free(outer);
  return is_inside;
}

double gf__path_age(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 ? difftime(time(NULL), info.st_mtime) : 0;
}

/* Whether only this user (or root) can change path, and what lies on the way to it: a folder that
 * others can write is fine there if its sticky bit keeps them from replacing what is not theirs. */
static bool is_safe(const char *path, bool is_target) {
  struct stat info;
  if (lstat(path, &info) != 0) return false;
  bool is_owned = info.st_uid == geteuid() || (!is_target && info.st_uid == 0);
  bool is_shared = info.st_mode & (S_IWGRP | S_IWOTH);
  return is_owned && (!is_shared || (!is_target && info.st_mode & S_ISVTX));
}

gf_status gf__private_path(char *out, size_t size, const char *path) {
  char *real = realpath(path, NULL);
  if (!real) return gf__fail(GF_ERROR_FILE, "cannot find %s: %s", path, strerror(errno));
  gf_status status = GF_OK;
  if (strlen(real) >= size) status = gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s", real);
  for (size_t i = 0; status == GF_OK; i++) {
    if (real[i] != '/' && real[i] != 0) continue;
    snprintf(out, size, "%.*s", i ? (int)i : 1, real);
    if (!is_safe(out, !real[i]))
      status = gf__fail(GF_ERROR_FILE,
                        "%s is not used: others than this user own %s or can write there; chmod "
                        "go-w, or set GRADFLOW_CACHE_DIR",
                        path, out);
    if (!real[i]) break;
  }
  free(real);
  return status;
}

static gf_status make_folder(const char *path, mode_t mode) {
  char partial_path[GF__PATH_SIZE];
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof partial_path)
    return gf__fail(GF_ERROR_ARGUMENT, "not a path for a folder: '%s'", path);
  memcpy(partial_path, path, length + 1);
  for (size_t i = 1; i <= length; i++) {
    if (partial_path[i] != '/' && partial_path[i] != 0) continue;
    char kept = partial_path[i];
    partial_path[i] = 0;
    if (mkdir(partial_path, mode) != 0 && (errno != EEXIST || !gf__path_is_folder(partial_path)))
      return gf__fail(GF_ERROR_FILE, "cannot create the folder %s: %s", partial_path,
                      strerror(errno));
    partial_path[i] = kept;
  }
  return GF_OK;
}

gf_status gf__make_folder(const char *path) { return make_folder(path, 0777); }
gf_status gf__make_private_folder(const char *path) { return make_folder(path, 0700); }

FILE *gf__file_create(const char *path, bool is_private) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_private ? 0600 : 0666);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
  if (!file && fd >= 0) close(fd);
  return file;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
  (void)info, (void)type, (void)walk;
  return remove(path);
}

gf_status gf__remove_folder(const char *path) {
  if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
    return gf__fail(GF_ERROR_FILE, "cannot remove %s: %s", path, strerror(errno));
  return GF_OK;
}

gf_status gf__sync_file(FILE *file, const char *path) {
  /* Pipes and some file systems cannot sync; that is not an error of the content. */
  if (fsync(fileno(file)) != 0 && errno != EINVAL && errno != EROFS)
    return gf__fail(GF_ERROR_FILE, "cannot sync %s: %s", path, strerror(errno));
  return GF_OK;
}

gf_status gf__rename(const char *from, const char *to) {
  if (rename(from, to) != 0)
    return gf__fail(GF_ERROR_FILE, "cannot rename %s to %s: %s", from, to, strerror(errno));
  char folder[GF__PATH_SIZE];
  const char *slash = strrchr(to, '/');
  size_t length = slash ? (size_t)(slash - to) : 0;
  if (length >= sizeof folder) return GF_OK;
  memcpy(folder, slash ? to : ".", slash ? length : 1);
  folder[slash ? length : 1] = 0;
  int fd = open(folder[0] ? folder : "/", O_RDONLY);
  if (fd >= 0) {
    fsync(fd); /* a file system that cannot sync a folder has nothing better to offer */
    close(fd);
  }
  return GF_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static gf_status add_name(gf__names *names, const char *name) {
  GF_TRY(gf__grow(&names->v, names->count, sizeof *names->v));
  char *copy = gf__text_copy(name);
  if (!copy) return gf__fail_host_memory(strlen(name) + 1);
  names->v[names->count++] = copy;
  return GF_OK;
}

gf_status gf__list_folder(const char *path, gf__names *out) {
  *out = (gf__names){0};
  DIR *folder = opendir(path);
  if (!folder)
    return gf__fail(GF_ERROR_FILE, "cannot list the folder %s: %s", path, strerror(errno));
  gf_status status = GF_OK;
  while (status == GF_OK) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (!entry) {
      if (errno)
        status = gf__fail(GF_ERROR_FILE, "cannot list the folder %s: %s", path, strerror(errno));
      break;
    }
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
      status = add_name(out, entry->d_name);
  }
  closedir(folder);
  if (status != GF_OK)
    gf__names_free(out);
  else if (out->count)
    qsort(out->v, out->count, sizeof *out->v, compare_names);
  return status;
}

void gf__names_free(gf__names *names) {
  for (size_t i = 0; i < names->count; i++) free(names->v[i]);
  free(names->v);
  *names = (gf__names){0};
}

int gf__process_id(void) { return (int)getpid(); }

uint64_t gf__entropy(void) {
  uint64_t bits;
  if (getentropy(&bits, sizeof bits) == 0) return bits;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ((uint64_t)getpid() << 32) ^ (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)&now;
}

void gf__host_name(char *out, size_t size) {
  if (gethostname(out, size) != 0) snprintf(out, size, "localhost");
  out[size - 1] = 0;
}

struct gf__file_lock {
  int fd;
};

gf_status gf__file_lock_take(gf__file_lock **out, const char *path) {
  *out = NULL;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return gf__fail(GF_ERROR_FILE, "cannot create %s: %s", path, strerror(errno));
  /* Some file systems have no locks: then there is nothing to wait for. */
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    return gf__fail(GF_ERROR_FILE, "%s is held by another process that is at work here", path);
  }
  gf__file_lock *lock = malloc(sizeof *lock);
  if (!lock) {
    close(fd);
    return gf__fail_host_memory(sizeof *lock);
  }
  lock->fd = fd;
  *out = lock;
  return GF_OK;
}

void gf__file_lock_release(gf__file_lock **lock) {
  if (!*lock) return;
  close((*lock)->fd);
  free(*lock);
  *lock = NULL;
}

gf_status gf__cache_folder(char *out, size_t size) {
  const char *own = getenv("GRADFLOW_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"),
             *home = getenv("HOME");
  int n = own && *own     ? snprintf(out, size, "%s", own)
          : xdg && *xdg   ? snprintf(out, size, "%s/gradflow", xdg)
          : home && *home ? snprintf(out, size, "%s/.cache/gradflow", home)
                          : -1;
  if (n < 0 || (size_t)n >= size)
    return gf__fail(GF_ERROR_FILE, "no cache folder: set GRADFLOW_CACHE_DIR or HOME");
  return GF_OK;
}

bool gf__library_loads(const char *path, char *why, size_t size) {
  void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (library) {
    dlclose(library);
    return true;
  }
  const char *message = dlerror();
  snprintf(why, size, "%s", message ? message : "it cannot be loaded");
  return false;
}

bool gf__is_terminal(FILE *file) { return isatty(fileno(file)); }

int gf__terminal_width(FILE *file) {
  struct winsize size;
  if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

int gf__terminal_height(FILE *file) {
  struct winsize size;
  if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return 24;
}

static const int interrupts_[] = {SIGINT, SIGTERM, SIGHUP};
enum { INTERRUPTS = sizeof interrupts_ / sizeof *interrupts_ };
static bool is_ignored_[INTERRUPTS];

void gf__note_ignored_signals(void) {
  struct sigaction now;
  for (size_t i = 0; i < INTERRUPTS; i++)
    is_ignored_[i] = sigaction(interrupts_[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* LLVM, which drivers compile with, replaces the handlers of ignored signals as well: they are
 * ignored again. */
void gf__on_interrupt(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&action.sa_mask);
  sigemptyset(&ignore.sa_mask);
  for (size_t i = 0; i < INTERRUPTS; i++)
    sigaction(interrupts_[i], is_ignored_[i] ? &ignore : &action, NULL);
  sigaction(SIGPIPE, &ignore, NULL);
}
