#define _XOPEN_SOURCE 700

#include "support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/test.h"

static const char *server_find(const char *text, const char *header) {
  const char *found = strstr(text, header);
  return found ? found + strlen(header) : NULL;
}

static bool server_read(int fd, request *out) {
  char text[4096];
  size_t used = 0;
  *out = (request){0};
  do {
    ssize_t got = recv(fd, text + used, sizeof text - 1 - used, 0);
    if (got <= 0) return false;
    used += (size_t)got;
    text[used] = 0;
  } while (!strstr(text, "\r\n\r\n"));
  const char *range = server_find(text, "\r\nRange: bytes=");
  const char *if_range = server_find(text, "\r\nIf-Range: ");
  sscanf(text, "GET %127s", out->path);
  out->has_range = range != NULL;
  if (range) out->range = strtoul(range, NULL, 10);
  if (if_range) sscanf(if_range, "%127[^\r]", out->if_range);
  return true;
}

static void server_send(int fd, const void *bytes, size_t size) {
  for (size_t sent = 0; sent < size;) {
    ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
    if (n <= 0) return; /* the client has left */
    sent += (size_t)n;
  }
}

static bool server_serves_range(const reply *r, const request *q) {
  if (!q->has_range || q->range >= r->size) return false;
  bool is_same = (r->etag && !strcmp(q->if_range, r->etag)) ||
                 (r->modified && !strcmp(q->if_range, r->modified));
  return r->is_careless || (r->has_ranges && is_same);
}

static void server_answer(int fd, const reply *r, const request *q) {
  char head[1024];
  bool is_part = !r->status && server_serves_range(r, q);
  size_t first = is_part ? q->range + r->shift : 0;
  int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nConnection: close\r\n",
                   r->status ? r->status
                   : is_part ? 206
                             : 200);
  if (r->etag) n += snprintf(head + n, sizeof head - (size_t)n, "ETag: %s\r\n", r->etag);
  if (r->modified)
    n += snprintf(head + n, sizeof head - (size_t)n, "Last-Modified: %s\r\n", r->modified);
  if (r->location)
    n += snprintf(head + n, sizeof head - (size_t)n, "Location: %s\r\n", r->location);
  if (is_part)
    n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %zu-%zu/%zu\r\n", first,
                  r->size - 1, r->size);
  if (!r->is_open)
    n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n",
                  r->has_length ? r->length : r->size - first);
  n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
  server_send(fd, head, (size_t)n);
  size_t end = r->sent ? r->sent : r->size;
  if (end > first) server_send(fd, (const char *)r->body + first, end - first);
  char byte;
  if (r->stalls) recv(fd, &byte, 1, 0); /* returns when the client leaves */
}

static void *server_run(void *self) {
  server *s = self;
  for (;;) {
    int fd = accept(s->listener, NULL, NULL);
    if (fd < 0) return NULL; /* stopped */
    request q;
    if (server_read(fd, &q)) {
      int i = s->request_count < s->reply_count ? s->request_count : s->reply_count - 1;
      if (s->request_count < MOST_REQUESTS) s->requests[s->request_count] = q;
      s->request_count++;
      server_answer(fd, &s->replies[i], &q);
    }
    close(fd);
  }
}

void server_start(server *s, const reply *replies, int count) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  *s = (server){.replies = replies, .reply_count = count};
  s->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(s->listener >= 0);
  assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(s->listener, 16), 0);
  assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
  s->port = ntohs(address.sin_port);
  snprintf(s->address, sizeof s->address, "http://127.0.0.1:%d", s->port);
  assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

void server_stop(server *s) {
  shutdown(s->listener, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  close(s->listener);
}
