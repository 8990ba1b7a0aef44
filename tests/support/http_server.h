/* A server on localhost that answers as it is told, one request after the other. */
#ifndef SUPPORT_HTTP_SERVER_H
#define SUPPORT_HTTP_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reply {
  int status;       /* 0: 200, or 206 to a range */
  const void *body; /* the whole file */
  size_t size;
  size_t sent;     /* the connection is cut behind so many bytes of it; 0: not */
  bool stalls;     /* and is held open instead, without another byte */
  bool has_length; /* length is announced, whatever is sent */
  size_t length;
  bool is_open;         /* no length is announced: the end of the connection ends the file */
  bool has_ranges;      /* a Range is served if its If-Range is that of the file */
  bool is_careless;     /* a Range is served whatever its If-Range is */
  size_t shift;         /* by which a range is served wrongly */
  const char *etag;     /* with its quotes, or NULL */
  const char *modified; /* Last-Modified, or NULL */
  const char *location; /* of a redirect */
} reply;

typedef struct request {
  char path[128], if_range[128];
  bool has_range;
  size_t range; /* its first byte */
} request;

enum { MOST_REQUESTS = 16 };

typedef struct server {
  int listener, port;
  pthread_t thread;
  const reply *replies; /* one a request; the last one again and again */
  int reply_count;
  request requests[MOST_REQUESTS]; /* to look at when the server has been stopped */
  int request_count;
  char address[64]; /* "http://127.0.0.1:PORT" */
} server;

void server_start(server *s, const reply *replies, int count);
void server_stop(server *s);

#endif
