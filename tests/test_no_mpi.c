/* A program that was built without MPI, started by a launcher of ranks. */
#define _XOPEN_SOURCE 700 /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <gradflow/communicator.h>

static const char *const names[] = {
    "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",           "PMI_RANK", "PMIX_RANK", "SLURM_NTASKS",
    "MV2_COMM_WORLD_SIZE",  "JSM_NAMESPACE_SIZE", "PALS_SIZE"};

static void assert_opens(const char *const settings[], gf_status expected) {
  gf_communicator *communicator = NULL;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
  for (; *settings; settings += 2) setenv(settings[0], settings[1], 1);
  assert_int_equal(gf_communicator_open(&communicator, 0), expected);
  assert_null(communicator);
  if (expected == GF_OK) return;
  assert_string_equal(gf_error_message(),
                      "this gradflow was built without MPI, and was started as one of several "
                      "ranks; build it with -DGRADFLOW_MPI=ON, or start it without mpirun or srun");
}

#define OPENS(expected, ...) assert_opens((const char *const[]){__VA_ARGS__ NULL}, expected)

static void several_ranks_are_refused(void **state) {
  (void)state;
  OPENS(GF_ERROR_RANK, "OMPI_COMM_WORLD_SIZE", "2", );
  OPENS(GF_ERROR_RANK, "PMI_SIZE", "16", );
  OPENS(GF_ERROR_RANK, "MV2_COMM_WORLD_SIZE", "2", );
  OPENS(GF_ERROR_RANK, "JSM_NAMESPACE_SIZE", "2", );
  OPENS(GF_ERROR_RANK, "PALS_SIZE", "2", );
  OPENS(GF_ERROR_RANK, "SLURM_NTASKS", "4", "PMI_RANK", "0", );
  OPENS(GF_ERROR_RANK, "SLURM_NTASKS", "4", "PMIX_RANK", "3", );
}

static void one_process_is_one(void **state) {
  (void)state;
  OPENS(GF_OK, );
  OPENS(GF_OK, "OMPI_COMM_WORLD_SIZE", "1", );
  OPENS(GF_OK, "PMI_SIZE", "1", "PMI_RANK", "0", );
  OPENS(GF_OK, "SLURM_NTASKS", "4", ); /* of a batch script */
  OPENS(GF_OK, "SLURM_NTASKS", "1", "PMIX_RANK", "0", );
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(several_ranks_are_refused),
      cmocka_unit_test(one_process_is_one),
  };
  return cmocka_run_group_tests_name("no_mpi", tests, NULL, NULL);
}
