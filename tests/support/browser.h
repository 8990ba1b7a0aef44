/* A page opened in headless Chromium: what it becomes, what its console says, and whether it asks
 * a network for anything. */
#ifndef SUPPORT_BROWSER_H
#define SUPPORT_BROWSER_H

#include <stdbool.h>

#include "base/text.h"

/* The path of the browser, or NULL. */
const char *browser_find(void);

typedef struct browser_visit {
  gf__text dom;
  char *log;
  bool asked; /* for something beyond the page */
} browser_visit;

void browser_visit_free(browser_visit *seen);

/* Hosts that Chromium asks for the time, for updates and for accounts, whatever the page. */
extern const char *const browser_own_hosts[2];

/* Opens the page in the browser, whose every request to a network goes to a socket of ours, and
 * waits until the condition, in JavaScript, holds; the window then gets an event "ready". A page on
 * which it never holds is given some seconds. The files go into the folder. */
browser_visit browser_open(const char *browser, const char *folder, const char *html,
                           const char *condition);

#endif
