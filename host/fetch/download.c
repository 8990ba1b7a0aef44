#include "fetch/download.h"

#include <ctype.h>
#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>

/* An attempt that brought this many bytes does not count against the number of attempts. */
enum { WORTH_ANOTHER = 1 << 20 };
/* Of a file whose size is not known. */
#define LARGEST ((int64_t)4 << 30)

enum { STATUS_OK = 200, STATUS_PARTIAL = 206, STATUS_NO_SUCH_RANGE = 416 };

#define OTHER_SERVER "name another server by --mirror URL"

typedef enum verdict {
  GO_ON,
  START_ANEW, /* the server has no rest for what is there */
  FAILED      /* the message is recorded */
} verdict;

typedef struct transfer {
  const gf__download *download;
  gf__partial_download *partial;
  CURL *curl;
  /* What the response says that comes in. */
  char etag[GF__LONGEST_TAG], modified[GF__LONGEST_TAG];
  int64_t range_start; /* -1: none */
  bool resumes, has_body;
  verdict verdict;
  gf_status status; /* of FAILED */
  bool is_server;   /* of FAILED: another server may help */
  double heard;     /* when the last byte came */
  bool is_stalled;
  /* For progress. */
  double started, reported;
  int64_t first_size, reported_size; /* bytes */
} transfer;

/* ---- failures ---- */

/* Messages that do not change with curl's versions; those of all other codes are curl's. */
static const struct {
  CURLcode code;
  bool is_passing; /* another attempt may help */
  const char *text;
} network_errors[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, false, "it leads to an address that is not http or https"},
    {CURLE_TOO_MANY_REDIRECTS, false, "it leads from one address to another without an end"},
    {CURLE_URL_MALFORMAT, false, "this is no address"},
    {CURLE_COULDNT_RESOLVE_HOST, false,
     "the server's name is not known here, perhaps for want of a network"},
    {CURLE_COULDNT_RESOLVE_PROXY, false, "the proxy's name is not known here"},
    {CURLE_PEER_FAILED_VERIFICATION, false, "the server's certificate is not trusted"},
    {CURLE_COULDNT_CONNECT, true, "the server does not answer"},
    {CURLE_OPERATION_TIMEDOUT, true, "the server was silent for too long"},
    {CURLE_PARTIAL_FILE, true, "the connection was cut"},
    {CURLE_GOT_NOTHING, true, "the connection was cut"},
    {CURLE_RECV_ERROR, true, "the connection was cut"},
    {CURLE_SEND_ERROR, true, "the connection was cut"},
    {CURLE_SSL_CONNECT_ERROR, true, "no secure connection can be made"},
    {CURLE_HTTP2, true, "the connection was cut"},
    {CURLE_HTTP2_STREAM, true, "the connection was cut"},
};

/* Those of servers that are busy or being restarted. */
static const long passing_statuses[] = {408, 429, 500, 502, 503, 504};

static gf_status fail_network(const transfer *t, CURLcode code, bool *is_passing) {
  const char *text = curl_easy_strerror(code);
  *is_passing = false;
  for (size_t i = 0; i < sizeof network_errors / sizeof *network_errors; i++) {
    if (network_errors[i].code != code) continue;
    text = network_errors[i].text;
    *is_passing = network_errors[i].is_passing;
  }
  if (!t->partial->size)
    return gf__fail(GF_ERROR_FILE, "cannot fetch %s: %s", t->download->url, text);
  return gf__fail(GF_ERROR_FILE, "cannot fetch %s: %s, after %lld bytes", t->download->url, text,
                  (long long)t->partial->size);
}

/* 206 Partial Content is an answer to a range alone. */
static bool is_good(const transfer *t, long status) {
  return status == STATUS_OK || (status == STATUS_PARTIAL && t->resumes);
}

static gf_status fail_status(const transfer *t, long status, bool *is_passing) {
  *is_passing = false;
  for (size_t i = 0; i < sizeof passing_statuses / sizeof *passing_statuses; i++)
    if (passing_statuses[i] == status) *is_passing = true;
  return gf__fail(GF_ERROR_FILE, "cannot fetch %s: the server answers with status %ld",
                  t->download->url, status);
}

static gf_status fail_size(const transfer *t, int64_t size, const char *more) {
  return gf__fail(GF_ERROR_DATA,
                  "%s has %lld%s bytes where %lld are expected: it is another file; " OTHER_SERVER,
                  t->download->url, (long long)size, more, (long long)t->download->size);
}

static bool abort_with(transfer *t, verdict how, gf_status status, bool is_server) {
  t->verdict = how;
  t->status = status;
  t->is_server = is_server;
  return false;
}

/* ---- what curl calls ---- */

/* The value of a header line if it is of that name (in lower case), cut to fit. */
static bool read_header(const char *line, size_t length, const char *name, char *out, size_t size) {
  size_t n = strlen(name);
  if (length <= n || line[n] != ':') return false;
  for (size_t i = 0; i < n; i++)
    if (tolower((unsigned char)line[i]) != name[i]) return false;
  for (n++; n < length && isspace((unsigned char)line[n]); n++) {
  }
  while (length > n && isspace((unsigned char)line[length - 1])) length--;
  /* A tag that was cut would never be found the same. */
  bool fits = length - n < size;
  if (fits) memcpy(out, line + n, length - n);
  out[fits ? length - n : 0] = 0;
  return true;
}

static size_t on_header(char *line, size_t one, size_t length, void *user) {
  transfer *t = user;
  char value[GF__LONGEST_TAG];
  (void)one;
  t->heard = gf__seconds();
  if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* another response after a redirect */
    *t->etag = *t->modified = 0;
    t->range_start = -1;
  } else if (read_header(line, length, "etag", value, sizeof value)) {
    /* A weak one does not promise equal bytes. */
    if (strncmp(value, "W/", 2) != 0) strcpy(t->etag, value);
  } else if (read_header(line, length, "last-modified", value, sizeof value)) {
    strcpy(t->modified, value);
  } else if (read_header(line, length, "content-range", value, sizeof value)) {
    if (strncmp(value, "bytes ", 6) == 0 && isdigit((unsigned char)value[6]))
      t->range_start = strtoll(value + 6, NULL, 10);
  }
  return length;
}

/* Whether what comes is the rest of the file whose beginning is there. A server that was sent the
 * tag in If-Range may leave out its own. */
static bool is_rest(const transfer *t) {
  const char *tag = *t->partial->tag == '"' ? t->etag : t->modified;
  return t->range_start == t->partial->size && (!*tag || strcmp(tag, t->partial->tag) == 0);
}

/* Before the first byte: what does the server send? */
static bool begin_body(transfer *t) {
  long status = 0;
  curl_off_t length = -1;
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  int64_t there = status == STATUS_PARTIAL ? t->partial->size : 0;
  t->has_body = true;
  if (!is_good(t, status)) return false; /* for finish */
  if (status == STATUS_PARTIAL && !is_rest(t)) return abort_with(t, START_ANEW, GF_OK, true);
  if (t->download->size && length >= 0 && there + length != t->download->size)
    return abort_with(t, FAILED, fail_size(t, there + length, ""), true);
  gf_status begun = status == STATUS_PARTIAL
                        ? gf__partial_resume(t->partial)
                        : gf__partial_restart(t->partial, *t->etag ? t->etag : t->modified);
  if (begun != GF_OK) return abort_with(t, FAILED, begun, false);
  t->first_size = t->partial->size;
  return true;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *user) {
  transfer *t = user;
  int64_t largest = t->download->size ? t->download->size : LARGEST;
  (void)one;
  t->heard = gf__seconds();
  if (!t->has_body && !begin_body(t)) return 0;
  if (t->partial->size + (int64_t)size > largest) {
    t->partial->unwanted = true;
    return abort_with(t, FAILED, fail_size(t, largest, " or more"), true);
  }
  gf_status status = gf__partial_write(t->partial, bytes, size);
  return status == GF_OK ? size : abort_with(t, FAILED, status, false);
}

static bool wants_stop(const gf_fetch_options *options) {
  return options->events.stop && options->events.stop(options->events.user);
}

static void report_progress(transfer *t) {
  enum { PER_SECOND = 10 };
  const gf__download *d = t->download;
  const gf_fetch_events *e = &d->options->events;
  double now = gf__seconds(), seconds = now - t->started;
  bool is_new = t->reported_size != t->partial->size, is_whole = t->partial->size == d->size;
  bool is_due = now - t->reported >= 1.0 / PER_SECOND || is_whole;
  if (!e->progress || !t->has_body || !is_new || !is_due) return;
  t->reported = now;
  t->reported_size = t->partial->size;
  double rate = seconds > 0 ? (double)(t->partial->size - t->first_size) / seconds : 0;
  double left = rate > 0 && d->size ? (double)(d->size - t->partial->size) / rate : NAN;
  e->progress(e->user, &(gf_fetch_progress){.phase = "download",
                                            .file = d->name,
                                            .done = t->partial->size,
                                            .size = d->size,
                                            .bytes_per_second = rate,
                                            .seconds_left = left});
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  transfer *t = user;
  (void)a, (void)b, (void)c, (void)d;
  report_progress(t);
  /* curl's own limit (CURLOPT_LOW_SPEED_TIME) is of a mean that lags by seconds. */
  t->is_stalled = gf__seconds() - t->heard > t->download->options->stall_seconds;
  return t->is_stalled || wants_stop(t->download->options);
}

/* ---- one attempt ---- */

static gf_status fail_stopped(transfer *t) {
  t->is_server = false;
  if (!t->partial->size || !*t->partial->tag)
    return gf__fail(GF_ERROR_INTERRUPTED, "stopped; nothing of %s is kept", t->download->name);
  return gf__fail(GF_ERROR_INTERRUPTED,
                  "stopped; %s has %lld bytes, from which the same command goes on",
                  t->partial->path, (long long)t->partial->size);
}

/* What came of the transfer, where curl's code and the response's status say it. */
static gf_status judge_transfer(transfer *t, CURLcode code, long status, bool *is_passing) {
  t->is_server = true;
  if (t->is_stalled) return fail_network(t, CURLE_OPERATION_TIMEDOUT, is_passing);
  if (code == CURLE_ABORTED_BY_CALLBACK) return fail_stopped(t);
  if ((code == CURLE_OK || code == CURLE_WRITE_ERROR) && !is_good(t, status))
    return fail_status(t, status, is_passing);
  if (code != CURLE_OK) return fail_network(t, code, is_passing);
  /* A server that announces no length ends a file and a broken connection in the same way. */
  if (t->partial->size < t->download->size) return fail_network(t, CURLE_PARTIAL_FILE, is_passing);
  return GF_OK;
}

static gf_status perform_transfer(transfer *t, CURLcode *code) {
  char range[32], if_range[GF__LONGEST_TAG + 16];
  struct curl_slist *headers = NULL;
  t->resumes = t->partial->size > 0 && *t->partial->tag;
  if (t->resumes) {
    snprintf(range, sizeof range, "%lld-", (long long)t->partial->size);
    snprintf(if_range, sizeof if_range, "If-Range: %s", t->partial->tag);
    headers = curl_slist_append(NULL, if_range);
    if (!headers) return gf__fail_host_memory(sizeof if_range);
  }
  curl_easy_setopt(t->curl, CURLOPT_RANGE, t->resumes ? range : NULL);
  curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
  *code = curl_easy_perform(t->curl);
  if (*code == CURLE_OK && !t->has_body) begin_body(t); /* of a file that is empty */
  curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(headers);
  return gf__partial_close_file(t->partial);
}

static gf_status attempt_transfer(transfer *t, bool *is_passing) {
  CURLcode code;
  long status = 0;
  t->has_body = t->is_stalled = *is_passing = t->is_server = false;
  t->verdict = GO_ON;
  t->started = t->heard = gf__seconds();
  gf_status performed = perform_transfer(t, &code);
  if (t->verdict == FAILED) return t->status;
  GF_TRY(performed);
  curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
  if (t->verdict == START_ANEW || (t->resumes && status == STATUS_NO_SUCH_RANGE)) {
    *t->partial->tag = 0; /* the whole file is asked for */
    return attempt_transfer(t, is_passing);
  }
  return judge_transfer(t, code, status, is_passing);
}

/* ---- all attempts ---- */

static gf_status sleep_for(transfer *t, double seconds) {
  enum { SLICE_MS = 50 };
  for (double end = gf__seconds() + seconds; gf__seconds() < end;) {
    if (wants_stop(t->download->options)) return fail_stopped(t);
    thrd_sleep(&(struct timespec){.tv_nsec = SLICE_MS * 1000000L}, NULL);
  }
  return GF_OK;
}

static gf_status try_often(transfer *t) {
  const gf_fetch_options *o = t->download->options;
  int64_t most = t->partial->size;
  double pause = o->backoff_seconds;
  for (int failures = 0;;) {
    bool is_passing;
    gf_status status = attempt_transfer(t, &is_passing);
    if (status == GF_OK || !is_passing) return status;
    if (t->partial->size >= most + WORTH_ANOTHER) {
      most = t->partial->size;
      failures = 0;
      pause = o->backoff_seconds;
    }
    if (++failures >= o->attempts) return status;
    gf__log(GF_LOG_WARNING, "%s; attempt %d of %d follows", gf_error_message(), failures + 1,
            o->attempts);
    GF_TRY(sleep_for(t, pause));
    pause *= 2;
  }
}

static void set_options(transfer *t) {
  const gf_fetch_options *o = t->download->options;
  CURL *c = t->curl;
  curl_easy_setopt(c, CURLOPT_URL, t->download->url);
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https"); /* of redirects as well */
#else
  curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "gradflow");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, lround(1e3 * o->connect_seconds));
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

static gf_status run_attempts(transfer *t) {
  t->curl = curl_easy_init();
  if (!t->curl) return gf__fail(GF_ERROR_MEMORY, "out of host memory for a connection");
  set_options(t);
  gf_status status = try_often(t);
  curl_easy_cleanup(t->curl);
  return status;
}

gf_status gf__download_run(const gf__download *download, gf__partial_download *partial,
                           bool *is_server) {
  transfer t = {.download = download, .partial = partial};
  *is_server = false;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return gf__fail(GF_ERROR_MEMORY, "libcurl cannot be started");
  gf_status status = run_attempts(&t);
  curl_global_cleanup();
  *is_server = t.is_server;
  if (status != GF_ERROR_FILE || !t.is_server) return status;
  if (partial->size > 0 && *partial->tag)
    return gf__fail(status, "%s; the same command goes on from there, or " OTHER_SERVER,
                    gf_error_message());
  return gf__fail(status, "%s; " OTHER_SERVER, gf_error_message());
}
