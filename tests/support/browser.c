#define _XOPEN_SOURCE 700

#include "support/browser.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "support/test.h"

const char *browser_find(void) {
  static char path[1024];
  FILE *found = popen(
      "command -v chromium || command -v chromium-browser || "
      "command -v google-chrome",
      "r");
  assert_non_null(found);
  const char *line = fgets(path, sizeof path, found);
  pclose(found);
  if (line) path[strcspn(path, "\n")] = 0;
  return line;
}

/* A socket on localhost that listens and does not block. */
static int browser_listen(int *port) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(listen(listener, 8), 0);
  assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
  *port = ntohs(address.sin_port);
  return listener;
}

void browser_visit_free(browser_visit *seen) {
  gf__text_free(&seen->dom);
  free(seen->log);
}

const char *const browser_own_hosts[] = {".google.com", ".googleapis.com"};

/* Takes a request, if there is one, and hangs up; true if the browser makes it for the page. */
static bool browser_take_request(int listener) {
  char line[256] = "";
  int request = accept(listener, NULL, NULL);
  if (request < 0) return false;
  struct pollfd source = {request, POLLIN, 0};
  ssize_t got = poll(&source, 1, 2000) > 0 ? read(request, line, sizeof line - 1) : 0;
  close(request);
  for (size_t i = 0; i < sizeof browser_own_hosts / sizeof *browser_own_hosts; i++)
    if (strstr(line, browser_own_hosts[i])) return false;
  return got > 0;
}

/* Reads what the browser writes, and takes what it asks of the socket. */
static void browser_watch(browser_visit *seen, FILE *browser, int listener) {
  struct pollfd sources[] = {{fileno(browser), POLLIN, 0}, {listener, POLLIN, 0}};
  for (ssize_t got = 1; got > 0;) {
    char bytes[4096];
    assert_true(poll(sources, 2, -1) > 0);
    seen->asked |= browser_take_request(listener);
    if (!sources[0].revents) continue;
    got = read(sources[0].fd, bytes, sizeof bytes);
    if (got > 0) gf__text_add_bytes(&seen->dom, bytes, (size_t)got);
  }
}

browser_visit browser_open(const char *browser, const char *folder, const char *html,
                           const char *condition) {
  char page[128], command[4096], log[128];
  int port, listener = browser_listen(&port);
  browser_visit seen = {0};
  gf__text text = {0};
  snprintf(page, sizeof page, "%s/page.html", folder);
  snprintf(log, sizeof log, "%s/log", folder);
  /* Virtual time leaps over what is idle, such as a slow machine's next frame, but not over the
   * ticks of a clock: a tick takes some 4 virtual ms, of which there are enough for seconds. */
  gf__text_add(&text,
               "%s<script>{const wait = () => { if (%s) dispatchEvent(new Event('ready'));\n"
               "else setTimeout(wait, 4); }; addEventListener('load', wait); }</script>",
               html, condition);
  assert_int_equal(gf__text_status(&text), GF_OK);
  assert_int_equal(gf__file_write(page, text.data, text.size), GF_OK);
  gf__text_free(&text);
  snprintf(command, sizeof command,
           "timeout 100 '%s' --headless --no-sandbox --disable-gpu --no-first-run "
           "--user-data-dir='%s/profile' --disable-background-networking "
           "--disable-component-update --disable-sync --disable-extensions "
           "--disable-default-apps --disable-domain-reliability --no-pings "
           "--disable-features=OptimizationHints,MediaRouter,Translate "
           "--proxy-server=127.0.0.1:%d --enable-logging=stderr --v=0 --window-size=1200,12000 "
           "--virtual-time-budget=600000 --dump-dom 'file://%s' 2>'%s'",
           browser, folder, port, page, log);
  FILE *running = popen(command, "r");
  assert_non_null(running);
  browser_watch(&seen, running, listener);
  int result = pclose(running);
  close(listener);
  assert_int_equal(gf__file_read(log, &seen.log, &(size_t){0}), GF_OK);
  if (result != 0) fail_msg("the browser ended with status %d\n%s", result, seen.log);
  assert_int_equal(gf__text_status(&seen.dom), GF_OK);
  assert_true(seen.dom.size > 0);
  return seen;
}
