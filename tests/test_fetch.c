/* Downloads from a server on localhost that is good, broken or wrong. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv, setrlimit */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "data/dataset.h"
#include "support/fetch.h"
#include "support/test.h"

#define HALF (FILE_SIZE / 2)
/* RFC 1321's example of 80 digits. */
#define DIGITS                               \
  "1234567890123456789012345678901234567890" \
  "1234567890123456789012345678901234567890"
#define DIGITS_MD5 "57edf4a22be3c955ac49da2e2107b67a"
#define MIRROR "name another server by --mirror URL"

static char file_[256]; /* where the file goes */
static gf_fetched fetched_;

static const gf_fetch_options patient_ = {.to = data_folder,
                                          .attempts = 3,
                                          .backoff_seconds = 0.01,
                                          .connect_seconds = 20,
                                          .stall_seconds = 0.5};

/* Fetches one file of the size and MD5 from the server with these replies. */
static gf_status fetch_as(const gf__fetch_file *file, const gf_fetch_options *options,
                          const reply *replies, int count) {
  const gf__fetch_file files[] = {*file, {0}};
  const char *servers[] = {fetch_server.address, NULL};
  const gf__fetch_source source = {.name = "letters",
                                   .data_name = "letters",
                                   .folder = "letters",
                                   .servers = servers,
                                   .files = files};
  snprintf(file_, sizeof file_, "%s/letters/%s", data_folder, file->name);
  server_start(&fetch_server, replies, count);
  gf_status status = gf__fetch_source_to(&source, options, &fetched_);
  free(fetched_.data_path);
  server_stop(&fetch_server);
  return status;
}

static const gf__fetch_file sized_ = {"a.bin", FILE_SIZE, served_md5},
                            unsized_ = {"a.bin", 0, served_md5};

#define REPLIES(...) (const reply[]){__VA_ARGS__}, sizeof(reply[]){__VA_ARGS__} / sizeof(reply)
#define FETCH(options, ...) fetch_as(&sized_, options, REPLIES(__VA_ARGS__))

static void assert_fetched(void) {
  assert_file(file_, served_bytes, FILE_SIZE);
  assert_names(in_data("letters"), " a.bin");
}

/* Nor a folder that was not there before. */
static void assert_nothing(void) { assert_false(gf__path_exists(data_folder)); }

static void assert_requests(int count) { assert_int_equal(fetch_server.request_count, count); }

static void assert_resumed(int i, size_t from, const char *tag) {
  assert_true(fetch_server.requests[i].has_range);
  assert_int_equal(fetch_server.requests[i].range, from);
  assert_string_equal(fetch_server.requests[i].if_range, tag);
}

static void assert_whole(int i) { assert_false(fetch_server.requests[i].has_range); }

/* ---- good servers ---- */

/* Whoever lacks the data is told how to get them. */
static void data_sets_name_their_fetch(void **state) {
  (void)state;
  for (size_t i = 0; i < gf__fetch_source_count; i++) {
    char command[64];
    const gf__fetch_source *source = &gf__fetch_sources[i];
    const gf__data_format *format = gf__data_format_find(source->data_name);
    assert_non_null(format);
    snprintf(command, sizeof command, "run gradflow fetch %s, or ", source->name);
    if (strncmp(format->source, command, strlen(command)) != 0) fail_msg("%s", format->source);
  }
}

static void several_files_are_fetched(void **state) {
  (void)state;
  const gf__fetch_file files[] = {
      {"a.bin", FILE_SIZE, served_md5}, {"b.txt", sizeof DIGITS - 1, DIGITS_MD5}, {0}};
  const reply replies[] = {{GOOD}, {.body = DIGITS, .size = sizeof DIGITS - 1}};
  const char *servers[] = {fetch_server.address, NULL};
  const gf__fetch_source source = {
      .data_name = "some_letters", .folder = "letters", .servers = servers, .files = files};
  server_start(&fetch_server, replies, 2);
  assert_ok(gf__fetch_source_to(&source, &fetch_options, &fetched_));
  assert_string_equal(fetched_.data_name, "some_letters");
  assert_string_equal(fetched_.data_path, in_data("letters"));
  free(fetched_.data_path);
  /* What is there is not fetched again. */
  assert_ok(gf__fetch_source_to(&source, &fetch_options, &fetched_));
  free(fetched_.data_path);
  server_stop(&fetch_server);
  assert_requests(2);
  assert_string_equal(fetch_server.requests[0].path, "/a.bin");
  assert_string_equal(fetch_server.requests[1].path, "/b.txt");
  assert_file(in_data("letters/a.bin"), served_bytes, FILE_SIZE);
  assert_file(in_data("letters/b.txt"), DIGITS, sizeof DIGITS - 1);
  assert_names(in_data("letters"), " a.bin b.txt");
}

static void a_wrong_file_in_the_folder_is_replaced(void **state) {
  (void)state;
  put_file(in_data("letters/a.bin"), DIGITS, sizeof DIGITS - 1);
  assert_ok(FETCH(&fetch_options, {GOOD}));
  assert_fetched();
}

static void a_file_of_unknown_size_is_fetched(void **state) {
  (void)state;
  assert_ok(fetch_as(&unsized_, &fetch_options, REPLIES({GOOD, .is_open = true})));
  assert_fetched();
}

static void note_progress(void *user, const gf_fetch_progress *p) {
  long long *last = user;
  assert_string_equal(p->phase, "download");
  assert_string_equal(p->file, "a.bin");
  assert_int_equal(p->size, FILE_SIZE);
  assert_true(p->done >= *last && p->done <= FILE_SIZE);
  *last = p->done;
}

static void progress_is_reported(void **state) {
  (void)state;
  long long last = 0;
  gf_fetch_options options = fetch_options;
  options.events = (gf_fetch_events){.user = &last, .progress = note_progress};
  assert_ok(FETCH(&options, {GOOD}));
  assert_int_equal(last, FILE_SIZE);
}

static void redirects_are_followed(void **state) {
  (void)state;
  assert_ok(FETCH(&fetch_options, {.status = 302, .location = "/elsewhere"}, {GOOD}));
  assert_fetched();
  assert_string_equal(fetch_server.requests[1].path, "/elsewhere");
}

static void servers_are_asked_in_turn(void **state) {
  (void)state;
  server first, second;
  const reply none = {.status = 404}, good = {GOOD};
  const gf__fetch_file files[] = {sized_, {0}};
  const char *servers[] = {first.address, second.address, NULL};
  const gf__fetch_source source = {.folder = "letters", .servers = servers, .files = files};
  gf_fetch_options options = fetch_options;
  server_start(&first, &none, 1);
  server_start(&second, &good, 1);
  assert_ok(gf__fetch_source_to(&source, &options, &fetched_));
  free(fetched_.data_path);
  assert_int_equal(fetch_clear(NULL), 0);
  options.mirror = second.address;
  assert_ok(gf__fetch_source_to(&source, &options, &fetched_));
  free(fetched_.data_path);
  server_stop(&first);
  server_stop(&second);
  assert_int_equal(first.request_count, 1);
  assert_int_equal(second.request_count, 2);
}

/* ---- connections that break ---- */

static void a_cut_is_resumed(void **state) {
  (void)state;
  assert_ok(FETCH(&patient_, {GOOD, .sent = HALF}, {GOOD}));
  assert_fetched();
  assert_requests(2);
  assert_whole(0);
  assert_resumed(1, HALF, ETAG);
}

static void a_cut_is_resumed_by_the_next_call(void **state) {
  (void)state;
  assert_int_equal(FETCH(&fetch_options, {GOOD, .sent = HALF}), GF_ERROR_FILE);
  assert_message(
      "cannot fetch %s/a.bin: the connection was cut, after 150000 bytes; the same "
      "command goes on from there, or " MIRROR,
      fetch_server.address);
  assert_names(in_data("letters"), " a.bin.part a.bin.part.tag");
  assert_file(in_data("letters/a.bin.part"), served_bytes, HALF);
  assert_ok(FETCH(&fetch_options, {GOOD}));
  assert_fetched();
  assert_resumed(0, HALF, ETAG);
}

static void attempts_end(void **state) {
  (void)state;
  assert_int_equal(
      FETCH(&patient_, {GOOD, .sent = HALF}, {GOOD, .sent = HALF + 1}, {GOOD, .sent = HALF + 2}),
      GF_ERROR_FILE);
  assert_requests(3);
  assert_resumed(2, HALF + 1, ETAG);
}

static void without_an_etag_the_date_decides(void **state) {
  (void)state;
#define DATE "Mon, 05 Jan 2009 10:00:00 GMT"
  reply good = {.body = served_bytes, .size = FILE_SIZE, .modified = DATE, .has_ranges = true};
  reply cut = good;
  cut.sent = HALF;
  /* A weak tag does not promise equal bytes. */
  cut.etag = "W/\"1\"";
  assert_ok(FETCH(&patient_, cut, good));
  assert_fetched();
  assert_resumed(1, HALF, DATE);
}

static void without_a_tag_it_starts_again(void **state) {
  (void)state;
  assert_int_equal(FETCH(&fetch_options, {WHOLE, .sent = HALF}), GF_ERROR_FILE);
  assert_nothing();
  assert_ok(FETCH(&patient_, {WHOLE, .sent = HALF}, {WHOLE}));
  assert_fetched();
  assert_whole(1);
}

/* Each time what came before the cut is of another file. */
static void a_file_that_changed_is_begun_anew(void **state) {
  (void)state;
  static const unsigned char old[FILE_SIZE];
  const reply cut = {.body = old, .size = FILE_SIZE, .etag = "\"old\"", .sent = HALF};
  assert_ok(FETCH(&patient_, cut, {GOOD}));
  assert_fetched();
  assert_resumed(1, HALF, "\"old\"");
  assert_int_equal(fetch_clear(NULL), 0);
  /* A server that does not understand If-Range, but says what it sends. */
  assert_ok(FETCH(&patient_, cut, {GOOD, .is_careless = true}));
  assert_fetched();
  assert_requests(3);
  assert_whole(2);
}

static void ranges_need_not_be_served(void **state) {
  (void)state;
  assert_ok(FETCH(&patient_, {GOOD, .sent = HALF}, {TAGGED}));
  assert_fetched();
  assert_requests(2);
  assert_int_equal(fetch_clear(NULL), 0);
  assert_ok(FETCH(&patient_, {GOOD, .sent = HALF}, {GOOD, .shift = 5}, {GOOD}));
  assert_fetched();
  assert_requests(3);
  assert_whole(2);
  assert_int_equal(fetch_clear(NULL), 0);
  assert_ok(FETCH(&patient_, {GOOD, .sent = HALF}, {.status = 416}, {GOOD}));
  assert_fetched();
  assert_whole(2);
  assert_int_equal(fetch_clear(NULL), 0);
  /* A range that nobody asked for. */
  assert_int_equal(FETCH(&fetch_options, {GOOD, .status = 206}), GF_ERROR_FILE);
  assert_message("cannot fetch %s/a.bin: the server answers with status 206; " MIRROR,
                 fetch_server.address);
}

static void a_stall_ends_an_attempt(void **state) {
  (void)state;
  assert_int_equal(FETCH(&fetch_options, {GOOD, .sent = HALF, .stalls = true}), GF_ERROR_FILE);
  assert_message(
      "cannot fetch %s/a.bin: the server was silent for too long, after 150000 bytes; "
      "the same command goes on from there, or " MIRROR,
      fetch_server.address);
  assert_ok(FETCH(&fetch_options, {GOOD}));
  assert_fetched();
  assert_resumed(0, HALF, ETAG);
}

static void a_busy_server_is_asked_again(void **state) {
  (void)state;
  assert_ok(FETCH(&patient_, {.status = 503}, {.status = 503}, {GOOD}));
  assert_fetched();
  assert_requests(3);
}

static void no_server_is_an_error(void **state) {
  (void)state;
  server gone;
  const reply good = {GOOD};
  const char *servers[] = {gone.address, NULL};
  const gf__fetch_file files[] = {sized_, {0}};
  const gf__fetch_source source = {.folder = "letters", .servers = servers, .files = files};
  server_start(&gone, &good, 1);
  server_stop(&gone);
  assert_int_equal(gf__fetch_source_to(&source, &fetch_options, &fetched_), GF_ERROR_FILE);
  assert_message("cannot fetch %s/a.bin: the server does not answer; " MIRROR, gone.address);
  assert_nothing();
}

/* ---- servers that are wrong ---- */

static void a_status_of_an_error_is_reported(void **state) {
  (void)state;
  assert_int_equal(FETCH(&patient_, {.status = 404, .body = DIGITS, .size = 80}), GF_ERROR_FILE);
  assert_message("cannot fetch %s/a.bin: the server answers with status 404; " MIRROR,
                 fetch_server.address);
  assert_requests(1);
  assert_nothing();
}

static void redirects_out_of_the_web_are_refused(void **state) {
  (void)state;
  char file[300];
  put_file(in_data("secret"), served_bytes, FILE_SIZE);
  snprintf(file, sizeof file, "file://%s", in_data("secret"));
  const char *const addresses[] = {file, "ftp://127.0.0.1/a.bin"};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(FETCH(&patient_, {.status = 302, .location = addresses[i]}), GF_ERROR_FILE);
    assert_message(
        "cannot fetch %s/a.bin: it leads to an address that is not http or https; " MIRROR,
        fetch_server.address);
  }
  assert_names(data_folder, " secret");
  assert_int_equal(FETCH(&patient_, {.status = 302, .location = "/"}), GF_ERROR_FILE);
  assert_message("cannot fetch %s/a.bin: it leads from one address to another without an end; "  //
                 MIRROR,
                 fetch_server.address);
}

static void lies_about_the_length_are_found(void **state) {
  (void)state;
  /* Another length than the table's: not a byte is taken. */
  assert_int_equal(FETCH(&patient_, {GOOD, .has_length = true, .length = 5}), GF_ERROR_DATA);
  assert_message("%s/a.bin has 5 bytes where 300000 are expected: it is another file; " MIRROR,
                 fetch_server.address);
  assert_requests(1);
  assert_nothing();
  assert_int_equal(FETCH(&patient_, {.body = "", .size = 0}), GF_ERROR_DATA);
  assert_message("%s/a.bin has 0 bytes where 300000 are expected: it is another file; " MIRROR,
                 fetch_server.address);
  /* None, and less. */
  assert_int_equal(FETCH(&fetch_options, {GOOD, .is_open = true, .sent = HALF}), GF_ERROR_FILE);
  assert_message(
      "cannot fetch %s/a.bin: the connection was cut, after 150000 bytes; the same "
      "command goes on from there, or " MIRROR,
      fetch_server.address);
  assert_int_equal(fetch_clear(NULL), 0);
  /* None, and more. */
  static const char more[FILE_SIZE + 1];
  assert_int_equal(FETCH(&patient_, {.body = more, .size = sizeof more, .is_open = true}),
                   GF_ERROR_DATA);
  assert_message(
      "%s/a.bin has 300000 or more bytes where 300000 are expected: it is another "
      "file; " MIRROR,
      fetch_server.address);
  assert_nothing();
}

static void a_wrong_file_is_refused(void **state) {
  (void)state;
  const gf__fetch_file file = {"a.bin", sizeof DIGITS - 1, served_md5};
  assert_int_equal(fetch_as(&file, &patient_, REPLIES({.body = DIGITS, .size = 80, .etag = ETAG})),
                   GF_ERROR_DATA);
  assert_message("%s/a.bin has the MD5 " DIGITS_MD5
                 " where %s is expected: it is damaged or "
                 "another file, and was removed; try again, or " MIRROR,
                 fetch_server.address, served_md5);
  assert_requests(1);
  assert_nothing();
}

/* ---- this machine ---- */

static void a_full_disk_is_reported(void **state) {
  (void)state;
  limit_files(HALF);
  gf_status status = FETCH(&patient_, {GOOD});
  limit_files(-1);
  assert_int_equal(status, GF_ERROR_FILE);
  assert_message(
      "cannot write %s.part: File too large; make room, or choose another folder by "
      "--to DIR",
      file_);
  assert_requests(1);
  assert_nothing();
}

static void a_file_in_the_way_is_reported(void **state) {
  (void)state;
  put_file(in_data("letters"), DIGITS, 1);
  assert_int_equal(FETCH(&fetch_options, {GOOD}), GF_ERROR_FILE);
  assert_message("cannot create the folder %s: File exists", in_data("letters"));
  assert_requests(0);
}

static bool stop_at_half(void *user) {
  (void)user;
  gf__names names;
  if (gf__list_folder(in_data("letters"), &names) != GF_OK) return 0;
  /* The tag is written with the first byte. */
  int stop = names.count == 2;
  gf__names_free(&names);
  return stop;
}

static void a_stop_leaves_what_there_is(void **state) {
  (void)state;
  gf_fetch_options options = patient_;
  options.events.stop = stop_at_half;
  assert_int_equal(FETCH(&options, {GOOD, .sent = HALF, .stalls = true}), GF_ERROR_INTERRUPTED);
  char *part = NULL;
  size_t size = 0;
  assert_ok(gf__file_read(in_data("letters/a.bin.part"), &part, &size));
  free(part);
  assert_true(size > 0 && size <= HALF);
  assert_message("stopped; %s.part has %zu bytes, from which the same command goes on", file_,
                 size);
  assert_ok(FETCH(&fetch_options, {GOOD}));
  assert_fetched();
  assert_resumed(0, size, ETAG);
}

static void a_file_that_another_process_fetches_is_left_alone(void **state) {
  (void)state;
  gf__file_lock *lock;
  assert_ok(gf__make_folder(in_data("letters")));
  assert_ok(gf__file_lock_take(&lock, in_data("letters/a.bin.part")));
  assert_int_equal(FETCH(&fetch_options, {GOOD}), GF_ERROR_FILE);
  gf__file_lock_release(&lock);
  assert_message("%s.part is held by another process that is at work here", file_);
  assert_names(in_data("letters"), " a.bin.part");
}

#define TEST(function) cmocka_unit_test_setup(function, fetch_clear)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(data_sets_name_their_fetch),
      TEST(several_files_are_fetched),
      TEST(a_wrong_file_in_the_folder_is_replaced),
      TEST(a_file_of_unknown_size_is_fetched),
      TEST(progress_is_reported),
      TEST(redirects_are_followed),
      TEST(servers_are_asked_in_turn),
      TEST(a_cut_is_resumed),
      TEST(a_cut_is_resumed_by_the_next_call),
      TEST(attempts_end),
      TEST(without_an_etag_the_date_decides),
      TEST(without_a_tag_it_starts_again),
      TEST(a_file_that_changed_is_begun_anew),
      TEST(ranges_need_not_be_served),
      TEST(a_stall_ends_an_attempt),
      TEST(a_busy_server_is_asked_again),
      TEST(no_server_is_an_error),
      TEST(a_status_of_an_error_is_reported),
      TEST(redirects_out_of_the_web_are_refused),
      TEST(lies_about_the_length_are_found),
      TEST(a_wrong_file_is_refused),
      TEST(a_full_disk_is_reported),
      TEST(a_file_in_the_way_is_reported),
      TEST(a_stop_leaves_what_there_is),
      TEST(a_file_that_another_process_fetches_is_left_alone),
  };
  return cmocka_run_group_tests_name("fetch", tests, fetch_open, fetch_close);
}
