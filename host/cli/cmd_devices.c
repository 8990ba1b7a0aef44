/* gradflow devices */
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"

typedef struct devices_options {
  bool json;
} devices_options;

static const gf__option option_rows[] = {GF__OPTION_JSON(devices_options), GF__OPTIONS_END};

/* Those that decide which kernels a device can run, without their "cl_khr_". */
static const char *const notable[] = {"fp64", "fp16", "subgroups", "int64_base_atomics"};
#define PREFIX "cl_khr_"

/* The next word of a list separated by spaces, and its length; NULL at the end. */
static const char *next_word(const char *text, size_t *length) {
  text += strspn(text, " ");
  *length = strcspn(text, " ");
  return *length ? text : NULL;
}

static bool has_extension(const char *extensions, const char *name) {
  size_t prefix = strlen(PREFIX), wanted = prefix + strlen(name), length;
  for (const char *word = extensions; (word = next_word(word, &length)); word += length)
    if (length == wanted && !strncmp(word, PREFIX, prefix) &&
        !strncmp(word + prefix, name, wanted - prefix))
      return true;
  return false;
}

/* ---- for people ---- */

/* A line that ends at the 80th column; driver texts can be longer. */
static void print_field(const char *label, const char *text) {
  enum { ROOM = 60 };
  int length = (int)strlen(text);
  bool whole = length <= ROOM;
  if (!whole) length = ROOM - 1;
  /* No character is cut in two. */
  while (!whole && length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) length--;
  printf("     %-14s %.*s%s\n", label, length, text, whole ? "" : "…");
}

static void print_extensions(const char *extensions) {
  bool any = false;
  printf("     extensions     ");
  for (size_t i = 0; i < sizeof notable / sizeof *notable; i++) {
    if (!has_extension(extensions, notable[i])) continue;
    printf("%s%s", any ? ", " : "", notable[i]);
    any = true;
  }
  puts(any ? "  (of " PREFIX "*; all: --json)" : "none of note  (all: --json)");
}

/* Opens the device, as only that shows whether it can be used. */
static void print_usability(const gf_device_info *d) {
  char selector[32];
  gf_device *device = NULL;
  snprintf(selector, sizeof selector, "%d:%d", d->platform, d->index);
  if (gf_device_open(&device, selector) != GF_OK)
    printf("     cannot be used: %s\n", gf_error_message());
  gf_device_free(&device);
}

static void print_device(const gf_device_info *d, bool is_auto) {
  printf("%d:%d  %s\n", d->platform, d->index, d->name);
  if (is_auto) puts("     used by default, and by --device auto");
  print_field("platform", d->platform_name);
  print_field("driver", d->driver);
  print_field("version", d->version);
  print_field("type", gf_device_type_name(d->type));
  if (d->clock_mhz)
    printf("     compute units  %d at %d MHz\n", d->compute_units, d->clock_mhz);
  else
    printf("     compute units  %d; the driver does not know their clock\n", d->compute_units);
  printf("     memory         %s, at most %s in one allocation\n", gf__bytes_text(d->memory).text,
         gf__bytes_text(d->max_allocation).text);
  printf("     local memory   %s, %s\n", gf__bytes_text(d->local_memory).text,
         d->local_memory_is_dedicated ? "its own" : "a part of global memory");
  printf("     work-group     at most %zu work-items\n", d->work_group_size);
  print_extensions(d->extensions);
  print_usability(d);
}

static int print_none(int platforms) {
  if (platforms == 0)
    printf("no OpenCL platform: the loader found no driver. ");
  else
    printf("no OpenCL device: the loader found %d platform%s and no device. ", platforms,
           platforms == 1 ? "" : "s");
  puts("Install the driver\nof your GPU, or pocl (Debian's pocl-opencl-icd) to run on the CPU.");
  return 1;
}

/* ---- for programs ---- */

static json_t *list_words(const char *text) {
  json_t *list = json_array();
  size_t length;
  for (const char *word = text; list && (word = next_word(word, &length)); word += length)
    if (json_array_append_new(list, gf__json_text(word, length)) != 0) {
      json_decref(list);
      list = NULL;
    }
  return list;
}

#define TEXT(member) gf__json_text(d->member, strlen(d->member))
#define COUNT(member) (json_int_t) d->member

static json_t *pack_device(const gf_device_info *d, bool is_auto) {
  char selector[32];
  snprintf(selector, sizeof selector, "%d:%d", d->platform, d->index);
  return json_pack(
      "{s:s, s:b, s:i, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:I, s:I, s:I, s:I,"
      " s:I, s:I, s:b, s:b, s:b, s:o}",
      "selector", selector, "auto", is_auto, "platform", d->platform, "index", d->index, "type",
      gf_device_type_name(d->type), "name", TEXT(name), "platform_name", TEXT(platform_name),
      "vendor", TEXT(vendor), "driver", TEXT(driver), "version", TEXT(version), "c_version",
      TEXT(c_version), "compute_units", d->compute_units, "clock_mhz", d->clock_mhz,
      "vector_width_float", d->vector_width_float, "work_group_size", COUNT(work_group_size),
      "memory", COUNT(memory), "max_allocation", COUNT(max_allocation), "local_memory",
      COUNT(local_memory), "cache", COUNT(cache), "base_alignment", COUNT(base_alignment),
      "local_memory_is_dedicated", d->local_memory_is_dedicated, "fp64", d->fp64, "fp16", d->fp16,
      "extensions", list_words(d->extensions));
}

static bool is_auto(const gf_device_info *d, const gf_device_info *automatic) {
  return d->platform == automatic->platform && d->index == automatic->index;
}

static gf_status print_json(const gf_device_info *devices, int count, int platforms,
                            const gf_device_info *automatic) {
  json_t *list = json_array();
  for (int i = 0; list && i < count; i++)
    if (json_array_append_new(list, pack_device(&devices[i], is_auto(&devices[i], automatic))) !=
        0) {
      json_decref(list);
      list = NULL;
    }
  return gf__cli_print_json(list ? json_pack("{s:i, s:o}", "platforms", platforms, "devices", list)
                                 : NULL);
}

/* The library chooses when it opens; a device that cannot be opened is shown nonetheless. */
static gf_device_info find_automatic(void) {
  gf_device *device = NULL;
  gf_log_to(NULL, NULL); /* the list says what is wrong with a device */
  gf_status status = gf_device_open(&device, NULL);
  gf_log_to(gf__cli_log, NULL);
  if (status != GF_OK) {
    gf__cli_log(NULL, GF_LOG_WARNING, gf_error_message());
    return (gf_device_info){.platform = -1};
  }
  gf_device_info info = *gf_device_describe(device);
  gf_device_free(&device);
  return info;
}

static int run_devices(const gf__cli *cli) {
  const devices_options *o = cli->options;
  gf_device_info *devices = NULL, automatic = {.platform = -1};
  int count = 0, platforms = 0, code = 0;
  gf_status status = gf_devices_list(&devices, &count, &platforms);
  if (status == GF_OK && count > 0) automatic = find_automatic();
  if (status == GF_OK && o->json)
    status = print_json(devices, count, platforms, &automatic);
  else if (status == GF_OK && count == 0)
    code = print_none(platforms);
  for (int i = 0; status == GF_OK && !o->json && i < count; i++) {
    if (i > 0) puts("");
    print_device(&devices[i], is_auto(&devices[i], &automatic));
  }
  if (status == GF_OK && !o->json && count > 1)
    puts(
        "\nIndices change when drivers come and go; a script better names a device by a part of\n"
        "its name or of its platform's, as in --device pthread.");
  gf_devices_free(&devices);
  return status == GF_OK ? code : gf__cli_fail(status);
}

const gf__command gf__cmd_devices = {
    .name = "devices",
    .arguments = "[--json]",
    .help = "list the OpenCL devices, and which one is used by default",
    .text =
        "Lists all devices of all OpenCL platforms, with the index that --device of the\n"
        "other commands takes. Without a device it says so and exits with 1; with --json\n"
        "the list is empty and the exit code 0.\n",
    .examples =
        "  gradflow devices\n"
        "  gradflow devices --json | jq -r '.devices[].name'\n",
    .options = option_rows,
    .options_size = sizeof(devices_options),
    .run = run_devices,
};
