/* The include directions of the design, and that the library neither prints nor
 * exits: every source is read and held against the tables below. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */

#include <ctype.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "support/sources.h"
#include "support/test.h"

/* ---- the rules ---- */

/* Which of our files a folder's files may include, as beginnings of their names.
 * A public header counts for the folder that implements it. */
typedef struct direction {
  const char *folder;
  const char *allowed[30];
} direction;

#define BASE "base/", "gradflow/status.h", "gradflow/config.h"
#define DEVICE BASE, "device/", "gradflow/device.h"
#define OPS DEVICE, "ops/"
#define LAYERS OPS, "layers/", "gradflow/layer.h"
#define MODEL LAYERS, "model/", "gradflow/model.h"
#define DISTRIBUTED MODEL, "distributed/", "gradflow/communicator.h", "gradflow/scale.h"
#define RUN                                                                        \
  MODEL, "gradflow/communicator.h", "data/", "gradflow/data.h", "run/", "report/", \
      "gradflow/report.h", "gradflow/train.h"
#define TRAIN \
  RUN, "distributed/", "train/", "gradflow/divergence.h", "gradflow/rate_test.h", "gradflow/scale.h"
#define DIAGNOSIS TRAIN, "diagnosis/", "gradflow/diagnosis.h"

static const direction directions[] = {
    {"host/base/", {BASE}},
    {"host/device/", {DEVICE, "version.h"}}, /* by the build */
    {"host/distributed/", {DISTRIBUTED, "data/dataset.h"}},
    {"host/ops/", {OPS}},
    {"host/layers/", {LAYERS}},
    {"host/model/", {MODEL}},
    {"host/data/", {BASE, "data/", "gradflow/data.h"}},
    {"host/fetch/", {BASE, "fetch/", "gradflow/fetch.h"}},
    {"host/report/", {BASE, "run/run_records.h", "run/signal.h", "report/", "gradflow/report.h"}},
    {"host/run/", {RUN, "train/optimizers.h"}},
    {"host/train/", {TRAIN}},
    {"host/diagnosis/", {DIAGNOSIS}},
    {"host/trial/", {DIAGNOSIS, "trial/", "gradflow/trial.h"}},
    {"host/predict/", {TRAIN, "predict/", "gradflow/predict.h"}},
    {"host/inspect/", {TRAIN, "inspect/", "gradflow/inspect.h"}},
    {"host/convert/",
     {TRAIN, "predict/", "convert/", "gradflow/convert.h", "onnx.pb-c.h"}}, /* by the build */
    {"host/study/", {DIAGNOSIS, "study/", "gradflow/study.h"}},
    {"host/bench/", {TRAIN, "bench/", "gradflow/bench.h"}},
    {"host/verify/reference/", {"reference.h", "ref_"}},
    {"host/verify/", {MODEL, "train/optimizers.h", "verify/", "reference.h", "gradflow/bench.h"}},
    {"host/cli/",
     {"cli/", "base/", "report/table.h", "run/run_folder.h", "run/thresholds.h", "verify/verify.h",
      "verify/layer_cases.h", "gradflow.h", "gradflow/"}},
    {"include/", {"gradflow/"}},
};

/* Where a library's headers may be included. Those of ISO C may be everywhere. */
typedef struct library {
  const char *header; /* the beginning of its name; "" for all others, which are POSIX's */
  const char *places[4];
} library;

static const library libraries[] = {
    {"CL/", {"host/device/"}},
    {"clblast_c.h", {"host/device/blas.c"}},
    {"stb/", {"host/report/", "host/data/image.c"}},
    {"curl/", {"host/fetch/"}},
    {"archive.h", {"host/fetch/"}},
    {"archive_entry.h", {"host/fetch/"}},
    {"md5.h", {"host/fetch/"}},
    {"sha256.h", {"host/"}},
    {"jansson.h", {"host/"}},
    {"libfyaml.h", {"host/base/"}},
    {"zlib.h", {"host/data/", "host/report/png.c"}},
    {"Random123/", {"host/base/random.c"}},
    {"popt.h", {"host/cli/"}},
    {"mpi.h", {"host/distributed/mpi.c", "host/distributed/beats.c", "host/distributed/tickets.c"}},
    {"", {"host/base/os.c"}},
};

static const char *const iso_c[] = {
    "assert.h",   "complex.h",  "ctype.h",  "errno.h",       "fenv.h",    "float.h",
    "inttypes.h", "iso646.h",   "limits.h", "locale.h",      "math.h",    "setjmp.h",
    "signal.h",   "stdalign.h", "stdarg.h", "stdatomic.h",   "stdbool.h", "stddef.h",
    "stdint.h",   "stdio.h",    "stdlib.h", "stdnoreturn.h", "string.h",  "tgmath.h",
    "threads.h",  "time.h",     "uchar.h",  "wchar.h",       "wctype.h"};

/* What the library does not call (host/ without host/cli/). */
static const char *const calls[] = {"printf", "vprintf", "puts",  "putchar",    "perror", "exit",
                                    "abort",  "assert",  "_Exit", "quick_exit", "raise"};
/* What it does not even name. */
static const char *const words[] = {"stdout", "stderr"};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- reading ---- */

typedef struct sight {
  gf__text breaches; /* "PATH:LINE: …\n" each */
  int files[COUNT(directions)];
} sight;

static bool begins(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static bool is_listed(const char *word, size_t length, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strlen(list[i]) == length && memcmp(list[i], word, length) == 0) return true;
  return false;
}

static bool begins_with_one(const char *text, const char *const *list, size_t count) {
  for (size_t i = 0; i < count && list[i]; i++)
    if (begins(text, list[i])) return true;
  return false;
}

static const direction *direction_of(const char *path) {
  for (size_t i = 0; i < COUNT(directions); i++)
    if (begins(path, directions[i].folder)) return &directions[i];
  return NULL;
}

/* Ours in <> are the public headers; all others in <> are of some library. */
static bool may_include(const char *path, const char *header, bool quoted) {
  if (!quoted && !begins(header, "gradflow")) {
    if (is_listed(header, strlen(header), iso_c, COUNT(iso_c))) return true;
    const library *found = libraries;
    while (!begins(header, found->header)) found++;
    return begins_with_one(path, found->places, COUNT(found->places));
  }
  const direction *from = direction_of(path);
  bool is_public = begins(header, "gradflow");
  return from && is_public != quoted && !strstr(header, "..") &&
         begins_with_one(header, from->allowed, COUNT(from->allowed));
}

static void check_include(sight *seen, const char *path, int line, const char *rest) {
  char header[256] = "";
  rest += strspn(rest, " \t");
  char close = *rest == '<' ? '>' : '"';
  const char *end = *rest ? strchr(rest + 1, close) : NULL;
  if ((*rest == '<' || *rest == '"') && end)
    snprintf(header, sizeof header, "%.*s", (int)(end - rest - 1), rest + 1);
  if (!*header)
    gf__text_add(&seen->breaches, "%s:%d: an include without a header's name\n", path, line);
  else if (!may_include(path, header, close == '"'))
    gf__text_add(&seen->breaches, "%s:%d: may not include %s\n", path, line, header);
}

static void check_words(sight *seen, const char *path, int line, const char *text) {
  size_t length;
  for (const char *p = text; (p = source_identifier(p, &length)); p += length) {
    bool is_call = p[length + strspn(p + length, " ")] == '(';
    bool is_member = p > text && (p[-1] == '.' || p[-1] == '>');
    if ((is_call && !is_member && is_listed(p, length, calls, COUNT(calls))) ||
        is_listed(p, length, words, COUNT(words)))
      gf__text_add(&seen->breaches, "%s:%d: the library may not use %.*s\n", path, line,
                   (int)length, p);
  }
}

static void check_text(sight *seen, const char *path, char *text) {
  bool is_library = begins(path, "host/") && !begins(path, "host/cli/");
  int line = 0;
  source_strip(text);
  for (char *p = text, *next; p; p = next) {
    next = strchr(p, '\n');
    if (next) *next++ = 0;
    line++;
    const char *first = p + strspn(p, " \t");
    const char *name = *first == '#' ? first + 1 + strspn(first + 1, " \t") : NULL;
    if (name && begins(name, "include"))
      check_include(seen, path, line, name + strlen("include"));
    else if (is_library)
      check_words(seen, path, line, p);
  }
}

/* ---- walking ---- */

static void check_file(void *user, const char *path, char *text) {
  sight *seen = user;
  size_t length = strlen(path);
  if (strcmp(path + length - 2, ".c") && strcmp(path + length - 2, ".h")) return;
  const direction *from = direction_of(path);
  if (from)
    seen->files[from - directions]++;
  else
    gf__text_add(&seen->breaches, "%s:1: a folder that no rule knows\n", path);
  check_text(seen, path, text);
}

static void look(sight *seen, const char *root) {
  static const char *const trees[] = {"host", "include"};
  for (size_t i = 0; i < COUNT(trees); i++) sources_visit(root, trees[i], check_file, seen);
  assert_int_equal(gf__text_status(&seen->breaches), GF_OK);
}

/* ---- tests ---- */

static void sources_follow_the_rules(void **state) {
  (void)state;
  /* Far below what there is; a walk that misses a folder finds none of its files. */
  static const struct {
    const char *folder;
    int least;
  } expected[] = {{"host/base/", 14},  {"host/device/", 8}, {"host/ops/", 15},
                  {"host/layers/", 8}, {"host/model/", 10}, {"host/data/", 4},
                  {"host/fetch/", 5},  {"host/report/", 8}, {"host/train/", 8},
                  {"host/study/", 8},  {"host/bench/", 8},  {"host/verify/", 8},
                  {"host/cli/", 5},    {"include/", 8},     {"host/verify/reference/", 12}};
  sight seen = {0};
  look(&seen, SOURCE_FOLDER);
  for (size_t i = 0; i < COUNT(expected); i++) {
    int files = seen.files[direction_of(expected[i].folder) - directions];
    if (files < expected[i].least)
      fail_msg("only %d files in %s, where at least %d are", files, expected[i].folder,
               expected[i].least);
  }
  if (seen.breaches.size) fail_msg("\n%s", seen.breaches.data);
  gf__text_free(&seen.breaches);
}

/* A tree with one breach a rule, and much that only looks like one. */
static const struct {
  const char *path, *text;
} planted[] = {
    {"host/base/text.c", "#include \"base/text.h\"\n#include <pthread.h>\n"},
    {"host/base/os.c", "#include <pthread.h>\n#include <sys/stat.h>\n"},
    {"host/device/device.c",
     "#include <CL/cl.h>\n#include \"version.h\"\n"
     "#include <clblast_c.h>\n"},
    {"host/device/blas.c", "#include <clblast_c.h>\n#include \"ops/pool.h\"\n"},
    {"host/ops/pool.c", "#include \"device/device.h\"\n#include <CL/cl.h>\n"},
    {"host/layers/pool.c", "// #include \"train/train.h\"\n# include \"model/graph.h\"\n"},
    {"host/model/plan.c", "\n\n#include <gradflow/train.h>\n"},
    {"host/data/idx.c", "#include <zlib.h>\n#include \"device/device.h\"\n"},
    {"host/report/chart.c", "#include <stb/stb_truetype.h>\n#include \"layers/layer.h\"\n"},
    {"host/train/train.c",
     "#include \"data/dataset.h\"\n#include \"report/runs.h\"\n"
     "#include \"study/study.h\"\n#include <stb/stb_image.h>\n"},
    {"host/cli/main.c",
     "#include <gradflow.h>\n#include \"report/table.h\"\n"
     "#include \"model/model.h\"\nint main(void) { printf(\"\"); exit(0); }\n"},
    {"host/ops/print.c",
     "/* printf(1)\n exit(1) */ int puts_of(int);\n"
     "static const char *a = \"abort() \\\" exit(\"; // puts(a)\n"
     "int b = snprintf(c, format(printf, 2, 3)), d = e.exit(1);\n"
     "int f = g ? puts (\"\") : 0; /* here */\n"
     "fprintf(stderr, \"\");\n"
     "char h = '\"'; abort();\n"},
    {"host/other/new.c", "int x;\n"},
    {"include/gradflow/model.h",
     "#include <stddef.h>\n#include <gradflow/status.h>\n"
     "#include <CL/cl.h>\n#include \"base/error.h\"\n"},
    {"host/verify/reference/ref_add.c",
     "#include \"reference.h\"\n#include <gradflow/status.h>\n"
     "#include \"base/text.h\"\n#include MACRO\n"},
};

/* In the order of planted. */
static const char *const found[] = {
    "host/base/text.c:2: may not include pthread.h\n",
    "host/device/device.c:3: may not include clblast_c.h\n",
    "host/device/blas.c:2: may not include ops/pool.h\n",
    "host/ops/pool.c:2: may not include CL/cl.h\n",
    "host/layers/pool.c:2: may not include model/graph.h\n",
    "host/model/plan.c:3: may not include gradflow/train.h\n",
    "host/data/idx.c:2: may not include device/device.h\n",
    "host/report/chart.c:2: may not include layers/layer.h\n",
    "host/train/train.c:3: may not include study/study.h\n",
    "host/train/train.c:4: may not include stb/stb_image.h\n",
    "host/cli/main.c:3: may not include model/model.h\n",
    "host/ops/print.c:5: the library may not use puts\n",
    "host/ops/print.c:6: the library may not use stderr\n",
    "host/ops/print.c:7: the library may not use abort\n",
    "host/other/new.c:1: a folder that no rule knows\n",
    "include/gradflow/model.h:3: may not include CL/cl.h\n",
    "include/gradflow/model.h:4: may not include base/error.h\n",
    "host/verify/reference/ref_add.c:2: may not include gradflow/status.h\n",
    "host/verify/reference/ref_add.c:3: may not include base/text.h\n",
    "host/verify/reference/ref_add.c:4: an include without a header's name\n",
};

static void breaches_are_found(void **state) {
  (void)state;
  char root[] = "/tmp/gradflow-includes-XXXXXX", path[256];
  assert_non_null(mkdtemp(root));
  for (size_t i = 0; i < COUNT(planted); i++) {
    snprintf(path, sizeof path, "%s/%s", root, planted[i].path);
    *strrchr(path, '/') = 0;
    assert_int_equal(gf__make_folder(path), GF_OK);
    snprintf(path, sizeof path, "%s/%s", root, planted[i].path);
    assert_int_equal(gf__file_write(path, planted[i].text, strlen(planted[i].text)), GF_OK);
  }
  sight seen = {0};
  look(&seen, root);
  size_t size = 0;
  for (size_t i = 0; i < COUNT(found); i++) {
    if (!strstr(seen.breaches.data, found[i])) fail_msg("not found: %s", found[i]);
    size += strlen(found[i]);
  }
  /* Nothing else is in it. */
  if (seen.breaches.size != size) fail_msg("\n%s", seen.breaches.data);
  gf__text_free(&seen.breaches);
  assert_int_equal(gf__remove_folder(root), GF_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sources_follow_the_rules),
      cmocka_unit_test(breaches_are_found),
  };
  return cmocka_run_group_tests_name("includes", tests, NULL, NULL);
}
