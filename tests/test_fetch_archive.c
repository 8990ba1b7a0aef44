/* Archives that are good, damaged or hostile; the table of sources; the program. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv, setrlimit, truncate */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <archive.h>
#include <archive_entry.h>

#include "data/dataset.h"
#include "support/fetch.h"
#include "support/test.h"

enum { MOST_ENTRIES = 5, ROOM = 1 << 20 };

/* An entry of an archive; size bytes of what all tests serve. */
typedef struct entry {
  const char *name;
  size_t size;
  const char *symlink, *hardlink;
  int type; /* 0: a file */
} entry;

static char archive_[ROOM];
static size_t archive_size_;
static char archive_md5_[MD5_DIGEST_STRING_LENGTH];
static gf_fetched fetched_;

/* What the source below expects. */
#define GOOD_ENTRIES \
  {"./letters/", .type = AE_IFDIR}, {"letters/a.bin", .size = 9000}, { "letters/b.bin", .size = 70 }

static void add(struct archive *archive, const entry *e) {
  struct archive_entry *header = archive_entry_new();
  archive_entry_set_pathname(header, e->name);
  archive_entry_set_filetype(header, e->type ? (unsigned)e->type : AE_IFREG);
  archive_entry_set_perm(header, 0755);
  archive_entry_set_size(header, (la_int64_t)e->size);
  if (e->symlink) archive_entry_set_symlink(header, e->symlink);
  if (e->hardlink) archive_entry_set_hardlink(header, e->hardlink);
  assert_int_equal(archive_write_header(archive, header), ARCHIVE_OK);
  assert_int_equal(archive_write_data(archive, served_bytes, e->size), e->size);
  archive_entry_free(header);
}

/* entries end with one without a name. */
static void pack(const entry *entries, bool compressed) {
  struct archive *archive = archive_write_new();
  assert_int_equal(archive_write_set_format_gnutar(archive), ARCHIVE_OK);
  if (compressed) assert_int_equal(archive_write_add_filter_gzip(archive), ARCHIVE_OK);
  assert_int_equal(archive_write_set_bytes_in_last_block(archive, 1), ARCHIVE_OK);
  assert_int_equal(archive_write_open_memory(archive, archive_, ROOM, &archive_size_), ARCHIVE_OK);
  for (; entries->name; entries++) add(archive, entries);
  assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
  MD5Data((const uint8_t *)archive_, archive_size_, archive_md5_);
}

#define PACK(...) pack((const entry[]){__VA_ARGS__, {0}}, true)

/* Fetches the archive that was packed. */
static gf_status fetch_with(const gf_fetch_options *options) {
  const gf__fetch_file files[] = {{"l.tar.gz", (int64_t)archive_size_, archive_md5_}, {0}};
  const gf__fetch_file unpacked[] = {{"a.bin", 9000, NULL}, {"b.bin", 70, NULL}, {0}};
  const char *servers[] = {fetch_server.address, NULL};
  const gf__fetch_source source = {
      .data_name = "letters",
      .folder = "letters",
      .servers = servers,
      .files = files,
      .unpacked = unpacked,
      .limits = {.entries = MOST_ENTRIES, .file_bytes = 10000, .bytes = 20000}};
  const reply good = {.body = archive_, .size = archive_size_, .etag = ETAG, .has_ranges = true};
  server_start(&fetch_server, &good, 1);
  gf_status status = gf__fetch_source_to(&source, options, &fetched_);
  free(fetched_.data_path);
  server_stop(&fetch_server);
  return status;
}

static void assert_unpacked(void) {
  assert_names(data_folder, " letters");
  assert_names(in_data("letters"), " a.bin b.bin");
  assert_file(in_data("letters/a.bin"), served_bytes, 9000);
  assert_file(in_data("letters/b.bin"), served_bytes, 70);
}

/* ---- good archives ---- */

static void a_good_archive_is_unpacked(void **state) {
  (void)state;
  PACK(GOOD_ENTRIES);
  assert_ok(fetch_with(&fetch_options));
  assert_unpacked();
  assert_int_equal(fetch_server.request_count, 1);
  assert_ok(fetch_with(&fetch_options));
  assert_int_equal(fetch_server.request_count, 0);
}

static void what_a_crash_left_is_used_or_removed(void **state) {
  (void)state;
  PACK(GOOD_ENTRIES);
  put_file(in_data("l.tar.gz.part"), archive_, archive_size_);
  put_file(in_data("letters.unpack/letters/a.bin"), "x", 1);
  put_file(in_data("letters.unpack/other"), "x", 1);
  assert_ok(fetch_with(&fetch_options));
  assert_unpacked();
  assert_int_equal(fetch_server.request_count, 0);
}

static bool stop_when_unpacking(void *user) {
  (void)user;
  return gf__path_exists(in_data("letters.unpack"));
}

static void a_stop_ends_unpacking(void **state) {
  (void)state;
  gf_fetch_options options = fetch_options;
  options.events.stop = stop_when_unpacking;
  PACK(GOOD_ENTRIES);
  assert_int_equal(fetch_with(&options), GF_ERROR_INTERRUPTED);
  assert_message("stopped while l.tar.gz was unpacked; run the command again to unpack it");
  assert_names(data_folder, " l.tar.gz.part l.tar.gz.part.tag");
  assert_ok(fetch_with(&fetch_options));
  assert_unpacked();
  assert_int_equal(fetch_server.request_count, 0);
}

static void a_folder_that_is_not_whole_is_not_touched(void **state) {
  (void)state;
#define AWAY "move the folder away or remove it, then fetch the data set again"
  PACK(GOOD_ENTRIES);
  put_file(in_data("letters/a.bin"), served_bytes, 9000);
  assert_int_equal(fetch_with(&fetch_options), GF_ERROR_DATA);
  assert_message("there is no %s; " AWAY, in_data("letters/b.bin"));
  put_file(in_data("letters/b.bin"), served_bytes, 71);
  assert_int_equal(fetch_with(&fetch_options), GF_ERROR_DATA);
  assert_message("%s has 71 bytes where 70 are expected; " AWAY, in_data("letters/b.bin"));
  assert_int_equal(fetch_server.request_count, 0);
  assert_names(data_folder, " letters");
}

/* ---- hostile and damaged archives ---- */

static void hostile_entries_are_refused(void **state) {
  (void)state;
#define OUTSIDE "leads out of its folder"
#define KIND "is neither a file nor a folder"
  static const struct {
    entry entries[MOST_ENTRIES + 2];
    const char *name, *what;
  } cases[] = {
      {{{"../x", .size = 5}}, "../x", OUTSIDE},
      {{{"letters/../../x", .size = 5}}, "letters/../../x", OUTSIDE},
      {{{"letters/..", .type = AE_IFDIR}}, "letters/../", OUTSIDE},
      {{{"/tmp/gradflow-x", .size = 5}}, "/tmp/gradflow-x", OUTSIDE},
      {{{"c:x", .size = 5}}, "c:x", OUTSIDE},
      {{{"..\\x", .size = 5}}, "..\\x", OUTSIDE},
      {{{"\033[2Jx", .size = 5}}, "?[2Jx", OUTSIDE},
      {{{"letters", .type = AE_IFLNK, .symlink = ".."}, {"letters/x", .size = 5}}, "letters", KIND},
      {{GOOD_ENTRIES, {"letters/c", .hardlink = "letters/a.bin"}}, "letters/c", KIND},
      {{GOOD_ENTRIES, {"letters/c", .hardlink = "/etc/passwd"}}, "letters/c", KIND},
      {{{"letters/fifo", .type = AE_IFIFO}}, "letters/fifo", KIND},
      {{{"letters/a.bin", .size = 10001}}, "letters/a.bin", "is larger than expected"},
      {{GOOD_ENTRIES, {"c", .size = 9000}, {"d", .size = 9000}},
       "d",
       "makes it larger than expected"},
      {{GOOD_ENTRIES, {"c", .size = 1}, {"d", .size = 1}, {"e", .size = 1}},
       "e",
       "is one more than expected"},
      {{GOOD_ENTRIES, {"letters/a.bin", .size = 5}}, "letters/a.bin", "is in it twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    pack(cases[i].entries, true);
    assert_int_equal(fetch_with(&fetch_options), GF_ERROR_DATA);
    assert_message(
        "l.tar.gz: its entry '%s' %s; nothing of it is kept; name another server by "
        "--mirror URL",
        cases[i].name, cases[i].what);
    assert_names(fetch_folder, "");
    assert_false(gf__path_exists("/tmp/gradflow-x"));
  }
}

/* A link that brings bytes, which libarchive calls a file. */
static void a_link_in_the_guise_of_a_file_is_refused(void **state) {
  (void)state;
  enum { HEADER = 512, CHECKSUM = 148, DIGITS = 8, TYPE = 156, LINK = 157 };
  pack((const entry[]){{"letters/c", .size = 5}, {0}}, false);
  archive_[TYPE] = '1';
  strcpy(archive_ + LINK, "letters/a.bin");
  memset(archive_ + CHECKSUM, ' ', DIGITS);
  unsigned sum = 0;
  for (int i = 0; i < HEADER; i++) sum += (unsigned char)archive_[i];
  snprintf(archive_ + CHECKSUM, DIGITS, "%06o", sum);
  MD5Data((const uint8_t *)archive_, archive_size_, archive_md5_);
  assert_int_equal(fetch_with(&fetch_options), GF_ERROR_DATA);
  assert_message("l.tar.gz: its entry 'letters/c' " KIND
                 "; nothing of it is kept; name another "
                 "server by --mirror URL");
}

static void assert_refused(const char *message) {
  MD5Data((const uint8_t *)archive_, archive_size_, archive_md5_);
  assert_int_equal(fetch_with(&fetch_options), GF_ERROR_DATA);
  assert_string_equal(gf_error_message(), message);
  assert_names(fetch_folder, "");
}

static void damaged_archives_are_refused(void **state) {
  (void)state;
#define ADVICE "; nothing of it is kept; name another server by --mirror URL"
#define ANOTHER "; the archive is another one; name another server by --mirror URL"
  char message[512];
  PACK(GOOD_ENTRIES);
  archive_size_ /= 2;
  assert_refused("l.tar.gz is damaged (truncated gzip input)" ADVICE);
  memcpy(archive_, served_bytes, archive_size_);
  assert_refused("l.tar.gz is damaged (Unrecognized archive format)" ADVICE);
  pack((const entry[]){{0}}, true);
  assert_refused("l.tar.gz is an empty archive" ADVICE);
  PACK({"letters/a.bin", .size = 9000});
  snprintf(message, sizeof message, "there is no %s" ANOTHER,
           in_data("letters.unpack/letters/b.bin"));
  assert_refused(message);
  PACK({"letters/a.bin", .size = 9000}, {"letters/b.bin", .size = 69});
  snprintf(message, sizeof message, "%s has 69 bytes where 70 are expected" ANOTHER,
           in_data("letters.unpack/letters/b.bin"));
  assert_refused(message);
}

/* Deflate makes a bomb of a few bytes. */
static void a_bomb_is_refused(void **state) {
  (void)state;
  static unsigned char saved[FILE_SIZE];
  memcpy(saved, served_bytes, FILE_SIZE);
  memset(served_bytes, 0, FILE_SIZE);
  PACK({"letters/a.bin", .size = FILE_SIZE});
  memcpy(served_bytes, saved, FILE_SIZE);
  assert_true(archive_size_ < 2000);
  assert_int_equal(fetch_with(&fetch_options), GF_ERROR_DATA);
  assert_message("l.tar.gz: its entry 'letters/a.bin' is larger than expected" ADVICE);
  assert_names(fetch_folder, "");
}

static void a_full_disk_ends_unpacking(void **state) {
  (void)state;
  PACK({"letters/b.bin", .size = 70}, {"letters/a.bin", .size = 9000});
  put_file(in_data("l.tar.gz.part"), archive_, archive_size_);
  limit_files(8000);
  gf_status status = fetch_with(&fetch_options);
  limit_files(-1);
  assert_int_equal(status, GF_ERROR_FILE);
  assert_message("cannot write %s: File too large; make room, or choose another folder by --to DIR",
                 in_data("letters.unpack/letters/a.bin"));
  assert_names(data_folder, "");
}

/* ---- arguments and the table ---- */

static void wrong_arguments_are_refused(void **state) {
  (void)state;
#define KNOWN "; known: cifar100, cifar10, mnist, fashion-mnist, svhn"
  assert_int_equal(gf_fetch("cifar-100", &fetch_options, &fetched_), GF_ERROR_ARGUMENT);
  assert_message("no data set 'cifar-100' can be fetched; did you mean 'cifar100'?" KNOWN);
  assert_int_equal(gf_fetch("imagenet", &fetch_options, &fetched_), GF_ERROR_ARGUMENT);
  assert_message("no data set 'imagenet' can be fetched" KNOWN);
  static const char *const mirrors[] = {"ftp://a/b", "file:///etc", "example.org", "http://", ""};
  for (size_t i = 0; i < sizeof mirrors / sizeof *mirrors; i++) {
    gf_fetch_options options = fetch_options;
    options.mirror = mirrors[i];
    assert_int_equal(gf_fetch("fashion_mnist", &options, &fetched_), GF_ERROR_ARGUMENT);
    assert_message(
        "the mirror '%s' must be an address of a folder that begins with http:// or "
        "https://",
        mirrors[i]);
  }
  assert_names(fetch_folder, "");
}

static bool is_read(const gf__data_format *format, const char *name) {
  for (int test = 0; test < 2; test++)
    for (const char *const *file = test ? format->test : format->train; *file; file++) {
      size_t n = strlen(*file);
      if (strncmp(name, *file, n) == 0 && (!name[n] || !strcmp(name + n, ".gz"))) return true;
    }
  return false;
}

static void the_table_fits_the_data_sets(void **state) {
  (void)state;
  assert_int_equal(gf__fetch_source_count, 5);
  for (size_t i = 0; i < gf__fetch_source_count; i++) {
    const gf__fetch_source *s = &gf__fetch_sources[i];
    const gf__data_format *format = gf__data_format_find(s->data_name);
    if (!format) fail_msg("no data set %s", s->data_name);
    for (const char *const *url = s->servers; *url; url++)
      assert_true(strncmp(*url, "http", 4) == 0 && (*url)[strlen(*url) - 1] == '/');
    for (const gf__fetch_file *file = s->files; file->name; file++) {
      assert_true(file->size > 0);
      assert_int_equal(strspn(file->md5, "0123456789abcdef"), GF__MD5_DIGITS);
      assert_int_equal(strlen(file->md5), GF__MD5_DIGITS);
    }
    size_t wanted = 0, found = 0;
    for (int test = 0; test < 2; test++)
      for (const char *const *file = test ? format->test : format->train; *file; file++) wanted++;
    for (const gf__fetch_file *file = s->unpacked ? s->unpacked : s->files; file->name; file++)
      found += is_read(format, file->name);
    assert_int_equal(found, wanted);
    /* A record of CIFAR is its labels and 32 x 32 x 3 bytes. */
    int64_t bytes = 0;
    for (const gf__fetch_file *file = s->unpacked; file && file->name; file++) bytes += file->size;
    if (s->unpacked) assert_int_equal(bytes, (int64_t)60000 * (format->label_bytes + 3072));
  }
}

/* ---- the program ---- */

static pid_t start(const char *const words[], const char *out, const char *err) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child > 0) return child;
  if (chdir(fetch_folder) == 0 && freopen(out, "w", stdout) && freopen(err, "w", stderr))
    execv(PROGRAM, (char *const *)(uintptr_t)words);
  _exit(127);
}

static int end_code(pid_t child) {
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_text(const char *name, const char *expected) {
  char path[128], *text = NULL;
  size_t size = 0;
  snprintf(path, sizeof path, "%s/%s", fetch_folder, name);
  assert_ok(gf__file_read(path, &text, &size));
  assert_string_equal(text, expected);
  free(text);
}

#define RUN(...) \
  end_code(start((const char *const[]){PROGRAM, "fetch", __VA_ARGS__, NULL}, "out", "err"))

static void the_program_fetches(void **state) {
  (void)state;
  assert_int_equal(RUN("cifar101"), 2);
  assert_text("err",
              "gradflow: no data set 'cifar101' can be fetched; did you mean "
              "'cifar100'?" KNOWN "\n");
  char path[128], *help = NULL;
  size_t size = 0, longest = 0;
  assert_int_equal(RUN("--help"), 0);
  snprintf(path, sizeof path, "%s/out", fetch_folder);
  assert_ok(gf__file_read(path, &help, &size));
  for (const char *line = help; *line; line += strcspn(line, "\n"), line += *line == '\n')
    if (strcspn(line, "\n") > longest) longest = strcspn(line, "\n");
  assert_in_range(longest, 60, 80);
  assert_non_null(strstr(help, "  mnist           11.6 MB  ossci-datasets.s3.amazonaws.com\n"));
  free(help);
  /* CIFAR's folder is known by its sizes, which holes can have. */
  put_file(in_data("cifar-100-binary/train.bin"), "", 0);
  put_file(in_data("cifar-100-binary/test.bin"), "", 0);
  assert_int_equal(truncate(in_data("cifar-100-binary/train.bin"), 153700000), 0);
  assert_int_equal(truncate(in_data("cifar-100-binary/test.bin"), 30740000), 0);
  assert_int_equal(RUN("cifar100"), 0);
  assert_text("out", "data.name=cifar100\ndata.path=data/cifar-100-binary\n");
  assert_text("err", "data/cifar-100-binary is there\n");
  assert_int_equal(RUN("cifar100", "--quiet", "--to", data_folder), 0);
  assert_text("err", "");
}

static void the_program_is_interrupted(void **state) {
  (void)state;
  enum { SENT = 1000, FIRST_FILE = 9912422 };
  const reply stalls = {.body = served_bytes,
                        .size = FILE_SIZE,
                        .sent = SENT,
                        .stalls = true,
                        .has_length = true,
                        .length = FIRST_FILE,
                        .etag = ETAG};
  server_start(&fetch_server, &stalls, 1);
  pid_t child = start(
      (const char *const[]){PROGRAM, "fetch", "mnist", "--mirror", fetch_server.address, NULL},
      "out", "err");
  for (int i = 0; i < 500 && !gf__path_exists(in_data("mnist/train-images-idx3-ubyte.gz.part.tag"));
       i++)
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
  kill(child, SIGINT);
  assert_int_equal(end_code(child), 130);
  server_stop(&fetch_server);
  assert_text("err",
              "gradflow: stopped; data/mnist/train-images-idx3-ubyte.gz.part has 1000 bytes, "
              "from which the same command goes on\n");
  assert_file(in_data("mnist/train-images-idx3-ubyte.gz.part"), served_bytes, SENT);
}

/* Files of the program's own output, as well. */
static int clear_all(void **state) {
  return fetch_close(state) == 0 && gf__make_folder(fetch_folder) == GF_OK ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_setup(function, clear_all)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_good_archive_is_unpacked),   TEST(what_a_crash_left_is_used_or_removed),
      TEST(a_stop_ends_unpacking),        TEST(a_folder_that_is_not_whole_is_not_touched),
      TEST(hostile_entries_are_refused),  TEST(a_link_in_the_guise_of_a_file_is_refused),
      TEST(damaged_archives_are_refused), TEST(a_bomb_is_refused),
      TEST(a_full_disk_ends_unpacking),   TEST(wrong_arguments_are_refused),
      TEST(the_table_fits_the_data_sets), TEST(the_program_fetches),
      TEST(the_program_is_interrupted),
  };
  return cmocka_run_group_tests_name("fetch_archive", tests, fetch_open, fetch_close);
}
