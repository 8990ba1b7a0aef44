/* No identifier of the kernels is a keyword of a dialect of OpenCL C: a compiler that has it as a
 * keyword refuses every program that contains the identifier. */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "support/test.h"

/* Keywords that the kernels do not use: those that they use are no identifiers in them. */
static const struct {
  const char *dialect;
  const char *words[64];
} dialects[] = {
    {"OpenCL C 1.2, without the underscores that the kernels write",
     {"kernel", "global", "local", "constant", "private", "read_only", "write_only", "read_write"}},
    {"OpenCL C 1.2, reserved", {"half", "quad", "complex", "imaginary", "uniform"}},
    {"C11",
     {"auto", "register", "extern", "volatile", "goto", "signed", "_Alignas", "_Alignof", "_Atomic",
      "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn", "_Static_assert",
      "_Thread_local"}},
    {"OpenCL C 2.0 and 3.0",
     {"generic", "pipe", "__generic", "__pipe", "reserve_id_t", "queue_t", "clk_event_t",
      "ndrange_t"}},
    {"C++ for OpenCL",
     {"alignas",     "alignof",       "and",       "and_eq",           "asm",       "bitand",
      "bitor",       "catch",         "char8_t",   "char16_t",         "char32_t",  "class",
      "compl",       "concept",       "consteval", "constexpr",        "constinit", "const_cast",
      "co_await",    "co_return",     "co_yield",  "decltype",         "delete",    "dynamic_cast",
      "explicit",    "export",        "friend",    "mutable",          "namespace", "new",
      "noexcept",    "not",           "not_eq",    "nullptr",          "operator",  "or",
      "or_eq",       "protected",     "public",    "reinterpret_cast", "requires",  "static_assert",
      "static_cast", "template",      "this",      "thread_local",     "throw",     "try",
      "typeid",      "typename",      "using",     "virtual",          "wchar_t",   "xor",
      "xor_eq",      "addrspace_cast"}},
    {"GNU C, which clang's OpenCL mode can enable", {"typeof", "__typeof__", "__thread"}},
    {"Intel's for FPGAs and its emulator: cl_intel_channels", {"channel", "__channel"}},
    {"AMD's static C++ kernel language and its media operations",
     {"amd_pack", "amd_unpack0", "amd_sad", "amd_bfe", "amd_bfm", "amd_median3"}},
    {"Qualcomm's", {"qcom_sub_group_shuffle", "qcom_reqd_sub_group_size", "bit_extract"}},
    {"Arm's", {"arm_dot", "arm_dot_acc", "arm_printf", "arm_matrix_multiply"}},
    {"NVIDIA's, whose compiler also reads CUDA C",
     {"__device__", "__host__", "__shared__", "__global__", "__constant__"}},
};

enum { DIALECTS = sizeof dialects / sizeof *dialects, LONGEST_WORD = 64 };

/* The dialect whose keyword the word is, or NULL. */
static const char *dialect_of(const char *word) {
  for (size_t d = 0; d < DIALECTS; d++)
    for (int i = 0; dialects[d].words[i]; i++)
      if (!strcmp(dialects[d].words[i], word)) return dialects[d].dialect;
  return NULL;
}

static bool is_letter(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* The end of what a compiler does not read as identifiers at text: a comment or a string; or text
 * itself. */
static const char *skip_unread(const char *text) {
  const char *end = text;
  if (!strncmp(text, "/*", 2)) {
    end = strstr(text + 2, "*/");
    assert_non_null(end);
    return end + 2;
  }
  if (!strncmp(text, "//", 2)) return text + strcspn(text, "\n");
  if (*text != '"') return text;
  end = strchr(text + 1, '"');
  assert_non_null(end);
  return end + 1;
}

/* Appends "NAME: WORD (DIALECT)\n" for each keyword in the text. */
static void find_keywords(const char *name, const char *text, gf__text *out) {
  while (*text) {
    const char *end = skip_unread(text);
    if (end == text && is_letter(*text)) {
      char word[LONGEST_WORD];
      while (is_letter(*end)) end++;
      snprintf(word, sizeof word, "%.*s", (int)(end - text), text);
      const char *dialect = dialect_of(word);
      if (dialect) gf__text_add(out, "%s: %s (%s)\n", name, word, dialect);
    }
    text = end == text ? text + 1 : end;
  }
}

static void kernels_use_no_keyword(void **state) {
  (void)state;
  gf__text found = {0};
  int files = 0;
  DIR *folder = opendir(SOURCE_FOLDER "/cl");
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder));) {
    char path[4096], *text;
    size_t size;
    if (!strstr(entry->d_name, ".cl")) continue;
    snprintf(path, sizeof path, SOURCE_FOLDER "/cl/%s", entry->d_name);
    assert_int_equal(gf__file_read(path, &text, &size), GF_OK);
    find_keywords(entry->d_name, text, &found);
    free(text);
    files++;
  }
  closedir(folder);
  assert_true(files >= 27);
  assert_int_equal(gf__text_status(&found), GF_OK);
  if (found.size) fail_msg("%s", found.data);
  gf__text_free(&found);
}

/* The rule finds a parameter and a macro, and reads neither comments nor strings nor words that
 * only begin like a keyword. */
static void a_keyword_is_found(void **state) {
  (void)state;
  gf__text found = {0};
  find_keywords("planted.cl",
                "/* a channel */ // a pipe\n#include \"new.clh\"\n"
                "#define generic 1\nvoid f(int channel, int channels, int new_channel) {}",
                &found);
  assert_string_equal(found.data,
                      "planted.cl: generic (OpenCL C 2.0 and 3.0)\n"
                      "planted.cl: channel (Intel's for FPGAs and its emulator: "
                      "cl_intel_channels)\n");
  gf__text_free(&found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kernels_use_no_keyword),
      cmocka_unit_test(a_keyword_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
