/* The program as a child process: exit codes, messages, help, and a small run
 * from training to pictures. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv, posix_openpt */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <gradflow.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "support/test.h"

enum { CLASSES = 100, RECORDS = 200, COLUMNS = 80 };

static char folder_[] = "/tmp/gradflow-cli-XXXXXX";
static char run_[64]; /* the folder of a finished run */

/* ---- child processes ---- */

typedef struct result {
  int code; /* of the exit; 1000 + the signal that ended it */
  char *out, *err;
} result;

static const char *in_folder(const char *name) {
  static char path[4][256];
  static int next;
  next = (next + 1) % 4;
  assert_int_equal(gf__path_join(path[next], sizeof *path, folder_, name), GF_OK);
  return path[next];
}

static char *read_text(const char *path) {
  char *text = NULL;
  size_t size = 0;
  assert_int_equal(gf__file_read(path, &text, &size), GF_OK);
  return text;
}

static int ignored_; /* a signal that a child is started to ignore, as by nohup; or 0 */

/* words: the command line behind the program's name, ended by NULL. */
static pid_t start(const char *const words[], int out, int err) {
  const char *line[24] = {PROGRAM};
  int count = 1;
  while (*words) line[count++] = *words++;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child > 0) return child;
  if (ignored_) signal(ignored_, SIG_IGN);
  if (chdir(folder_) != 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
    _exit(126);
  execv(PROGRAM, (char *const *)(uintptr_t)line);
  _exit(127);
}

static int end_code(pid_t child) {
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int open_new(const char *name) {
  int fd = open(in_folder(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  return fd;
}

/* What the program said, but for the warning that the tests' validation images are few. */
static char *read_stderr(void) {
  static const char few[] = "gradflow: warning: of 10 validation images";
  char *text = read_text(in_folder("stderr"));
  for (size_t line = 0; text[line];) {
    size_t next = line + strcspn(text + line, "\n");
    next += text[next] == '\n';
    if (strncmp(text + line, few, sizeof few - 1) == 0)
      memmove(text + line, text + next, strlen(text + next) + 1);
    else
      line = next;
  }
  return text;
}

static result run_words(const char *const words[]) {
  int out = open_new("stdout"), err = open_new("stderr");
  int code = end_code(start(words, out, err));
  close(out);
  close(err);
  return (result){code, read_text(in_folder("stdout")), read_stderr()};
}

#define RUN(...) run_words((const char *const[]){__VA_ARGS__, NULL})

static void result_free(result *r) {
  free(r->out);
  free(r->err);
}

/* The whole of stderr is one message, and stdout is empty. */
static void assert_fails(result r, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void assert_fails(result r, int code, const char *format, ...) {
  char expected[4096];
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  assert_string_equal(r.err, expected);
  assert_string_equal(r.out, "");
  assert_int_equal(r.code, code);
  result_free(&r);
}

/* Columns of the longest line, one a character. */
static int longest_line(const char *text) {
  int longest = 0, columns = 0;
  for (; *text; text++) {
    columns = *text == '\n' ? 0 : columns + (((unsigned char)*text & 0xc0) != 0x80);
    if (columns > longest) longest = columns;
  }
  return longest;
}

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (; (text = strstr(text, part)); text += strlen(part)) count++;
  return count;
}

static gf_device_info *list_devices(int *count) {
  gf_device_info *devices = NULL;
  int platforms = 0;
  assert_int_equal(gf_devices_list(&devices, count, &platforms), GF_OK);
  return devices;
}

static void need_device(void) {
  int count = 0;
  gf_device_info *devices = list_devices(&count);
  gf_devices_free(&devices);
  if (count == 0) skip();
}

/* ---- fixture ---- */

static void write_text(const char *name, const char *text) {
  assert_int_equal(gf__file_write(in_folder(name), text, strlen(text)), GF_OK);
}

/* CIFAR-100's format: a coarse label, the label, and three planes of pixels. */
static void write_images(const char *name, uint32_t random) {
  enum { RECORD = 2 + 3 * 32 * 32 };
  uint8_t *bytes = malloc((size_t)RECORDS * RECORD);
  assert_non_null(bytes);
  for (size_t i = 0; i < (size_t)RECORDS * RECORD; i++) {
    random = random * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)(random >> 24);
    if (i % RECORD == 1) bytes[i] = (uint8_t)(i / RECORD % CLASSES);
  }
  assert_int_equal(gf__file_write(in_folder(name), bytes, (size_t)RECORDS * RECORD), GF_OK);
  free(bytes);
}

static int make_fixture(void **state) {
  (void)state;
  if (!mkdtemp(folder_)) return -1;
  /* Neither the user's cache nor the user's terminal has a say. */
  if (!getenv("GRADFLOW_CACHE_DIR")) setenv("GRADFLOW_CACHE_DIR", in_folder("cache"), 1);
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  write_images("train.bin", 1);
  write_images("test.bin", 2);
  gf__text names = {0}, yaml = {0};
  for (int i = 0; i < CLASSES; i++) gf__text_add(&names, "name_%d_%.*s\n", i, i % 7, "xxxxxxx");
  write_text("fine_label_names.txt", names.data);
  gf__text_add(&yaml,
               "data:\n  name: cifar100\n  path: %s\nmodel:\n  family: vgg_stages\n"
               "  blocks_per_stage: 0\n  filters: 4\ntrain:\n  epochs: 1\n  batch_size: 20\n",
               folder_);
  write_text("tiny.yaml", yaml.data);
  gf__text_free(&names);
  gf__text_free(&yaml);
  return 0;
}

static int remove_fixture(void **state) {
  (void)state;
  return gf__remove_folder(folder_) == GF_OK ? 0 : -1;
}

/* Trains runs/tiny, once. */
static const char *finished_run(void) {
  need_device();
  if (*run_) return run_;
  result r = RUN("train", "tiny.yaml");
  if (r.code != 0) fail_msg("%s", r.err);
  result_free(&r);
  snprintf(run_, sizeof run_, "%s", in_folder("runs/tiny"));
  return run_;
}

/* ---- help and versions ---- */

static void without_arguments_the_help_is_offered(void **state) {
  (void)state;
  result help = RUN("--help"), none = run_words((const char *const[]){NULL});
  assert_int_equal(none.code, 2);
  assert_string_equal(none.out, "");
  assert_string_equal(none.err, help.out);
  result_free(&help);
  result_free(&none);
}

static void the_general_help_lists_the_commands(void **state) {
  (void)state;
  result a = RUN("--help"), b = RUN("-h"), c = RUN("help");
  assert_int_equal(a.code, 0);
  assert_string_equal(a.err, "");
  assert_memory_equal(a.out, "usage: gradflow COMMAND ", 24);
  assert_in_range(longest_line(a.out), 20, COLUMNS);
  static const char *const commands[] = {"devices", "train", "test",      "plot",
                                         "summary", "help",  "divergence"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    char line[32];
    snprintf(line, sizeof line, "\n  %-10s ", commands[i]);
    assert_int_equal(count_of(a.out, line), 1);
  }
  assert_string_equal(a.out, b.out);
  assert_string_equal(a.out, c.out);
  result_free(&a);
  result_free(&b);
  result_free(&c);
}

static void every_command_has_a_help(void **state) {
  (void)state;
  static const struct {
    const char *command, *options[7];
  } cases[] = {{"devices", {"-j, --json", "-h, --help"}},
               {"train",
                {"-d, --device DEVICE", "-s, --set KEY=VALUE", "-o, --out DIR",
                 "      --overwrite ", "-q, --quiet", "-h, --help"}},
               {"test", {"-d, --device DEVICE", "-j, --json", "-h, --help"}},
               {"plot", {"-o, --out DIR", "-h, --help"}},
               {"study", {"    --shard I/N", "    --jobs N", "-h, --help"}},
               {"diagnose", {"-o, --out DIR", "-j, --json", "-h, --help"}},
               {"predict", {"-h, --help"}},
               {"fetch", {"-h, --help"}},
               {"summary", {"-s, --set KEY=VALUE", "-h, --help"}},
               {"summary", {"-s, --set KEY=VALUE", "-j, --json", "-h, --help"}},
               {"bench",
                {"-d, --device DEVICE", "    --quick ", "    --full ", "-o, --out FILE",
                 "    --fail-below RATIO", "-h, --help"}},
               {"help", {"-h, --help"}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    result a = RUN(cases[i].command, "--help"), b = RUN("help", cases[i].command);
    char usage[64];
    int length = snprintf(usage, sizeof usage, "usage: gradflow %s ", cases[i].command);
    assert_int_equal(a.code, 0);
    assert_int_equal(b.code, 0);
    assert_string_equal(a.err, "");
    assert_string_equal(a.out, b.out);
    assert_memory_equal(a.out, usage, (size_t)length);
    assert_in_range(longest_line(a.out), 20, COLUMNS);
    for (const char *const *option = cases[i].options; *option; option++)
      assert_int_equal(count_of(a.out, *option), 1);
    result_free(&a);
    result_free(&b);
  }
}

static void the_help_of_train_has_the_keys_of_a_config(void **state) {
  (void)state;
  char *keys = NULL;
  assert_int_equal(gf_config_help(&keys), GF_OK);
  result r = RUN("train", "--help");
  assert_non_null(strstr(r.out, keys));
  /* --tune takes what model.tune does. */
  assert_int_equal(count_of(keys, "one of off, known, fast, full"), 1);
  assert_int_equal(count_of(r.out, "one of off, known, fast, full"), 2);
  free(keys);
  result_free(&r);
}

static void the_version_is_printed(void **state) {
  (void)state;
  gf_versions v = gf_versions_get();
  char expected[512];
  snprintf(expected, sizeof expected, "gradflow %s\ncommit %s\nCLBlast %s\nOpenCL loader %s\n",
           v.program, v.commit, v.clblast, v.opencl_loader);
  result r = RUN("--version");
  assert_int_equal(r.code, 0);
  assert_string_equal(r.out, expected);
  assert_string_equal(r.err, "");
  result_free(&r);
}

/* ---- command lines that make no sense ---- */

static void wrong_command_lines_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *words[5], *message;
  } cases[] = {
      {{"trian"}, "unknown command 'trian'; did you mean 'train'? see gradflow --help"},
      {{"xylophone"}, "unknown command 'xylophone'; see gradflow --help"},
      {{""}, "unknown command ''; see gradflow --help"},
      {{"--versoin"}, "unknown option '--versoin'; did you mean '--version'? see gradflow --help"},
      {{"help", "polt"}, "unknown command 'polt'; did you mean 'plot'? see gradflow --help"},
      {{"help", "a", "b"}, "'b' is one argument too many; see gradflow help --help"},
      {{"train"}, "a config is missing; see gradflow train --help"},
      {{"test"}, "a run folder is missing; see gradflow test --help"},
      {{"plot", "--out", "x"}, "a run folder is missing; see gradflow plot --help"},
      {{"train", "a", "b"}, "'b' is one argument too many; see gradflow train --help"},
      {{"devices", "0:0"}, "'0:0' is one argument too many; see gradflow devices --help"},
      {{"train", "--sett", "a=1"},
       "unknown option '--sett'; did you mean '--set'? see gradflow train --help"},
      {{"train", "a", "--epochs=3"},
       "unknown option '--epochs=3'; did you mean '--set train.epochs=3'? see gradflow train "
       "--help"},
      {{"train", "a", "--lr"},
       "unknown option '--lr'; did you mean '--set optimizer.learning_rate=VALUE'? see gradflow "
       "train --help"},
      {{"train", "a", "--tune", "ful"},
       "--tune must be one of off, known, fast, full, not 'ful'; did you mean 'full'?"},
      {{"plot", "--columns"}, "unknown option '--columns'; see gradflow plot --help"},
      {{"train", "-x"}, "unknown option '-x'; see gradflow train --help"},
      {{"train", "a", "--device"}, "--device needs a value; see gradflow train --help"},
      {{"plot", "runs/a", "--out", "x"},
       "--out is where pictures that compare several runs go; those of one run go into its "
       "folder; see gradflow plot --help"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_fails(run_words(cases[i].words), 2, "gradflow: %s\n", cases[i].message);
}

static void output_that_cannot_be_written_is_an_error(void **state) {
  (void)state;
  int full = open("/dev/full", O_WRONLY), err = open_new("stderr");
  if (full < 0) skip();
  assert_int_equal(end_code(start((const char *const[]){"--help", NULL}, full, err)), 1);
  close(full);
  close(err);
  char *message = read_stderr();
  assert_string_equal(message, "gradflow: cannot write to the standard output\n");
  free(message);
}

/* ---- devices ---- */

static void no_platform_is_a_result(void **state) {
  (void)state;
  const char *vendors = getenv("OCL_ICD_VENDORS");
  char *before = vendors ? strdup(vendors) : NULL;
  setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
  result text = RUN("devices"), json = RUN("devices", "--json");
  result train = RUN("train", "tiny.yaml");
  if (before)
    setenv("OCL_ICD_VENDORS", before, 1);
  else
    unsetenv("OCL_ICD_VENDORS");
  free(before);
  assert_int_equal(text.code, 1);
  assert_string_equal(text.err, "");
  assert_string_equal(text.out,
                      "no OpenCL platform: the loader found no driver. Install the driver\n"
                      "of your GPU, or pocl (Debian's pocl-opencl-icd) to run on the CPU.\n");
  result_free(&text);
  assert_int_equal(json.code, 0);
  assert_string_equal(json.err, "");
  json_t *root = json_loads(json.out, JSON_REJECT_DUPLICATES, NULL);
  assert_int_equal(json_integer_value(json_object_get(root, "platforms")), 0);
  assert_true(json_is_array(json_object_get(root, "devices")));
  assert_int_equal(json_array_size(json_object_get(root, "devices")), 0);
  json_decref(root);
  result_free(&json);
  assert_fails(train, 1,
               "gradflow: no OpenCL device: the loader found 0 platforms and no device. Install "
               "the driver of your GPU, or pocl (Debian's pocl-opencl-icd) to run on the CPU\n");
}

static size_t count_words(const char *text) {
  size_t count = 0;
  for (; *(text += strspn(text, " ")); text += strcspn(text, " ")) count++;
  return count;
}

static void devices_are_listed_as_json(void **state) {
  (void)state;
  need_device();
  int count = 0, automatic = 0;
  gf_device_info *devices = list_devices(&count);
  result r = RUN("devices", "--json");
  assert_int_equal(r.code, 0);
  json_t *root = json_loads(r.out, JSON_REJECT_DUPLICATES, NULL);
  json_t *list = json_object_get(root, "devices");
  assert_int_equal(json_array_size(list), count);
  for (int i = 0; i < count; i++) {
    const gf_device_info *d = &devices[i];
    json_t *item = json_array_get(list, (size_t)i);
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", d->platform, d->index);
    assert_string_equal(json_string_value(json_object_get(item, "selector")), selector);
    assert_string_equal(json_string_value(json_object_get(item, "name")), d->name);
    assert_string_equal(json_string_value(json_object_get(item, "type")),
                        gf_device_type_name(d->type));
    assert_true(json_is_integer(json_object_get(item, "memory")));
    assert_true((unsigned long long)json_integer_value(json_object_get(item, "memory")) ==
                d->memory);
    assert_int_equal(json_integer_value(json_object_get(item, "compute_units")), d->compute_units);
    assert_int_equal(json_boolean_value(json_object_get(item, "fp64")), d->fp64);
    assert_int_equal(json_array_size(json_object_get(item, "extensions")),
                     count_words(d->extensions));
    automatic += json_is_true(json_object_get(item, "auto"));
  }
  assert_int_equal(automatic, 1);
  json_decref(root);
  gf_devices_free(&devices);
  result_free(&r);
}

static void devices_are_listed_as_text(void **state) {
  (void)state;
  need_device();
  int count = 0;
  gf_device_info *devices = list_devices(&count);
  result r = RUN("devices");
  assert_int_equal(r.code, 0);
  assert_string_equal(r.err, "");
  assert_int_equal(count_of(r.out, "\n     used by default, and by --device auto\n"), 1);
  assert_int_equal(count_of(r.out, "     work-group     at most "), count);
  for (int i = 0; i < count; i++) {
    char line[512];
    snprintf(line, sizeof line, "%d:%d  %s\n", devices[i].platform, devices[i].index,
             devices[i].name);
    assert_non_null(strstr(r.out, line));
  }
  gf_devices_free(&devices);
  result_free(&r);
}

static void an_unknown_device_is_refused(void **state) {
  (void)state;
  need_device();
  gf__text expected = {0};
  int count = 0;
  gf_device_info *devices = list_devices(&count);
  gf__text_add(&expected, "gradflow: no device matches 'no such thing'; there are:");
  for (int i = 0; i < count; i++)
    gf__text_add(&expected, "\n  %d:%d  %s (%s)", devices[i].platform, devices[i].index,
                 devices[i].name, devices[i].platform_name);
  assert_fails(RUN("train", "tiny.yaml", "--device", "no such thing"), 1, "%s\n", expected.data);
  assert_fails(RUN("test", "runs/tiny", "--device=no such thing"), 1, "%s\n", expected.data);
  gf_devices_free(&devices);
  gf__text_free(&expected);
}

/* ---- train ---- */

static void wrong_configs_are_refused(void **state) {
  (void)state;
  assert_fails(RUN("train", "none.yaml"), 1,
               "gradflow: cannot open none.yaml: No such file or directory\n");
  need_device();
  write_text("typo.yaml", "train:\n  epoch: 3\n");
  result r = RUN("train", "typo.yaml", "--quiet");
  static const char message[] =
      "gradflow: typo.yaml:2:3: unknown key 'epoch' in train; did you mean 'epochs'? known keys: ";
  assert_int_equal(r.code, 2);
  assert_int_equal(strncmp(r.err, message, sizeof message - 1), 0);
  assert_string_equal(r.out, "");
  result_free(&r);
  r = RUN("train", "tiny.yaml", "--quiet", "--set", "data.path=/nonexistent/images");
  static const char missing[] =
      "gradflow: data.path: there is no folder /nonexistent/images; "
      "cifar100 is read from train.bin and test.bin; run gradflow fetch cifar100, or get ";
  assert_int_equal(r.code, 1);
  assert_int_equal(strncmp(r.err, missing, sizeof missing - 1), 0);
  assert_int_equal(gf__path_exists(in_folder("runs/typo")), 0);
  result_free(&r);
}

/* Where text goes on behind the expected beginning. */
static const char *after(const char *text, const char *beginning) {
  size_t length = strlen(beginning);
  if (strncmp(text, beginning, length) != 0) assert_string_equal(text, beginning);
  return text + length;
}

/* The line of an epoch says what its row of metrics.csv has. */
static void assert_epoch_line(const char *err, const char *run) {
  char path[256], expected[256];
  assert_int_equal(gf__path_join(path, sizeof path, run, "metrics.csv"), GF_OK);
  char *csv = read_text(path);
  double rate, train_loss, train_accuracy, loss, accuracy, seconds, speed;
  assert_int_equal(sscanf(csv, "%*[^\n] 1,%lf,%lf,%lf,%lf,%lf", &rate, &train_loss, &train_accuracy,
                          &loss, &accuracy),
                   5);
  free(csv);
  assert_int_equal(gf__path_join(path, sizeof path, run, "timing.csv"), GF_OK);
  csv = read_text(path);
  assert_int_equal(sscanf(csv, "%*[^\n] 1,%lf,%lf", &seconds, &speed), 2);
  free(csv);
  snprintf(expected, sizeof expected,
           "epoch 1/1  lr %.1e  train %.4f %.1f%%  validation %.4f %.1f%%  ", rate, train_loss,
           100 * train_accuracy, loss, 100 * accuracy);
  const char *line = strstr(err, "epoch ");
  assert_non_null(line);
  line = after(line, expected);
  double said_seconds, said_speed;
  int used = 0;
  assert_int_equal(sscanf(line, "%lf s  %lf images/s%n", &said_seconds, &said_speed, &used), 2);
  assert_string_equal(line + used, "\n");
  assert_true(fabs(said_seconds - seconds) <= 0.051);
  assert_true(fabs(said_speed - speed) <= 0.551);
}

static void assert_files(const char *run, const char *const names[]) {
  for (; *names; names++) {
    char path[256];
    assert_int_equal(gf__path_join(path, sizeof path, run, *names), GF_OK);
    if (!gf__path_exists(path)) fail_msg("no %s", path);
  }
}

static void train_makes_a_run_folder(void **state) {
  (void)state;
  need_device();
  result r = RUN("train", "tiny.yaml", "--out", "runs/first/");
  if (r.code != 0) fail_msg("%s", r.err);
  const char *run = in_folder("runs/first");
  static const char *const files[] = {
      "config.yaml", "environment.json",  "metrics.csv",      "gradients.csv", "last.safetensors",
      "loss.png",    "gradient_flow.png", "best.safetensors", "accuracy.png",  NULL};
  assert_files(run, files);
  assert_null(strpbrk(r.err, "\033\r"));
  assert_null(strpbrk(r.out, "\033\r"));
  assert_non_null(strstr(r.err, "\nconfig   tiny.yaml\n"));
  assert_non_null(strstr(r.err, "\nnetwork  family vgg_stages, blocks_per_stage 0, filters 4\n"));
  assert_non_null(strstr(r.err, "\nout      runs/first\n"));
  assert_epoch_line(r.err, run);
  char *verdict = NULL;
  assert_int_equal(gf_diagnose(run, &verdict), GF_OK);
  char line[512];
  snprintf(line, sizeof line, "\ngradients  %s\n", verdict);
  free(verdict);
  assert_non_null(strstr(r.out, line));
  assert_non_null(strstr(r.out, "\nweights    runs/first/best.safetensors\n"));
  assert_non_null(strstr(r.out, "\npictures   runs/first/loss.png\n"));
  assert_non_null(strstr(r.out, "\n           runs/first/gradient_flow.png\n"));
  result_free(&r);
}

/* The plan is printed and nothing is written. */
static void a_dry_run_trains_nothing(void **state) {
  (void)state;
  need_device();
  result r = RUN("train", "tiny.yaml", "--out", "runs/dry", "--dry-run", "--tune", "off");
  assert_int_equal(r.code, 0);
  const char *peak = strstr(r.out, "\n  peak"), *below = strstr(r.out, "MiB  planned\n");
  double planned = -1, allocated = -2;
  assert_non_null(peak);
  assert_non_null(below);
  assert_int_equal(sscanf(peak, " peak %lf", &planned), 1);
  assert_int_equal(sscanf(below, "MiB planned %lf", &allocated), 1);
  assert_true(planned > 0);
  assert_true(fabs(planned - allocated) <= 0.01 * allocated);
  assert_false(gf__path_exists(in_folder("runs/dry")));
  result_free(&r);
}

/* A table of kernels, and a trace whose events are whole. */
static void a_profile_is_written(void **state) {
  (void)state;
  need_device();
  result r = RUN("train", "tiny.yaml", "--out", "runs/profile", "--profile", "--tune", "off");
  if (r.code != 0) fail_msg("%s", r.err);
  assert_non_null(strstr(r.out, "\ntrace      runs/profile/trace.json\n"));
  assert_non_null(strstr(r.out, "kernel"));
  assert_non_null(strstr(r.out, "\nadam "));
  assert_non_null(strstr(r.err, " launches a step\n"));
  json_t *trace = json_load_file(in_folder("runs/profile/trace.json"), 0, NULL);
  const json_t *events = json_object_get(trace, "traceEvents"), *event;
  size_t i;
  assert_true(json_array_size(events) > 20);
  json_array_foreach(events, i, event) {
    assert_true(json_is_string(json_object_get(event, "name")));
    assert_string_equal(json_string_value(json_object_get(event, "ph")), "X");
    assert_true(json_number_value(json_object_get(event, "ts")) >= 0);
    assert_true(json_number_value(json_object_get(event, "dur")) >= 0);
  }
  json_decref(trace);
  result_free(&r);
}

static void an_existing_folder_is_kept(void **state) {
  (void)state;
  finished_run();
  assert_fails(RUN("train", "tiny.yaml", "--quiet"), 1,
               "gradflow: runs/tiny exists; choose another --out, or replace it with "
               "--overwrite\n");
  result r = RUN("train", "tiny.yaml", "--quiet", "--overwrite", "--set", "train.seed=7");
  assert_int_equal(r.code, 0);
  assert_string_equal(r.err, "");
  assert_non_null(strstr(r.out, "weights    runs/tiny/"));
  result_free(&r);
  char path[256];
  assert_int_equal(gf__path_join(path, sizeof path, finished_run(), "config.yaml"), GF_OK);
  char *config = read_text(path);
  assert_non_null(strstr(config, "seed: 7\n"));
  free(config);
  assert_int_equal(gf__make_folder(in_folder("precious")), GF_OK);
  assert_int_equal(gf__file_write(in_folder("precious/memories.txt"), "1997", 4), GF_OK);
  assert_fails(RUN("train", "tiny.yaml", "--quiet", "--overwrite", "--out", "precious"), 1,
               "gradflow: precious is not the folder of a run (it has no config.yaml), so it is "
               "not replaced\n");
}

/* ---- stopping ---- */

static bool is_in_file(const char *name, const char *part) {
  char *text = strcmp(name, "stderr") ? read_text(in_folder(name)) : read_stderr();
  bool found = strstr(text, part) != NULL;
  free(text);
  return found;
}

static void stop_run(int number, int code) {
  enum { TENTHS = 3000 };
  need_device();
  int out = open_new("stdout"), err = open_new("stderr");
  pid_t child = start((const char *const[]){"train", "tiny.yaml", "--set", "train.epochs=100000",
                                            "--out", "runs/stopped", "--overwrite", NULL},
                      out, err);
  bool running = false;
  for (int i = 0; i < TENTHS && !running; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    running = is_in_file("stderr", "images/s\n");
  }
  kill(child, running ? number : SIGKILL);
  assert_int_equal(end_code(child), code);
  close(out);
  close(err);
  /* Between the two an epoch may end. */
  char *said = read_stderr();
  assert_int_equal(count_of(said,
                            "\ngradflow: finishing the step and saving a checkpoint; once "
                            "more leaves at once\n"),
                   1);
  assert_int_equal(count_of(said, "\ngradflow: stopped in epoch "), 1);
  assert_int_equal(count_of(said, "gradflow: "), 2);
  free(said);
  assert_true(gf__path_exists(in_folder("runs/stopped/last.safetensors")));
  char *printed = read_text(in_folder("stdout"));
  assert_string_equal(printed, "");
  free(printed);
  /* It goes on where it was, here to an end that is near. */
  assert_fails(RUN("train", "--resume", "runs/stopped/", "--quiet", "--set", "train.epochs=1"), 2,
               "gradflow: the config is not that of the run in runs/stopped:\n"
               "  train.epochs: 1, was 100000\n"
               "To go on with it all the same, train --resume with --force; else choose another "
               "folder, --out\n");
  result r =
      RUN("train", "--resume", "runs/stopped", "--quiet", "--force", "--set", "train.epochs=1");
  if (r.code != 0) fail_msg("%s", r.err);
  result_free(&r);
  r = RUN("train", "--resume", "runs/stopped");
  assert_int_equal(r.code, 0);
  assert_non_null(strstr(r.err, "note     runs/stopped is finished; nothing is left to do\n"));
  assert_non_null(strstr(r.err, "\nnetwork  family vgg_stages\n")); /* not all that is resolved */
  result_free(&r);
}

/* Starts a run that takes a few seconds, and waits until it has trained an epoch. */
static pid_t start_short_run(const char *folder, int out, int err) {
  enum { TENTHS = 3000 };
  pid_t child = start((const char *const[]){"train", "tiny.yaml", "--set", "train.epochs=30", "-t",
                                            "off", "--out", folder, "--overwrite", NULL},
                      out, err);
  char metrics[64];
  snprintf(metrics, sizeof metrics, "%s/metrics.csv", folder);
  for (int i = 0; i < TENTHS; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    if (gf__path_exists(in_folder(metrics)) && is_in_file(metrics, "\n1,")) break;
  }
  return child;
}

static void assert_finished(const char *folder) {
  result r = RUN("train", "--resume", folder);
  assert_int_equal(r.code, 0);
  assert_non_null(strstr(r.err, "is finished; nothing is left to do\n"));
  result_free(&r);
}

/* nohup ignores the signal for the program, which leaves it so. */
static void an_ignored_signal_stays_ignored(void **state) {
  (void)state;
  need_device();
  int out = open_new("stdout"), err = open_new("stderr");
  ignored_ = SIGHUP;
  pid_t child = start_short_run("runs/nohup", out, err);
  ignored_ = 0;
  kill(child, SIGHUP);
  assert_int_equal(end_code(child), 0);
  close(out);
  close(err);
  assert_false(is_in_file("stderr", "gradflow: "));
  assert_finished("runs/nohup");
}

/* gradflow train … 2>&1 | head -1: nobody reads any more, and the run goes on. Its end is no
 * success, since the results could not be printed. */
static void a_run_outlives_its_reader(void **state) {
  (void)state;
  int ends[2];
  need_device();
  assert_int_equal(pipe(ends), 0);
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  pid_t child = start_short_run("runs/piped", ends[1], ends[1]);
  close(ends[0]);
  close(ends[1]);
  assert_int_equal(end_code(child), 1);
  assert_finished("runs/piped");
}

static void options_of_resumption_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *arguments[8], *message;
  } cases[] = {
      {{"train"}, "a config is missing; see gradflow train --help"},
      {{"train", "--resume", "nowhere"},
       "nowhere is not the folder of a run: it has no config.yaml"},
      {{"train", "--resume", "runs/tiny", "--overwrite"},
       "--resume goes on in its own folder: leave out --out and --overwrite"},
      {{"train", "tiny.yaml", "--force"}, "--force belongs to --resume; see gradflow train --help"},
      {{"train", "tiny.yaml", "--checkpoint-every", "1h"},
       "--checkpoint-every 1h: must be a number of steps, as 500, or of minutes, as 10min"},
      {{"train", "tiny.yaml", "--checkpoint-every", "0"},
       "--checkpoint-every 0: must be a number of steps, as 500, or of minutes, as 10min"},
      {{"train", "tiny.yaml", "--keep-checkpoints", "17"},
       "--keep-checkpoints must be a whole number from 1 to 16, not '17'; for example "
       "--keep-checkpoints 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *const *a = cases[i].arguments;
    result r = RUN(a[0], a[1], a[2], a[3], a[4]);
    char expected[256];
    snprintf(expected, sizeof expected, "gradflow: %s\n", cases[i].message);
    assert_int_equal(r.code, strstr(cases[i].message, "nowhere") ? 1 : 2);
    assert_string_equal(r.err, expected);
    result_free(&r);
  }
}

static void an_interrupt_saves_a_checkpoint(void **state) {
  (void)state;
  stop_run(SIGINT, 130);
}

/* The terminal went away. */
static void hang_up(void **state) {
  (void)state;
  stop_run(SIGHUP, 129);
}

static void a_termination_saves_a_checkpoint(void **state) {
  (void)state;
  stop_run(SIGTERM, 143);
}

/* ---- on a terminal ---- */

/* Skips the test where none is to be had: devpts is not mounted in every container. */
static void need_terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master >= 0) {
    close(master);
    return;
  }
  print_message("skipped: no pseudo-terminal: %s\n", strerror(errno));
  skip();
}

/* What a run writes on a terminal of some columns. The caller frees it. */
static char *run_on_terminal(unsigned short columns) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  int terminal = open(ptsname(master), O_RDWR | O_NOCTTY), out = open_new("stdout");
  struct winsize size = {.ws_row = 24, .ws_col = columns};
  assert_true(terminal >= 0);
  assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
  pid_t child = start((const char *const[]){"train", "tiny.yaml", "--out", "runs/terminal",
                                            "--overwrite", "--set", "train.epochs=2", NULL},
                      out, terminal);
  close(terminal);
  close(out);
  gf__text seen = {0};
  char piece[4096];
  /* EIO is how Linux says that nobody has the other side open any more. */
  for (ssize_t n; (n = read(master, piece, sizeof piece)) > 0;)
    gf__text_add_bytes(&seen, piece, (size_t)n);
  close(master);
  assert_int_equal(end_code(child), 0);
  assert_int_equal(gf__text_status(&seen), GF_OK);
  return seen.data;
}

/* Columns of the widest line that is drawn over, and how many there are. */
static int widest_drawn(const char *seen, int *count) {
  int widest = 0;
  *count = 0;
  while ((seen = strstr(seen, "\r\033[K"))) {
    seen += 4;
    int columns = 0;
    for (; *seen && *seen != '\r' && *seen != '\n'; seen++) {
      if (*seen == '\033')
        seen += strcspn(seen, "mK");
      else
        columns++;
    }
    if (*seen != '\r' || seen[1] == '\n') continue; /* it was cleared for a permanent line */
    if (columns > widest) widest = columns;
    if (columns > 0) ++*count;
  }
  return widest;
}

static void a_terminal_gets_a_progress_bar(void **state) {
  (void)state;
  need_device();
  need_terminal();
  for (unsigned short columns = 20; columns <= 100; columns = (unsigned short)(columns + 40)) {
    int count = 0;
    char *seen = run_on_terminal(columns);
    assert_in_range(widest_drawn(seen, &count), 10, columns);
    assert_true(count >= 4); /* at least the last batch of two phases of two epochs */
    /* A permanent line comes after the bar was cleared. */
    assert_int_equal(count_of(seen, "\r\033[Kepoch 2/2  lr "), 1);
    assert_non_null(strstr(seen, "epoch 2/2 train"));
    assert_int_equal(strstr(seen, " 9/9") != NULL || strstr(seen, " 10/10") != NULL, columns >= 60);
    assert_int_equal(strstr(seen, "[\033[32m=") != NULL, columns >= 60);
    free(seen);
  }
}

static void a_terminal_without_colours_gets_none(void **state) {
  (void)state;
  need_device();
  need_terminal();
  setenv("NO_COLOR", "1", 1);
  char *plain = run_on_terminal(80);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  char *dumb = run_on_terminal(80);
  setenv("TERM", "xterm", 1);
  assert_non_null(strstr(plain, "\r\033[Kepoch 2/2 train"));
  assert_null(strstr(plain, "\033[32m"));
  assert_null(strchr(dumb, '\033'));
  assert_non_null(strstr(dumb, "\nepoch 2/2  lr "));
  free(plain);
  free(dumb);
}

/* ---- test ---- */

static void prints_json(void **state) {
  (void)state;
  result r = RUN("test", finished_run(), "--json");
  assert_int_equal(r.code, 0);
  assert_string_equal(r.err, "");
  json_t *root = json_loads(r.out, JSON_REJECT_DUPLICATES, NULL);
  json_t *classes = json_object_get(root, "classes");
  assert_string_equal(json_string_value(json_object_get(root, "run")), run_);
  assert_int_equal(json_integer_value(json_object_get(root, "images")), RECORDS);
  assert_int_equal(json_array_size(classes), CLASSES);
  double loss = json_number_value(json_object_get(root, "loss")), correct = 0;
  assert_true(loss > 0 && loss < 100);
  for (int i = 0; i < CLASSES; i++) {
    json_t *item = json_array_get(classes, (size_t)i);
    char name[32];
    snprintf(name, sizeof name, "name_%d_%.*s", i, i % 7, "xxxxxxx");
    assert_string_equal(json_string_value(json_object_get(item, "name")), name);
    assert_int_equal(json_integer_value(json_object_get(item, "class")), i);
    assert_int_equal(json_integer_value(json_object_get(item, "images")), RECORDS / CLASSES);
    correct += json_real_value(json_object_get(item, "accuracy")) * RECORDS / CLASSES;
  }
  double accuracy = json_number_value(json_object_get(root, "accuracy"));
  assert_true(fabs(correct - accuracy * RECORDS) <= 1e-6);
  json_decref(root);
  result_free(&r);
}

/* One row of the right or the left half of the table. */
static const char *read_class(const char *at, bool seen[CLASSES], double *accuracy) {
  int label = -1, images = 0, used = 0;
  char name[32];
  assert_int_equal(sscanf(at, "%d %31s %d %lf%%%n", &label, name, &images, accuracy, &used), 4);
  assert_in_range(label, 0, CLASSES - 1);
  assert_false(seen[label]);
  seen[label] = true;
  assert_int_equal(images, RECORDS / CLASSES);
  return at + used;
}

static void prints_text(void **state) {
  (void)state;
  result r = RUN("test", finished_run());
  assert_int_equal(r.code, 0);
  assert_string_equal(r.err, "");
  assert_memory_equal(r.out, "images    200\nloss      ", 24);
  assert_in_range(longest_line(r.out), 60, COLUMNS);
  /* Two halves of 50 rows, one beside the other, each sorted, the left one first. */
  bool seen[CLASSES] = {false};
  double left = 100, right = 100, first_right = -1;
  const char *at = strstr(r.out, "--\n");
  assert_non_null(at);
  at += 3;
  for (int row = 0; row < CLASSES / 2; row++) {
    double accuracy;
    at = read_class(at, seen, &accuracy);
    assert_true(accuracy <= left);
    left = accuracy;
    at = read_class(at, seen, &accuracy);
    assert_true(accuracy <= right);
    right = accuracy;
    if (row == 0) first_right = accuracy;
    assert_int_equal(*at++, '\n');
  }
  assert_string_equal(at, "");
  assert_true(left >= first_right);
  result_free(&r);
}

static void refuses_what_is_no_run(void **state) {
  (void)state;
  need_device();
  assert_fails(RUN("test", "nowhere"), 1,
               "gradflow: cannot open nowhere/config.yaml: No such file or directory\n");
}

/* ---- plot ---- */

/* Each line of the output is a file, and is removed. */
static int remove_listed(char *out) {
  int count = 0;
  for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"), count++)
    if (remove(*line == '/' ? line : in_folder(line)) != 0)
      fail_msg("%s: %s", line, strerror(errno));
  return count;
}

static void plot_draws_a_run(void **state) {
  (void)state;
  finished_run();
  result r = RUN("plot", "runs/tiny");
  assert_int_equal(r.code, 0);
  assert_string_equal(r.err, "");
  assert_int_equal(count_of(r.out, "runs/tiny/loss.png\n"), 1);
  assert_true(remove_listed(r.out) >= 3);
  result_free(&r);
  result again = RUN("train", "tiny.yaml", "--quiet", "--out", "runs/second");
  assert_int_equal(again.code, 0);
  result_free(&again);
  static const struct {
    const char *words[6], *picture;
  } cases[] = {{{"plot", "runs/tiny", "runs/second"}, "\nruns/comparison/loss.png\n"},
               {{"plot", "runs/tiny/", "runs/second"}, "\nruns/comparison/loss.png\n"},
               {{"plot", "runs/tiny/.", "runs/second"}, "\nruns/tiny/./../comparison/loss.png\n"},
               {{"plot", "-o", "both", "runs/tiny", "runs/second"}, "\nboth/loss.png\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    r = run_words(cases[i].words);
    assert_int_equal(r.code, 0);
    assert_int_equal(count_of(r.out, cases[i].picture), 1);
    assert_true(remove_listed(r.out) >= 9);
    result_free(&r);
  }
  assert_fails(RUN("plot", "runs"), 1,
               "gradflow: runs has no metrics.csv: name a folder that a training run has "
               "written\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_arguments_the_help_is_offered),
      cmocka_unit_test(the_general_help_lists_the_commands),
      cmocka_unit_test(every_command_has_a_help),
      cmocka_unit_test(the_help_of_train_has_the_keys_of_a_config),
      cmocka_unit_test(the_version_is_printed),
      cmocka_unit_test(wrong_command_lines_are_refused),
      cmocka_unit_test(output_that_cannot_be_written_is_an_error),
      cmocka_unit_test(no_platform_is_a_result),
      cmocka_unit_test(devices_are_listed_as_json),
      cmocka_unit_test(devices_are_listed_as_text),
      cmocka_unit_test(an_unknown_device_is_refused),
      cmocka_unit_test(wrong_configs_are_refused),
      cmocka_unit_test(train_makes_a_run_folder),
      cmocka_unit_test(a_dry_run_trains_nothing),
      cmocka_unit_test(a_profile_is_written),
      cmocka_unit_test(an_existing_folder_is_kept),
      cmocka_unit_test(an_interrupt_saves_a_checkpoint),
      cmocka_unit_test(a_termination_saves_a_checkpoint),
      cmocka_unit_test(hang_up),
      cmocka_unit_test(an_ignored_signal_stays_ignored),
      cmocka_unit_test(a_run_outlives_its_reader),
      cmocka_unit_test(options_of_resumption_are_checked),
      cmocka_unit_test(a_terminal_gets_a_progress_bar),
      cmocka_unit_test(a_terminal_without_colours_gets_none),
      cmocka_unit_test(prints_json),
      cmocka_unit_test(prints_text),
      cmocka_unit_test(refuses_what_is_no_run),
      cmocka_unit_test(plot_draws_a_run),
  };
  return cmocka_run_group_tests_name("cli", tests, make_fixture, remove_fixture);
}
