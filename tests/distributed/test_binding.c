/* Ranks that their launcher has bound to cores say so. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <sys/wait.h>

#include "base/os.h"
#include "support/runs.h"
#include "support/test.h"

/* MPIRUN has --bind-to none, which a later one would not replace. Returns what a rank has said;
 * free it. */
static char *train_bound(const char *launcher, const char *out) {
  char line[2048], *said;
  size_t size;
  snprintf(line, sizeof line,
           "timeout 200 %s %s train %s/net.yaml --device cpu -q --out %s/%s >/dev/null 2>%s/said",
           launcher, PROGRAM, fixture_folder, fixture_folder, out, fixture_folder);
  int status = system(line);
  assert_ok(gf__file_read(in_folder("said"), &said, &size));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s", said);
  return said;
}

static void need_cores(void) {
  if (gf__machine_cpu_count() > 1 && gf__cpu_count() == gf__machine_cpu_count()) return;
  print_message("skipped: there is one core, or this process is bound itself\n");
  skip();
}

static void a_bound_rank_says_so(void **state) {
  (void)state;
  char expected[256];
  need_cores();
  char *said = train_bound("mpirun --allow-run-as-root --bind-to core -n 1", "bound");
  snprintf(
      expected, sizeof expected,
      "warning: this rank's CPU device has 1 of the machine's %d cores, as the launcher has "
      "bound the ranks to cores; mpirun --bind-to none, or srun --cpu-bind=none, binds them to "
      "none\n",
      gf__machine_cpu_count());
  if (!strstr(said, expected)) fail_msg("%s", said);
  free(said);
}

static void an_unbound_one_has_nothing_to_say(void **state) {
  (void)state;
  need_cores();
  char *said = train_bound(MPIRUN " -n 1", "unbound");
  assert_null(strstr(said, "cores"));
  free(said);
}

static int open_network(void **state) {
  char yaml[512];
  if (open_all(state) != 0) return -1;
  snprintf(yaml, sizeof yaml,
           "data: {name: cifar100, path: %s}\ntrain: {epochs: 1, batch_size: 50}\n"
           "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4, tune: 'off'}\n",
           fixture_folder);
  return gf__file_write(in_folder("net.yaml"), yaml, strlen(yaml)) == GF_OK ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bound_rank_says_so),
      cmocka_unit_test(an_unbound_one_has_nothing_to_say),
  };
  return cmocka_run_group_tests_name("binding", tests, open_network, fixture_close);
}
