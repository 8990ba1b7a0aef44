/* Files of benchmarks: what they say, what is refused, and what a comparison makes of them. No
 * device is needed. */
#include <gradflow/bench.h>
#include <math.h>
#include <stb/stb_image.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "bench/compare.h"
#include "bench/timing.h"
#include "support/device.h"
#include "support/program.h"
#include "support/test.h"

/* ---- files made by hand ---- */

/* Four rows, each bound by another limit of 100 GFLOP/s, 10 GB/s, 1 us a launch and 1 GB/s from
 * the host, and the seconds of each. */
static const double usual[4] = {0.02, 0.004, 1e-5, 0.05};

static void add_row(gf__text *out, const char *name, const char *kind, int batch, double seconds,
                    const char *work) {
  gf__text_add(out,
               "{\"name\": \"%s\", \"kind\": \"%s\", \"algorithm\": \"\", \"batch\": %d, "
               "\"samples\": 5, \"repeats\": 2, \"seconds\": %.17g, \"low_seconds\": %.17g, "
               "\"high_seconds\": %.17g, \"first_seconds\": 0.5, %s}",
               name, kind, batch, seconds, 0.9 * seconds, 1.1 * seconds, work);
}

static void add_device(gf__text *out, int index, const char *name, int batch,
                       const double seconds[4]) {
  gf__text_add(
      out,
      "{\"device\": {\"platform\": 0, \"index\": %d, \"type\": \"gpu\", \"name\": \"%s\", "
      "\"platform_name\": \"P\", \"vendor\": \"V\", \"driver\": \"1.2\", \"version\": \"OpenCL "
      "3.0\", \"c_version\": \"OpenCL C 1.2\", \"compute_units\": 4, \"clock_mhz\": 1500, "
      "\"work_group_size\": 256, \"memory\": 8589934592, \"max_allocation\": 2147483648, "
      "\"local_memory\": 49152}, \"failure\": null,\n \"limits\": {\"flops_per_second\": 1e11, "
      "\"bytes_per_second\": 1e10, \"launch_seconds\": 1e-6, \"round_trip_seconds\": 1e-5, "
      "\"upload_bytes_per_second\": 1e9, \"download_bytes_per_second\": 2e9},\n \"builds\": "
      "{\"compiled\": 3, \"loaded\": 1, \"compile_seconds\": 1.5, \"load_seconds\": 0.25, "
      "\"fresh_seconds\": 0},\n \"rows\": [",
      index, name);
  add_row(out, "conv2d forward 8x8x32", "operation", batch, seconds[0],
          "\"flops\": 1e9, \"bytes\": 1e6, \"upload_bytes\": 0, \"launches\": 3");
  gf__text_add(out, ",\n ");
  add_row(out, "avg_pool forward 8x8x32", "operation", batch, seconds[1],
          "\"flops\": 0, \"bytes\": 2e7, \"upload_bytes\": 0, \"launches\": 1");
  gf__text_add(out, ",\n ");
  add_row(out, "adam step", "operation", 0, seconds[2],
          "\"flops\": 0, \"bytes\": 100, \"upload_bytes\": 0, \"launches\": 4");
  gf__text_add(out, ",\n ");
  add_row(out, "plain7", "step", batch, seconds[3],
          "\"flops\": 1e9, \"bytes\": 1e6, \"upload_bytes\": 4e7, \"launches\": 10");
  gf__text_add(out, "]}");
}

static const char head[] =
    "{\"format\": \"gradflow-bench\", \"version\": 2, \"date\": \"2026-01-31T23:59:59Z\", "
    "\"gradflow\": \"0.1.0\", \"commit\": \"abc\", \"clblast\": \"1.5.3\", \"opencl_loader\": "
    "\"L\", \"form\": \"quick\",\n\"devices\": [";

static void save_text(const char *name, gf__text *text) {
  assert_int_equal(gf__text_status(text), GF_OK);
  assert_ok(gf__file_write(in_folder(name), text->data, text->size));
  gf__text_free(text);
}

/* A file of one device. */
static void write_one(const char *name, const char *device, int batch, const double seconds[4]) {
  gf__text text = {0};
  gf__text_add(&text, "%s", head);
  add_device(&text, 0, device, batch, seconds);
  gf__text_add(&text, "]}\n");
  save_text(name, &text);
}

static gf_bench *load(const char *name) {
  gf_bench *bench = NULL;
  assert_ok(gf_bench_load(&bench, in_folder(name)));
  return bench;
}

/* ---- reading and writing ---- */

static void rows_are_held_against_the_limit_that_binds(void **state) {
  (void)state;
  static const struct {
    gf_bound bound;
    double fraction;
  } expected[4] = {{GF_BOUND_COMPUTE, 0.5},   /* 1e9 flops: 10 of 20 ms */
                   {GF_BOUND_MEMORY, 0.5},    /* 20 MB: 2 of 4 ms */
                   {GF_BOUND_LAUNCH, 0.4},    /* 4 launches: 4 of 10 us */
                   {GF_BOUND_TRANSFER, 0.8}}; /* 40 MB: 40 of 50 ms */
  write_one("a.json", "GPU", 25, usual);
  gf_bench *bench = load("a.json");
  assert_int_equal(bench->device_count, 1);
  assert_int_equal(bench->devices[0].row_count, 4);
  for (int i = 0; i < 4; i++) {
    const gf_bench_row *row = &bench->devices[0].rows[i];
    assert_int_equal(row->bound, expected[i].bound);
    if (!(fabs(row->fraction - expected[i].fraction) <= 1e-12))
      fail_msg("%s: fraction %g instead of %g", row->name, row->fraction, expected[i].fraction);
  }
  gf_bench_free(&bench);
  assert_null(bench);
}

static void a_file_holds_what_was_measured(void **state) {
  (void)state;
  gf_bench_row rows[2] = {{.name = "conv2d forward 1x2x3",
                           .algorithm = "winograd4",
                           .batch = 25,
                           .samples = 9,
                           .repeats = 3,
                           .seconds = 0.1,
                           .low = 0.05,
                           .high = 0.3,
                           .first_seconds = 2,
                           .flops = 1e9,
                           .bytes = 3e7,
                           .launches = 2},
                          {.name = "plain7",
                           .kind = GF_BENCH_STEP,
                           .batch = 25,
                           .samples = 5,
                           .repeats = 1,
                           .seconds = 0.7,
                           .low = 0.6,
                           .high = 0.9,
                           .first_seconds = 8,
                           .flops = 1e10,
                           .bytes = 2e8,
                           .upload_bytes = 3e5,
                           .launches = 80,
                           .rounds = {3, {0.8, 0.6, 0.7}},
                           .host_bytes = 5e8,
                           .device_bytes = 1e8}};
  gf_bench_device devices[2] = {{.card = {.platform = 1,
                                          .index = 2,
                                          .type = GF_DEVICE_GPU,
                                          .name = "Ger\xc3\xa4t \"1\"",
                                          .platform_name = "P",
                                          .vendor = "V \xe9", /* Latin-1, which is no UTF-8 */
                                          .driver = "D",
                                          .version = "OpenCL 3.0",
                                          .c_version = "OpenCL C 3.0",
                                          .compute_units = 7,
                                          .clock_mhz = 1000,
                                          .work_group_size = 1024,
                                          .memory = 1ull << 40,
                                          .max_allocation = 1ull << 38,
                                          .local_memory = 65536},
                                 .limits = {1e12, 1e11, 1e-6, 2e-5, 3e9, 4e9},
                                 .builds = {5, 6, 7.5, 0.25, 9.5},
                                 .row_count = 2,
                                 .rows = rows},
                                {.card = {.name = "broken"}, .failure = "no kernel builds\nlog"}};
  gf_bench bench = {"2026-02-03T04:05:06Z", "0.1.0", "abc",  "1.5.3", "L",
                    GF_BENCH_FULL,          2,       devices};
  assert_ok(gf_bench_save(&bench, in_folder("kept.json")));
  gf_bench *read = load("kept.json");
  assert_string_equal(read->date, bench.date);
  assert_string_equal(read->opencl_loader, "L");
  assert_int_equal(read->form, GF_BENCH_FULL);
  assert_int_equal(read->device_count, 2);
  const gf_bench_device *d = &read->devices[0];
  assert_int_equal(d->card.platform, 1);
  assert_int_equal(d->card.index, 2);
  assert_int_equal(d->card.type, GF_DEVICE_GPU);
  assert_string_equal(d->card.name, devices[0].card.name);
  assert_string_equal(d->card.vendor, "V ?");
  assert_int_equal(d->card.memory, 1ull << 40);
  assert_int_equal(d->card.work_group_size, 1024);
  assert_null(d->failure);
  assert_memory_equal(&d->limits, &devices[0].limits, sizeof d->limits);
  assert_memory_equal(&d->builds, &devices[0].builds, sizeof d->builds);
  assert_int_equal(d->row_count, 2);
  for (int i = 0; i < 2; i++) {
    gf_bench_row row = d->rows[i];
    row.fraction = rows[i].fraction; /* follows from the others, and so does the bound */
    row.bound = rows[i].bound;
    assert_memory_equal(&row, &rows[i], sizeof row);
  }
  assert_string_equal(read->devices[1].failure, "no kernel builds?log");
  assert_int_equal(read->devices[1].row_count, 0);
  gf_bench_free(&read);
}

/* The first text in a good file replaced by the second; the message behind the file's path. */
static const struct {
  const char *from, *to, *message;
} flaws[] = {
    {"\"gradflow-bench\"", "\"other\"",
     " is no file of gradflow bench: its format is not \"gradflow-bench\""},
    {"\"version\": 2,", "\"version\": 3,",
     ": its version is not 1 or 2, those that gradflow 0.1.0 reads; measure again, or compare with "
     "the gradflow that wrote it"},
    {"\"version\": 2,", "\"version\": 0,",
     ": its version is not 1 or 2, those that gradflow 0.1.0 reads; measure again, or compare with "
     "the gradflow that wrote it"},
    {"\"form\": \"quick\"", "\"form\": \"slow\"",
     ": form must be quick or full or layers or train; make the file anew with gradflow bench -o "
     "FILE"},
    {"\"devices\": [", "\"devices\": [], \"old\": [",
     ": devices must be a list of 1 to 64 devices; make the file anew with gradflow bench -o FILE"},
    {"\"type\": \"gpu\"", "\"type\": 1",
     ": devices[0].device.type must be cpu or gpu or other; make the file anew with gradflow bench "
     "-o FILE"},
    {"\"clock_mhz\": 1500", "\"clock_mhz\": -1",
     ": devices[0].device.clock_mhz must be a whole number of at least 0; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"clock_mhz\": 1500", "\"clock_mhz\": 4294967296",
     ": devices[0].device.clock_mhz must be a whole number of at least 0; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"driver\": \"1.2\", ", "",
     ": devices[0].device.driver must be a text of at most 127 bytes; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"driver\": \"1.2\"",
     "\"driver\": "
     "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
     "abcdef0123456789abcdef0123456789abcdef\"",
     ": devices[0].device.driver must be a text of at most 127 bytes; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"limits\": {", "\"limits\": null, \"old\": {",
     ": devices[0].limits must be there where rows are; make the file anew with gradflow bench -o "
     "FILE"},
    {"\"launch_seconds\": 1e-6", "\"launch_seconds\": 0",
     ": devices[0].limits.launch_seconds must be a number from 1e-15 to 1e24; make the file anew "
     "with gradflow bench -o FILE"},
    {"\"failure\": null", "\"failure\": 3",
     ": devices[0].failure must be null or a text; make the file anew with gradflow bench -o FILE"},
    {"\"rows\": [", "\"rows\": {}, \"old\": [",
     ": devices[0].rows must be a list of at most 1024 rows; make the file anew with gradflow "
     "bench "
     "-o FILE"},
    {"\"seconds\": 0.0040000000000000001", "\"seconds\": \"fast\"",
     ": devices[0].rows[1].seconds must be a number from 1e-15 to 1e24; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"bytes\": 2e7", "\"bytes\": 1e-300",
     ": devices[0].rows[1].bytes must be 0 or a number from 1e-15 to 1e24; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"bytes\": 2e7", "\"round_seconds\": [0.1, 0], \"bytes\": 2e7",
     ": devices[0].rows[1].round_seconds must be a list of at most 15 numbers from 1e-15 to 1e24; "
     "make the file anew with gradflow bench -o FILE"},
    {"\"bytes\": 2e7", "\"host_bytes\": -1, \"bytes\": 2e7",
     ": devices[0].rows[1].host_bytes must be 0 or a number from 1e-15 to 1e24; make the file anew "
     "with gradflow bench -o FILE"},
    {"\"avg_pool forward 8x8x32\"", "\"conv2d forward 8x8x32\"",
     ": devices[0].rows[1].name must be a name that no row before it has; make the file anew with "
     "gradflow bench -o FILE"},
    {"\"date\"", "\"form\": \"full\", \"date\"",
     " is no JSON, or has a key twice: line 1, column 177"},
    {"{\"format\"", "\"format\"", " is no JSON, or has a key twice: line 1, column 8"},
};

static void replace_in(const char *name, const char *from, const char *to) {
  char *bytes;
  size_t size;
  gf__text text = {0};
  assert_ok(gf__file_read(in_folder(name), &bytes, &size));
  const char *at = strstr(bytes, from);
  assert_non_null(at);
  gf__text_add(&text, "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from));
  free(bytes);
  save_text(name, &text);
}

static void a_file_that_no_benchmark_writes_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
    char message[1024];
    gf_bench *bench = NULL;
    write_one("bad.json", "GPU", 25, usual);
    replace_in("bad.json", flaws[i].from, flaws[i].to);
    snprintf(message, sizeof message, "%s%s", in_folder("bad.json"), flaws[i].message);
    assert_fails(GF_ERROR_DATA, message, gf_bench_load(&bench, in_folder("bad.json")));
    assert_null(bench);
  }
}

static void files_of_version_1_are_read(void **state) {
  (void)state;
  gf_bench *kept = NULL;
  write_one("a.json", "GPU", 25, usual);
  replace_in("a.json", "\"version\": 2,", "\"version\": 1,");
  gf_bench *bench = load("a.json");
  assert_int_equal(bench->devices[0].row_count, 4);
  gf_bench_free(&bench);
  assert_ok(gf_bench_load(&kept, SOURCE_FOLDER "/bench/reports/pocl_bench.json"));
  assert_int_equal(kept->form, GF_BENCH_FULL);
  gf_bench_free(&kept);
}

static void a_file_that_is_too_large_is_not_read(void **state) {
  (void)state;
  char message[512];
  gf_bench *bench = NULL;
  size_t size = (4 << 20) + 1;
  char *blanks = malloc(size);
  assert_non_null(blanks);
  memset(blanks, ' ', size);
  assert_ok(gf__file_write(in_folder("large.json"), blanks, size));
  free(blanks);
  snprintf(message, sizeof message,
           "%s has more than 4194304 bytes, too many for what it should be; is it the right file?",
           in_folder("large.json"));
  assert_fails(GF_ERROR_DATA, message, gf_bench_load(&bench, in_folder("large.json")));
  snprintf(message, sizeof message, "cannot open %s: No such file or directory",
           in_folder("none.json"));
  assert_fails(GF_ERROR_FILE, message, gf_bench_load(&bench, in_folder("none.json")));
}

static void quantiles_lie_between_the_values(void **state) {
  (void)state;
  static const double values[] = {1, 2, 4, 8};
  static const struct {
    int count;
    double part, expected;
  } cases[] = {{4, 0, 1},   {4, 0.25, 1.75}, {4, 0.5, 3},  {4, 0.75, 5}, {4, 1, 8},
               {3, 0.5, 2}, {2, 0.25, 1.25}, {1, 0.25, 1}, {1, 1, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double found = gf__bench_quantile(values, cases[i].count, cases[i].part);
    if (!(fabs(found - cases[i].expected) <= 1e-12))
      fail_msg("%g of %d values is %g instead of %g", cases[i].part, cases[i].count, found,
               cases[i].expected);
  }
}

/* ---- comparing ---- */

static char *compare(int count, double fail_below, int *failed) {
  static const char *const names[] = {"a.json", "b.json", "c.json"};
  char paths[3][256];
  const char *all[3];
  char *text = NULL;
  for (int i = 0; i < count; i++) {
    snprintf(paths[i], sizeof paths[i], "%s", in_folder(names[i]));
    all[i] = paths[i];
  }
  gf_bench_compare_options to = {.fail_below = fail_below};
  assert_ok(gf_bench_compare(all, count, &to, &text, failed));
  return text;
}

static void assert_has(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("not in the text: %s\n%s", part, text);
}

static void assert_narrow(const char *text) {
  for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    int columns = 0;
    for (size_t i = 0; i < strcspn(line, "\n"); i++)
      columns += ((unsigned char)line[i] & 0xc0) != 0x80;
    if (columns > 80) fail_msg("%d columns: %.*s", columns, (int)strcspn(line, "\n"), line);
  }
}

static void ratios_are_those_of_the_times(void **state) {
  (void)state;
  int failed;
  /* 2, 0.5 and 4 times as fast, whose product is 4; the step 0.8 times. */
  static const double other[4] = {0.01, 0.008, 2.5e-6, 0.0625};
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "GPU", 25, other);
  char *text = compare(2, 0, &failed);
  assert_int_equal(failed, 0);
  assert_narrow(text);
  assert_has(text,
             "operation                 A, ms    B, ms  ratio  bound of A  bound of B\n"
             "-----------------------  ------  -------  -----  ----------  ----------\n"
             "conv2d forward 8x8x32      20.0     10.0   2.00  compute     compute\n"
             "avg_pool forward 8x8x32    4.00     8.00   0.50  memory      memory\n"
             "adam step                0.0100  0.00250   4.00  launch      launch\n");
  assert_has(text,
             "training step     A, ms  B, ms  ratio  bound of A  bound of B\n"
             "----------------  -----  -----  -----  ----------  ----------\n"
             "plain7, batch 25   50.0   62.5   0.80  transfer    transfer\n");
  /* The cube root of 4. */
  assert_has(text,
             "\nGeometric means of B's ratios: 1.59 of 3 operations, 0.80 of 1 training step.\n"
             "\nA ratio above 1 is faster than the first file.\n");
  free(text);
}

/* The quartiles are a tenth below and above the medians. */
static void what_is_noise_is_marked(void **state) {
  (void)state;
  int failed;
  static const double other[4] = {0.021, 0.004 / 1.5, 1e-5, 0.05 / 0.9};
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "GPU", 25, other);
  char *text = compare(2, 0.95, &failed);
  assert_narrow(text);
  assert_has(text, "conv2d forward 8x8x32      20.0    21.0  ~0.95  compute     compute\n");
  assert_has(text, "avg_pool forward 8x8x32    4.00    2.67   1.50  memory      memory\n");
  assert_has(text, "plain7, batch 25   50.0   55.6  ~0.90  transfer    transfer\n");
  assert_has(text,
             "\n~: of 3 of 4 ratios the intervals between the quartiles overlap, so that no\n"
             "difference was measured.\n");
  assert_has(text, "  B  plain7: 0.9, within the noise\n");
  free(text);
}

static void what_is_too_slow_or_missing_fails(void **state) {
  (void)state;
  int failed;
  static const double other[4] = {0.02 / 0.9, 0.005, 1e-5, 0.05};
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "GPU", 25, other);
  replace_in("b.json", "\"adam step\"", "\"sgd step\"");
  char *text = compare(2, 0.89, &failed);
  assert_int_equal(failed, 2);
  assert_has(text,
             "\n2 ratios are below 0.89, or missing:\n"
             "  B  avg_pool forward 8x8x32: 0.8\n"
             "  B  adam step: not measured\n");
  free(text);
  write_one("b.json", "GPU", 25, other);
  text = compare(2, 0.75, &failed);
  assert_int_equal(failed, 0);
  assert_has(text, "\nNo ratio is below 0.75.\n");
  free(text);
}

/* Two devices a file, in another order in the second. */
static void devices_are_matched_by_name(void **state) {
  (void)state;
  int failed;
  static const double fast[4] = {0.01, 0.002, 5e-6, 0.025}, slow[4] = {0.08, 0.016, 4e-5, 0.2};
  gf__text a = {0}, b = {0};
  gf__text_add(&a, "%s", head);
  add_device(&a, 0, "X", 25, usual);
  gf__text_add(&a, ",");
  add_device(&a, 1, "Y", 25, slow);
  gf__text_add(&a, "]}");
  save_text("a.json", &a);
  gf__text_add(&b, "%s", head);
  add_device(&b, 0, "Y", 25, usual);
  gf__text_add(&b, ",");
  add_device(&b, 1, "Z", 25, fast);
  gf__text_add(&b, "]}");
  save_text("b.json", &b);
  /* C is Y, 4 times as fast as the Y of the first file; D is Z, twice as fast as the first of it;
   * Y of the first file is compared with nothing. */
  char *text = compare(2, 0.5, &failed);
  assert_int_equal(failed, 0);
  assert_has(text, "operation                 B, ms   C, ms  ratio  bound of B  bound of C\n");
  assert_has(text,
             "Geometric means of C's ratios: 4.00 of 3 operations, 4.00 of 1 training step.\n");
  assert_has(text, "operation                 A, ms    D, ms  ratio  bound of A  bound of D\n");
  assert_has(text,
             "Geometric means of D's ratios: 2.00 of 3 operations, 2.00 of 1 training step.\n");
  assert_null(strstr(text, "means of B's"));
  free(text);
  /* Alone, its devices are compared with the first of it. */
  text = compare(1, 0.5, &failed);
  assert_int_equal(failed, 4);
  assert_has(text,
             "Geometric means of B's ratios: 0.25 of 3 operations, 0.25 of 1 training step.\n");
  assert_has(text, "\nA ratio above 1 is faster than the first device.\n");
  free(text);
}

/* A device that could not be measured. */
static void a_failure_is_said(void **state) {
  (void)state;
  int failed;
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "GPU", 25, usual);
  replace_in("b.json", "\"failure\": null", "\"failure\": \"gone\", \"x\": 0");
  replace_in("b.json", "\"rows\": [", "\"rows\": [], \"old\": [");
  char *text = compare(2, 0.9, &failed);
  assert_int_equal(failed, 4);
  assert_has(text, "\nB was not measured to the end: gone\n");
  free(text);
  gf_bench_compare_options to = {0};
  char message[512], path[256];
  snprintf(path, sizeof path, "%s", in_folder("b.json"));
  snprintf(message, sizeof message, "%s has no device that was measured: gone", path);
  assert_fails(GF_ERROR_DATA, message,
               gf_bench_compare((const char *const[]){path}, 1, &to, &text, &failed));
  assert_null(text);
}

static void forms_are_not_mixed(void **state) {
  (void)state;
  int failed;
  char a[256], b[256], message[1024], *text = NULL;
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "GPU", 100, usual);
  replace_in("b.json", "\"quick\"", "\"full\"");
  replace_in("b.json", "\"adam step\"", "\"sgd step\"");
  snprintf(a, sizeof a, "%s", in_folder("a.json"));
  snprintf(b, sizeof b, "%s", in_folder("b.json"));
  snprintf(message, sizeof message,
           "%s (quick form) and %s (full form) have no measurement in common; measure both in the "
           "same form",
           a, b);
  gf_bench_compare_options to = {0};
  assert_fails(GF_ERROR_DATA, message,
               gf_bench_compare((const char *const[]){a, b}, 2, &to, &text, &failed));
}

/* ---- pictures and the page ---- */

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (const char *at = text; (at = strstr(at, part)); at++) count++;
  return count;
}

static void assert_drawn(const char *name) {
  int width, height, channels, colours = 0;
  uint8_t *rgb = stbi_load(in_folder(name), &width, &height, &channels, 3);
  if (!rgb) fail_msg("%s: %s", name, stbi_failure_reason());
  assert_true(width == 1200 && height > 150);
  for (int i = 0; i < width * height; i++) /* the vermillion of the second device */
    colours += rgb[3 * i] == 0xd5 && rgb[3 * i + 1] == 0x5e && rgb[3 * i + 2] == 0;
  if (colours < 50) fail_msg("%s has %d pixels of the second device", name, colours);
  stbi_image_free(rgb);
}

static void count_written(void *user, const char *path) {
  int *count = user;
  assert_true(gf__path_exists(path));
  ++*count;
}

static void pictures_and_the_page_are_drawn(void **state) {
  (void)state;
  static const char *const pictures[] = {"out/ratios.png", "out/steps.png", "out/fractions.png",
                                         "out/roofline.png"};
  int failed, written = 0;
  char a[256], b[256], out[256], *text = NULL, *page = NULL;
  static const double other[4] = {0.01, 0.008, 2.5e-6, 0.0625};
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "<x-y>", 25, other);
  snprintf(a, sizeof a, "%s", in_folder("a.json"));
  snprintf(b, sizeof b, "%s", in_folder("b.json"));
  snprintf(out, sizeof out, "%s", in_folder("out"));
  gf_bench_compare_options to = {0.9, out, count_written, &written};
  assert_ok(gf_bench_compare((const char *const[]){a, b}, 2, &to, &text, &failed));
  free(text);
  assert_int_equal(written, 5);
  for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) assert_drawn(pictures[i]);
  assert_ok(gf__file_read(in_folder("out/report.html"), &page, &(size_t){0}));
  assert_int_equal(count_of(page, "<img alt="), 4);
  assert_int_equal(count_of(page, "\" src=\"data:image/png;base64,iVBORw0KGgo"),
                   4); /* PNG's mark */
  assert_int_equal(count_of(page, "href=\"http"), 0);
  assert_int_equal(count_of(page, "<x-y>"), 0);
  assert_has(page, "b.json: &lt;x-y&gt;");
  assert_has(page, "2 ratios are below 0.9, or missing");
  free(page);
}

/* A single device has pictures of its own, but no ratios. */
/* The quartiles of the first row are 5 ms and 26 ms, 105% of its median; 8.58 times what the limit
 * allows is no fraction of it. */
static void a_spread_or_a_limit_beyond_reason_is_no_result(void **state) {
  (void)state;
  int failed;
  static const double fast[4] = {0.02, 0.004, 1e-5, 0.05 * 0.04 / 0.05 / 8.58};
  write_one("a.json", "GPU", 25, fast);
  replace_in("a.json", "\"low_seconds\": 0.018000000000000002", "\"low_seconds\": 0.005");
  replace_in("a.json", "\"high_seconds\": 0.022000000000000002", "\"high_seconds\": 0.026");
  char *text = compare(1, 0, &failed);
  assert_narrow(text);
  assert_has(text, "  105%*  ");
  assert_has(text, "  >100%  transfer\n");
  assert_null(strstr(text, "858"));
  assert_has(text,
             "\nnoisy (*): 1 of 4 lines, with a spread above 25%, are not fit to compare;\n"
             "measure again while nothing else runs\n");
  free(text);
}

static void one_device_is_shown_alone(void **state) {
  (void)state;
  int failed, written = 0;
  char a[256], out[256], *text = NULL;
  write_one("a.json", "GPU", 25, usual);
  snprintf(a, sizeof a, "%s", in_folder("a.json"));
  snprintf(out, sizeof out, "%s", in_folder("alone"));
  gf_bench_compare_options to = {0, out, count_written, &written};
  assert_ok(gf_bench_compare((const char *const[]){a}, 1, &to, &text, &failed));
  assert_int_equal(written, 4);
  assert_false(gf__path_exists(in_folder("alone/ratios.png")));
  assert_narrow(text);
  assert_has(text, "conv2d forward 8x8x32      20.0     20%    50.0 GFLOP/s    50%  compute\n");
  assert_has(text, "avg_pool forward 8x8x32    4.00     20%    5.00 GB/s       50%  memory\n");
  assert_has(text, "plain7, batch 25  50.0     20%       500     20.0    80%  transfer\n");
  free(text);
}

/* ---- the command ---- */

static const struct {
  const char *arguments;
  int code;
  const char *text; /* all of it, or its end behind "…" */
} runs[] = {
    {"bench compare a.json b.json --fail-below 0.9", 1, "…  B  plain7: 0.8\n"},
    {"bench compare a.json b.json --fail-below 0.4", 0, "…\nNo ratio is below 0.4.\n"},
    {"bench compare a.json b.json", 0, "…\nA ratio above 1 is faster than the first file.\n"},
    {"bench compare", 2, "gradflow: bench compare: a file is missing; see gradflow bench --help\n"},
    {"bench compare a.json --fail-below x", 2,
     "gradflow: --fail-below must be a number from 0.001 to 1000, not 'x'; for example "
     "--fail-below 0.9\n"},
    {"bench compare a.json --fail-below -1", 2,
     "gradflow: --fail-below must be a number from 0.001 to 1000, not '-1'; for example "
     "--fail-below 0.9\n"},
    {"bench compare a.json --full", 2,
     "gradflow: --full is not for bench compare; see gradflow bench --help\n"},
    {"bench compare a.json --json", 2,
     "gradflow: --json is not for bench compare; see gradflow bench --help\n"},
    {"bench compare a.json --quick", 2,
     "gradflow: --quick is not for bench compare; see gradflow bench --help\n"},
    {"bench compare a.json -d auto", 2,
     "gradflow: --device is not for bench compare; see gradflow bench --help\n"},
    {"bench compare none.json", 1, "gradflow: cannot open none.json: No such file or directory\n"},
    {"bench compare large.json", 1,
     "gradflow: large.json has more than 4194304 bytes, too many for what it should be; is it the "
     "right file?\n"},
    {"bench a.json", 2,
     "gradflow: bench a.json: must be bench alone, or bench layers, train or compare; see gradflow "
     "bench --help\n"},
    {"bench --quick --full", 2, "gradflow: --quick and --full exclude each other\n"},
    {"bench --fail-below 1", 2,
     "gradflow: --fail-below is not for bench alone; see gradflow bench --help\n"},
    {"bench layers --rounds 2", 2,
     "gradflow: --rounds is not for bench layers; see gradflow bench --help\n"},
    {"bench layers conv2d/99", 2,
     "gradflow: no case is called 'conv2d/99'; there are conv2d, conv_transpose2d, linear, "
     "batch_norm, layer_norm, group_norm, layer_scale, leaky_relu, "
     "relu, tanh, sigmoid, elu, gelu, silu, clamp, hard_sigmoid, hard_swish, avg_pool, max_pool, "
     "adaptive_avg_pool, global_avg_pool, add, multiply, concat, slice, "
     "channel_shuffle, pad_shortcut, flatten, dropout, stochastic_depth, softmax_cross_entropy, "
     "auxiliary_loss, each "
     "with numbers "
     "from 1, as in conv2d/3\n"},
    {"bench layers conv2d/3 --batch 0", 2,
     "gradflow: --batch must be a whole number from 1 to 100000, not '0'\n"},
    {"bench train", 2, "gradflow: bench train: a config is missing; see gradflow bench --help\n"},
    {"bench train none.yaml --rounds 16", 2,
     "gradflow: --rounds must be a whole number from 1 to 15, not '16'\n"},
    {"bench train x/a.yaml --quick", 2,
     "gradflow: --quick is not for bench train; see gradflow bench --help\n"},
    {"bench -o none/x.json", 2,
     "gradflow: --out none/x.json: there is no folder none; create it first\n"},
    {"bench -o .", 2, "gradflow: --out . is a folder; name a file in it\n"},
};

static void exit_codes_and_messages(void **state) {
  (void)state;
  static const double other[4] = {0.01, 0.008, 2.5e-6, 0.0625};
  write_one("a.json", "GPU", 25, usual);
  write_one("b.json", "GPU", 25, other);
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    int code;
    char *text = run_program(runs[i].arguments, &code);
    const char *expected = runs[i].text, *found = text;
    if (!strncmp(expected, "…", strlen("…"))) {
      expected += strlen("…");
      assert_true(strlen(text) >= strlen(expected));
      found += strlen(text) - strlen(expected);
    }
    assert_string_equal(found, expected);
    assert_int_equal(code, runs[i].code);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_held_against_the_limit_that_binds),
      cmocka_unit_test(a_file_holds_what_was_measured),
      cmocka_unit_test(a_file_that_no_benchmark_writes_is_refused),
      cmocka_unit_test(files_of_version_1_are_read),
      cmocka_unit_test(a_file_that_is_too_large_is_not_read),
      cmocka_unit_test(quantiles_lie_between_the_values),
      cmocka_unit_test(ratios_are_those_of_the_times),
      cmocka_unit_test(what_is_noise_is_marked),
      cmocka_unit_test(a_spread_or_a_limit_beyond_reason_is_no_result),
      cmocka_unit_test(what_is_too_slow_or_missing_fails),
      cmocka_unit_test(devices_are_matched_by_name),
      cmocka_unit_test(a_failure_is_said),
      cmocka_unit_test(forms_are_not_mixed),
      cmocka_unit_test(pictures_and_the_page_are_drawn),
      cmocka_unit_test(one_device_is_shown_alone),
      cmocka_unit_test(exit_codes_and_messages),
  };
  return cmocka_run_group_tests(tests, folder_open, folder_close);
}
