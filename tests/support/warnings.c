#include "support/warnings.h"

#include <stdio.h>
#include <string.h>

#include <gradflow/status.h>

char kept_warnings[8192];
static const char *except_;

static void keep_warning(void *user, gf_log_level level, const char *message) {
  (void)user;
  size_t used = strlen(kept_warnings);
  if (level != GF_LOG_WARNING || (except_ && strstr(message, except_))) return;
  snprintf(kept_warnings + used, sizeof kept_warnings - used, "%s\n", message);
}

void keep_warnings(const char *except) {
  kept_warnings[0] = 0;
  except_ = except;
  gf_log_to(keep_warning, NULL);
}
