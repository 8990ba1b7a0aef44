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

/* By the variables of another MPI's launcher. */
static void the_mpirun_of_another_mpi_is_refused(void **state) {
  (void)state;
  char line[1024], *said;
  size_t size;
  snprintf(line, sizeof line,
           "PMI_SIZE=2 PMI_RANK=0 timeout 60 %s train %s/net.yaml -q --out %s/rival 2>%s/said",
           PROGRAM, fixture_folder, fixture_folder, fixture_folder);
  int status = system(line);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 1);
  assert_ok(gf__file_read(in_folder("said"), &said, &size));
  assert_string_equal(said,
                      "gradflow: the launcher has started 2 processes, of which MPI sees one: they "
                      "would all train the same run. Start them with the mpirun of the MPI that "
                      "gradflow was built with\n");
  assert_false(gf__path_exists(in_folder("rival")));
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
      cmocka_unit_test(the_mpirun_of_another_mpi_is_refused),
  };
  return cmocka_run_group_tests_name("binding", tests, open_network, fixture_close);
}
