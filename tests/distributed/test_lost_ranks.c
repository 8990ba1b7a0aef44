/* Ranks that are killed, stopped or late: the job ends, names them, and goes on where it was. */
#define _XOPEN_SOURCE 700 /* mkdtemp, kill, setenv */

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "distributed/communicator.h"
#include "support/runs.h"
#include "support/test.h"

static const char net_[] =
    "model:\n"
    "  graph:\n"
    "    - {name: a, type: conv2d, filters: 6, kernel: 3, padding: 1, stride: 2, bias: false}\n"
    "    - {name: n, type: batch_norm}\n"
    "    - {type: relu}\n"
    "    - {type: global_avg_pool}\n"
    "    - {type: dropout, p: 0.2}\n"
    "    - {type: linear, outputs: 100}\n"
    "train: {epochs: 150, batch_size: 50, seed: 7, gradients_every: 3}\n";

/* ---- a job ---- */

typedef struct job {
  pid_t mpirun;
  double begun;
} job;

/* mpirun -n 2 PROGRAM more…, its output in the file "said". */
static job start(const char *program, const char *more) {
  char line[2048];
  job j = {.begun = gf__seconds()};
  snprintf(line, sizeof line, "exec %s -n 2 %s %s", MPIRUN, program, more);
  fflush(NULL);
  j.mpirun = fork();
  assert_true(j.mpirun >= 0);
  if (j.mpirun > 0) return j;
  int file = open(in_folder("said"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, 1);
  dup2(file, 2);
  execl("/bin/sh", "sh", "-c", line, (char *)NULL);
  _exit(127);
}

/* The exit code of a job that ends within so many seconds; one that does not is killed. */
static int wait_for(const job *j, double seconds) {
  int status;
  double until = gf__seconds() + seconds;
  while (waitpid(j->mpirun, &status, WNOHANG) == 0) {
    if (gf__seconds() > until) {
      kill(j->mpirun, SIGKILL);
      waitpid(j->mpirun, &status, 0);
      fail_msg("the job did not end within %g s", seconds);
    }
    gf__sleep(0.02);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static bool file_has(const char *path, const char *word, size_t length) {
  char text[65536];
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  for (size_t i = 0; i + length <= size; i++)
    if (memcmp(text + i, word, length) == 0) return true;
  return false;
}

/* The process of a rank below mpirun, or 0 while it is not there. */
static pid_t find_rank(const job *j, int rank) {
  char parent[32], name[40];
  pid_t found = 0;
  snprintf(parent, sizeof parent, "\nPPid:\t%d\n", (int)j->mpirun);
  snprintf(name, sizeof name, "OMPI_COMM_WORLD_RANK=%d", rank);
  DIR *folder = opendir("/proc");
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    char path[64];
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    snprintf(path, sizeof path, "/proc/%.20s/status", entry->d_name);
    if (!file_has(path, parent, strlen(parent))) continue;
    snprintf(path, sizeof path, "/proc/%.20s/environ", entry->d_name);
    if (file_has(path, name, strlen(name) + 1)) found = (pid_t)atoi(entry->d_name);
  }
  if (folder) closedir(folder);
  return found;
}

static bool has_ended(const job *j) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)j->mpirun, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid != 0;
}

/* Sends the signal to a rank as soon as path is there and so many seconds are over; 0 if the
 * job ends before. */
static pid_t hit(const job *j, int rank, int number, const char *path, double seconds) {
  pid_t process = 0;
  double limit = gf__seconds() + 60;
  while (gf__seconds() < limit && !has_ended(j)) {
    process = find_rank(j, rank);
    if (process && gf__seconds() - j->begun >= seconds && (!path || gf__path_exists(path))) break;
    gf__sleep(0.005);
  }
  if (process > 0) kill(process, number);
  return process;
}

static char *said(void) {
  char *text = NULL;
  size_t size;
  assert_ok(gf__file_read(in_folder("said"), &text, &size));
  return text;
}

static void assert_said(const char *format, ...) {
  char expected[1024], *text = said();
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  if (!strstr(text, expected)) fail_msg("not '%s':\n%s", expected, text);
  free(text);
}

static const char *command(const char *out, const char *more) {
  static char line[1024];
  snprintf(line, sizeof line, "train %s/net.yaml --out %s/%s -t off -q %s", fixture_folder,
           fixture_folder, out, more);
  return line;
}

static const char *resumption(const char *out) {
  static char line[1024];
  snprintf(line, sizeof line, "train --resume %s/%s -c 3 -t off -q", fixture_folder, out);
  return line;
}

/* ---- the tests ---- */

static int open_lost(void **state) {
  if (open_all(state) != 0) return -1;
  char yaml[2048];
  snprintf(yaml, sizeof yaml, "data: {name: cifar100, path: %s, mixup: 0.3}\n%s", fixture_folder,
           net_);
  return gf__file_write(in_folder("net.yaml"), yaml, strlen(yaml)) == GF_OK ? 0 : -1;
}

/* GRADFLOW_SOAK=1: 20 times. */
static void a_killed_rank_costs_nothing_that_was_saved(void **state) {
  (void)state;
  bool soaks = getenv("GRADFLOW_SOAK") != NULL;
  int kills = soaks ? 20 : 3, ended = 0;
  const char *longer = soaks ? "--set train.epochs=900" : "";
  char config[256], begun[64];
  snprintf(begun, sizeof begun, "-c 3 %s", longer);
  snprintf(config, sizeof config, "%s", in_folder("killed/config.yaml"));
  job whole = start(PROGRAM, command("whole", longer));
  assert_int_equal(wait_for(&whole, 300), 0);
  srand((unsigned)time(NULL));
  for (int i = 0; i < kills; i++) {
    bool begins = !gf__path_exists(config);
    job j = start(PROGRAM, begins ? command("killed", begun) : resumption("killed"));
    int rank = rand() % 2;
    hit(&j, rank, SIGKILL, i == 0 ? config : NULL, 0.2 + 2.5 * rand() / RAND_MAX);
    double killed = gf__seconds();
    int code = wait_for(&j, 10);
    print_message("rank %d killed after %.2f s; the job ended %.2f s later with code %d\n", rank,
                  killed - j.begun, gf__seconds() - killed, code);
    if (code == 0) {
      ended++; /* it was at its end by then */
      continue;
    }
    assert_said("process rank %d ", rank);
  }
  assert_true(ended < kills);
  job last = start(PROGRAM, resumption("killed"));
  assert_int_equal(wait_for(&last, 300), 0);
  assert_true(is_same("killed", "whole", "metrics.csv"));
  assert_true(is_same("killed", "whole", "gradients.csv"));
  assert_true(is_same("killed", "whole", "activations.csv"));
  assert_true(is_same("killed", "whole", "last.safetensors"));
  assert_true(is_same("killed", "whole", "best.safetensors"));
}

/* Whichever rank is asked to end, all of them save where they are together. */
static void a_stop_is_agreed_upon(void **state) {
  (void)state;
  char metrics[256];
  snprintf(metrics, sizeof metrics, "%s", in_folder("asked/metrics.csv"));
  job j = start(PROGRAM, command("asked", "--set train.epochs=5000"));
  assert_true(hit(&j, 1, SIGTERM, metrics, 0) > 0);
  int code = wait_for(&j, 20);
  assert_in_range(code, 130, 143);
  assert_said("gradflow: stopped in epoch ");
  assert_said("; continue with: gradflow train --resume %s\n", in_folder("asked"));
  char line[512];
  snprintf(line, sizeof line, "train --resume %s -t off -q --force --set train.epochs=1",
           in_folder("asked"));
  job again = start(PROGRAM, line);
  assert_int_equal(wait_for(&again, 60), 0);
}

/* A stopped process keeps its connections, as a machine that is cut off does. */
static void stop_rank(int rank) {
  char more[64], host[128];
  const char *out = rank ? "stopped_one" : "stopped_zero";
  char metrics[300];
  snprintf(metrics, sizeof metrics, "%s/%s/metrics.csv", fixture_folder, out);
  snprintf(more, sizeof more, "--rank-timeout 2 --set train.epochs=5000");
  job j = start(PROGRAM, command(out, more));
  pid_t process = hit(&j, rank, SIGSTOP, metrics, 0);
  double stopped = gf__seconds();
  assert_true(process > 0);
  int code = wait_for(&j, 20);
  print_message("rank %d stopped; the job ended %.2f s later\n", rank, gf__seconds() - stopped);
  assert_int_equal(code, 1);
  gf__host_name(host, sizeof host);
  assert_said(
      "gradflow: rank %d of 2 (process %d on %s) has not been heard of for 2 seconds: it was "
      "killed or stopped, or its machine or the network is down. The job ends; go on from the "
      "last checkpoint with --resume",
      rank, (int)process, host);
}

static void a_stopped_rank_is_named(void **state) {
  (void)state;
  stop_rank(1);
  stop_rank(0);
}

static void a_late_rank_is_named(void **state) {
  (void)state;
  char self[512];
  ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(size > 0);
  self[size] = 0;
  job j = start(self, "late");
  assert_int_equal(wait_for(&j, 40), 3);
  assert_said("rank 1 of 2 (process ");
  assert_said(
      ") lives, but has not come to where the others have waited for it for 10 seconds; its "
      "device may hang. The job ends; go on from the last checkpoint with --resume");
}

/* What rank 1 of the last test is: it stays away. */
static int be_late(void) {
  gf_communicator *communicator;
  double one = 1;
  if (gf_communicator_open(&communicator, 1) != GF_OK) return 1;
  if (gf__communicator_rank(communicator) == 1) {
    for (int i = 0; i < 60; i++) gf__sleep(0.9);
  } else if (gf__communicator_sum(communicator, &one, 1) == GF_ERROR_RANK) {
    fprintf(stderr, "%s\n", gf_error_message());
    gf_communicator_abort(communicator, 3);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "late")) return be_late();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_killed_rank_costs_nothing_that_was_saved),
      cmocka_unit_test(a_stop_is_agreed_upon),
      cmocka_unit_test(a_stopped_rank_is_named),
      cmocka_unit_test(a_late_rank_is_named),
  };
  return cmocka_run_group_tests(tests, open_lost, fixture_close);
}
