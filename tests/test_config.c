/* Configs: YAML into a tree, overrides, tables of keys, and back to text. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/os.h"
#include "support/test.h"

typedef struct settings {
  int epochs, any_int, optimizer;
  uint64_t seed;
  double rate, decay, any_float;
  bool flip;
  char *name;
  gf__floats betas;
  int kernel[2];
  const gf__value *graph;
} settings;

static const char *const optimizers[] = {"sgd", "momentum", "adam", NULL};

#define ROW(name, type, initial, minimum, maximum, choices, help) \
  { #name, GF__KEY_##type, offsetof(settings, name), initial, minimum, maximum, choices, help }

static const gf__key keys[] = {
    ROW(epochs, INT, "100", 1, 100000, NULL, "passes over the training images"),
    ROW(any_int, INT, "-1", 0, 0, NULL, "without a limit"),
    ROW(optimizer, CHOICE, "adam", 0, 0, optimizers, "how the gradient moves the parameters"),
    ROW(seed, SEED, "0", 0, 0, NULL, "of the parameters and the order of images"),
    ROW(rate, FLOAT, "1e-3", 1e-12, 10, NULL, "learning rate"),
    ROW(decay, FLOAT, "0", 0, INFINITY, NULL, "added to the gradient, times the parameter"),
    ROW(any_float, FLOAT, "-2.5", 0, 0, NULL, "without a limit"),
    ROW(flip, BOOL, "true", 0, 0, NULL, "mirror half of the training images"),
    ROW(name, TEXT, "", 0, 0, NULL, "of the run"),
    ROW(betas, FLOATS, "[0.9, 0.999]", 0, 1, NULL, "decay of the moments"),
    ROW(kernel, PAIR, "3", 1, 1024, NULL, "height and width"),
    ROW(graph, SECTION, "", 0, 0, NULL, "the layers"),
};
enum { KEYS = sizeof keys / sizeof *keys };

static gf_config *parse(const char *yaml) {
  gf_config *config;
  if (gf_config_parse(&config, "x.yaml", yaml) != GF_OK) fail_msg("%s", gf_error_message());
  return config;
}

static const gf__value *section(const gf_config *config) {
  return gf__value_get(gf__config_root(config), "train");
}

/* Reads the section "train" of a config. */
static gf_status read_settings(const gf_config *config, settings *out) {
  return gf__keys_read(section(config), "train", keys, KEYS, out);
}

/* ---- sides ---- */

static const gf__key padding_[] = {
    {"padding", GF__KEY_SIDES, 0, "0", 0, 9, NULL, "zeros around the image"}};

static void sides_are_read_and_written(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int sides[4];
    const char *written;
  } rows[] = {{"{}", {0, 0, 0, 0}, "[0, 0]"},
              {"padding: 3", {3, 3, 3, 3}, "[3, 3]"},
              {"padding: [1, 2]", {1, 1, 2, 2}, "[1, 2]"},
              {"padding: [0, 1, 0, 1]", {0, 1, 0, 1}, "[0, 1, 0, 1]"},
              {"padding: [1, 1, 2, 2]", {1, 1, 2, 2}, "[1, 2]"},
              {"padding: same", {-1, -1, -1, -1}, "same"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int sides[4];
    char line[64];
    gf__text text = {0};
    gf_config *config = parse(rows[i].text);
    assert_int_equal(gf__keys_read(gf__config_root(config), "", padding_, 1, sides), GF_OK);
    assert_memory_equal(sides, rows[i].sides, sizeof sides);
    gf__keys_write(&text, 0, padding_, 1, sides);
    snprintf(line, sizeof line, "padding: %s\n", rows[i].written);
    assert_string_equal(text.data, line);
    gf__text_free(&text);
    gf_config_free(&config);
  }
}

static void wrong_sides_are_explained(void **state) {
  (void)state;
  static const char *const rows[][2] = {{"padding: valid", "'valid'"},
                                        {"padding: -1", "'-1'"},
                                        {"padding: [1, 2, 3]", "a list"},
                                        {"padding: [1, 2, 3, 10]", "'10'"},
                                        {"padding: [same, 1]", "'same'"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int sides[4];
    char message[256];
    gf_config *config = parse(rows[i][0]);
    assert_int_equal(gf__keys_read(gf__config_root(config), "", padding_, 1, sides),
                     GF_ERROR_CONFIG);
    snprintf(message, sizeof message,
             "padding must be 'same', a whole number, or a list of two or four from 0 to 9, not %s",
             rows[i][1]);
    if (!strstr(gf_error_message(), message)) fail_msg("%s", gf_error_message());
    gf_config_free(&config);
  }
}

/* ---- the tree ---- */

static void assert_scalar(const gf__value *value, const char *text, bool quoted,
                          const char *place) {
  assert_non_null(value);
  assert_int_equal(value->kind, GF__SCALAR);
  assert_string_equal(value->text, text);
  assert_int_equal(value->quoted, quoted);
  assert_string_equal(value->place, place);
}

static void a_config_becomes_a_tree(void **state) {
  (void)state;
  gf_config *config = parse(
      "# a comment\n"
      "name: 'a b'\n"
      "train:\n"
      "  epochs: 3   # few\n"
      "  list: [1, \"2\", {k: v}]\n"
      "  none: ~\n"
      "  empty:\n"
      "  quoted: \"\"\n"
      "  lines: |\n"
      "    a\n"
      "    b\n"
      "\xc3\xa9t\xc3\xa9: \"\\u00e9\"\r\n");
  const gf__value *root = gf__config_root(config);
  assert_int_equal(root->kind, GF__MAPPING);
  assert_int_equal(root->count, 3);
  assert_null(root->key);
  assert_scalar(gf__value_get(root, "name"), "a b", true, "x.yaml:2:1");
  const gf__value *train = gf__value_get(root, "train");
  assert_string_equal(train->key, "train");
  assert_string_equal(train->place, "x.yaml:3:1");
  assert_null(train->text);
  assert_scalar(gf__value_get(train, "epochs"), "3", false, "x.yaml:4:3");
  const gf__value *list = gf__value_get(train, "list");
  assert_int_equal(list->kind, GF__SEQUENCE);
  assert_int_equal(list->count, 3);
  assert_scalar(list->items[0], "1", false, "x.yaml:5:10");
  assert_scalar(list->items[1], "2", true, "x.yaml:5:14");
  assert_scalar(gf__value_get(list->items[2], "k"), "v", false, "x.yaml:5:19");
  assert_scalar(gf__value_get(train, "none"), "", false, "x.yaml:6:3");
  assert_scalar(gf__value_get(train, "empty"), "", false, "x.yaml:7:3");
  assert_scalar(gf__value_get(train, "quoted"), "", true, "x.yaml:8:3");
  assert_scalar(gf__value_get(train, "lines"), "a\nb\n", true, "x.yaml:9:3");
  assert_scalar(gf__value_get(root, "\xc3\xa9t\xc3\xa9"), "\xc3\xa9", true, "x.yaml:12:1");
  assert_null(gf__value_get(root, "trai"));
  assert_null(gf__value_get(root, "trainn"));
  assert_null(gf__value_get(NULL, "train"));
  assert_null(gf__value_get(list, "k"));
  gf_config_free(&config);
  assert_null(config);
  gf_config_free(&config);
}

static void empty_configs_are_read(void **state) {
  (void)state;
  static const char *const texts[] = {"",   "\n\n", "# nothing\n",     "---\n",
                                      "{}", "~",    "--- null\n...\n", "\xef\xbb\xbf"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    gf_config *config = parse(texts[i]);
    assert_int_equal(gf__config_root(config)->kind, GF__MAPPING);
    assert_int_equal(gf__config_root(config)->count, 0);
    assert_null(gf__config_root(config)->text);
    gf_config_free(&config);
  }
}

/* libfyaml 0.7.12 measures such a block shorter than it is. */
static void a_block_may_be_indented_like_its_key(void **state) {
  (void)state;
  gf_config *config = parse("a:\n  b: |\n  c:\n    - d: 1\n      e: 1.0e-2\nf: 1\n");
  const gf__value *b = gf__value_get(gf__value_get(gf__config_root(config), "a"), "b");
  assert_scalar(b, "c:\n  - d: 1\n    e: 1.0e-2\n", true, "x.yaml:2:3");
  gf_config_free(&config);
}

static void aliases_repeat_their_anchors(void **state) {
  (void)state;
  gf_config *config = parse(
      "a: &x {p: 1, q: ['2', ~]}\n"
      "b: *x\n"
      "c: &x 5\n"
      "d: *x\n");
  const gf__value *root = gf__config_root(config), *b = gf__value_get(root, "b");
  assert_string_equal(b->key, "b");
  assert_string_equal(b->place, "x.yaml:2:1");
  assert_int_equal(b->count, 2);
  assert_string_equal(gf__value_get(b, "p")->text, "1");
  const gf__value *q = gf__value_get(b, "q");
  assert_true(q->items[0]->quoted);
  assert_string_equal(q->items[0]->text, "2");
  assert_false(q->items[1]->quoted);
  assert_scalar(gf__value_get(root, "d"), "5", false, "x.yaml:4:1");
  gf_config_free(&config);
}

static void syntax_errors_name_their_place(void **state) {
  (void)state;
  static const struct {
    const char *yaml, *message;
  } cases[] = {
      {"a: 1\nb: @x\n", "x.yaml:2:4: plain scalar cannot start with '@'\n  b: @x\n     ^"},
      {"a: [1, 2\nb: 3\n\n",
       "x.yaml:2:5: flow sequence without a closing bracket\n  b: 3\n      ^"},
      {"a: 'x", "x.yaml:1:5: single-quoted scalar without closing quote\n  a: 'x\n      ^"},
      {"a: 1\n  b: 2\n", "x.yaml:1:4: invalid multiline plain key\n  a: 1\n     ^"},
      {"\xc3\xa9: @\n", "x.yaml:1:4: plain scalar cannot start with '@'\n  \xc3\xa9: @\n     ^"},
      {"a:\t@\n", "x.yaml:1:4: plain scalar cannot start with '@'\n  a:\t@\n    \t^"},
      {"%YAML 3.0\n---\na: 1\n", "x.yaml:1:1: this is not YAML\n  %YAML 3.0\n  ^"},
      {"a: 1\nb: 2\na: 3\n",
       "x.yaml:3:1: duplicate key 'a'; the first is at x.yaml:1:1\n  a: 3\n  ^"},
      {"t: {k: 1, k: 2}\n",
       "x.yaml:1:11: duplicate key 'k'; the first is at x.yaml:1:5\n"
       "  t: {k: 1, k: 2}\n            ^"},
      {"a: 1\n---\nb: 2\n",
       "x.yaml:2:1: a second document begins here; a config is one document\n  ---\n  ^"},
      {"a: *x\n", "x.yaml:1:5: no value before this has the anchor &x\n  a: *x\n      ^"},
      {"a: &x [*x]\n",
       "x.yaml:1:9: no value before this has the anchor &x\n  a: &x [*x]\n          ^"},
      {"a: !!int 3\n",
       "x.yaml:1:10: tags such as !!int have no use here; write the value alone\n"
       "  a: !!int 3\n           ^"},
      {"? [a]\n: 3\n",
       "x.yaml:1:3: a key must be text, not a list, a mapping or an alias\n"
       "  ? [a]\n    ^"},
      /* libfyaml 0.7.12 would free the key 1 twice. */
      {"? 1:\t>",
       "x.yaml:1:5: write spaces, not tabs, in a config that has a '?'\n  ? 1:\t>\n"
       "      ^"},
      {": 3\n", "x.yaml:1:1: a key is empty\n  : 3\n  ^"},
      {"a: \"b\\0c\"\n", "x.yaml:1:5: a NUL character cannot be used\n  a: \"b\\0c\"\n      ^"},
      {"a: \xff\n",
       "x.yaml:1:4: the byte 0xff is neither UTF-8 text nor a line end\n  a: \n     ^"},
      {"a: 1\nb: \xc0\x80\n",
       "x.yaml:2:4: the byte 0xc0 is neither UTF-8 text nor a line end\n  b: \n     ^"},
      {"a: \xed\xa0\x80\n",
       "x.yaml:1:4: the byte 0xed is neither UTF-8 text nor a line end\n  a: \n     ^"},
      {"a: 1\rb: 2\n",
       "x.yaml:1:5: the byte 0x0d is neither UTF-8 text nor a line end\n  a: 1\n      ^"},
      {"a: \x1b[0m\n",
       "x.yaml:1:4: the byte 0x1b is neither UTF-8 text nor a line end\n  a: \n     ^"},
      {"[1, 2]\n", "x.yaml:1:1: a config is a mapping of keys to values, not a list"},
      {"word\n", "x.yaml:1:1: a config is a mapping of keys to values, not a single value"},
      {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
       "x.yaml:1:34: nested deeper than 32 levels\n  [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n"
       "                                   ^"},
      /* Of a long line, what stands around the column. */
      {"key: [0123456789012345678901234567890123456789, 0123456789012345678901234567890, @]\n",
       "x.yaml:1:82: plain scalar cannot start with '@'\n"
       "  5678901234567890123456789, 0123456789012345678901234567890, @]\n"
       "                                                              ^"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_config *config = (gf_config *)1;
    assert_int_equal(gf_config_parse(&config, "x.yaml", cases[i].yaml), GF_ERROR_CONFIG);
    assert_null(config);
    assert_string_equal(gf_error_message(), cases[i].message);
  }
}

static void configs_keep_within_limits(void **state) {
  (void)state;
  gf_config *config;
  gf__text text = {0};
  /* A thousand millions of values from nine lines. */
  gf__text_add(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
  for (int i = 1; i < 9; i++) {
    gf__text_add(&text, "a%d: &a%d [", i, i);
    for (int j = 0; j < 10; j++) gf__text_add(&text, "*a%d, ", i - 1);
    gf__text_add(&text, "]\n");
  }
  assert_int_equal(gf_config_parse(&config, "x.yaml", text.data), GF_ERROR_CONFIG);
  assert_non_null(strstr(gf_error_message(), ": more than 100000 values; is this a config?\n"));
  gf__text_free(&text);

  for (int i = 0; i < 4097; i++) gf__text_add(&text, "k%d: 1\n", i);
  assert_int_equal(gf_config_parse(&config, "x.yaml", text.data), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:4097:1: more than 4096 keys in a mapping\n  k4096: 1\n  ^");
  gf__text_free(&text);

  gf__text_add(&text, "%0201d: 1\n", 0);
  assert_int_equal(gf_config_parse(&config, "x.yaml", text.data), GF_ERROR_CONFIG);
  static const char long_key[] = "x.yaml:1:1: a key of 201 bytes; at most 200 are read\n";
  assert_memory_equal(gf_error_message(), long_key, strlen(long_key));
  gf__text_free(&text);

  gf__text_add(&text, "a: %*d", (1 << 20) - 3, 1); /* exactly 1 MiB */
  config = parse(text.data);
  gf_config_free(&config);
  gf__text_add(&text, "1");
  assert_int_equal(gf_config_parse(&config, "x.yaml", text.data), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(), "x.yaml: more than 1048576 bytes; is this a config?");
  gf__text_free(&text);
}

static void a_file_is_loaded(void **state) {
  (void)state;
  char folder[] = "/tmp/gradflow-test-XXXXXX", path[64], expected[256];
  gf_config *config = (gf_config *)1;
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/a.yaml", folder);
  assert_int_equal(gf_config_load(&config, path), GF_ERROR_FILE);
  assert_null(config);
  snprintf(expected, sizeof expected, "cannot open %s: No such file or directory", path);
  assert_string_equal(gf_error_message(), expected);
  assert_int_equal(gf_config_load(&config, folder), GF_ERROR_FILE);
  snprintf(expected, sizeof expected, "cannot read %s: it is a folder", folder);
  assert_string_equal(gf_error_message(), expected);

  gf__text large = {0};
  gf__text_add(&large, "a: %*d", (1 << 20) - 2, 1); /* a byte more than 1 MiB */
  assert_int_equal(gf__file_write(path, large.data, large.size), GF_OK);
  gf__text_free(&large);
  assert_int_equal(gf_config_load(&config, path), GF_ERROR_CONFIG);
  snprintf(expected, sizeof expected, "%s: more than 1048576 bytes; is this a config?", path);
  assert_string_equal(gf_error_message(), expected);

  assert_int_equal(gf__file_write(path, "train: {epochs: 7}\n", 19), GF_OK);
  assert_int_equal(gf_config_load(&config, path), GF_OK);
  settings s;
  assert_int_equal(read_settings(config, &s), GF_OK);
  assert_int_equal(s.epochs, 7);
  gf__keys_free(keys, KEYS, &s);
  gf_config_free(&config);

  assert_int_equal(gf__file_write(path, "a: 1\nb: 2\0c: 3\n", 15), GF_OK);
  assert_int_equal(gf_config_load(&config, path), GF_ERROR_CONFIG);
  snprintf(expected, sizeof expected,
           "%s:2:5: the byte 0x00 is neither UTF-8 text nor a line end\n  b: 2\n      ^", path);
  assert_string_equal(gf_error_message(), expected);
  assert_int_equal(gf__remove_folder(folder), GF_OK);
}

/* ---- keys ---- */

static void keys_have_defaults(void **state) {
  (void)state;
  static const char *const texts[] = {"", "train:\n", "train: {}\n"};
  for (int i = 0; i < 3; i++) {
    gf_config *config = parse(texts[i]);
    settings s;
    memset(&s, 0xa5, sizeof s);
    assert_int_equal(read_settings(config, &s), GF_OK);
    assert_int_equal(s.epochs, 100);
    assert_int_equal(s.any_int, -1);
    assert_int_equal(s.optimizer, 2);
    assert_true(s.seed == 0);
    assert_true(s.rate == 1e-3);
    assert_true(s.decay == 0);
    assert_true(s.any_float == -2.5);
    assert_true(s.flip);
    assert_string_equal(s.name, "");
    assert_int_equal(s.betas.count, 2);
    assert_true(s.betas.v[0] == 0.9 && s.betas.v[1] == 0.999);
    assert_int_equal(s.kernel[0], 3);
    assert_int_equal(s.kernel[1], 3);
    assert_null(s.graph);
    gf__keys_free(keys, KEYS, &s);
    assert_null(s.name);
    gf__keys_free(keys, KEYS, &s);
    gf_config_free(&config);
  }
}

static void values_are_read_by_their_type(void **state) {
  (void)state;
  gf_config *config = parse(
      "train:\n"
      "  epochs: +0012\n"
      "  any_int: -2147483648\n"
      "  optimizer: 'sgd'\n"
      "  seed: 9223372036854775807\n"
      "  rate: 1e-12\n"
      "  decay: 1e2\n"
      "  any_float: -.5E+3\n"
      "  flip: false\n"
      "  name: 37\n"
      "  betas: 0.5\n"
      "  kernel: [1, 5]\n"
      "  graph: [a]\n");
  settings s;
  assert_int_equal(read_settings(config, &s), GF_OK);
  assert_int_equal(s.epochs, 12);
  assert_int_equal(s.any_int, INT32_MIN);
  assert_int_equal(s.optimizer, 0);
  assert_true(s.seed == INT64_MAX);
  assert_true(s.rate == 1e-12);
  assert_true(s.decay == 100);
  assert_true(s.any_float == -500);
  assert_false(s.flip);
  assert_string_equal(s.name, "37");
  assert_int_equal(s.betas.count, 1);
  assert_true(s.betas.v[0] == 0.5);
  assert_int_equal(s.kernel[0], 1);
  assert_int_equal(s.kernel[1], 5);
  assert_ptr_equal(s.graph, gf__value_get(section(config), "graph"));
  gf__keys_free(keys, KEYS, &s);
  gf_config_free(&config);
}

static const struct {
  const char *line, *message;
} wrong_values[] = {
    {"epochs: abc", "train.epochs must be a whole number from 1 to 100000, not 'abc'"},
    {"epochs: 0", "train.epochs must be a whole number from 1 to 100000, not '0'"},
    {"epochs: 100001", "train.epochs must be a whole number from 1 to 100000, not '100001'"},
    {"epochs: 1e2", "train.epochs must be a whole number from 1 to 100000, not '1e2'"},
    {"epochs: 3.0", "train.epochs must be a whole number from 1 to 100000, not '3.0'"},
    {"epochs: 0x10", "train.epochs must be a whole number from 1 to 100000, not '0x10'"},
    {"epochs: 1_000", "train.epochs must be a whole number from 1 to 100000, not '1_000'"},
    {"epochs: '3'", "train.epochs must be a whole number from 1 to 100000, not the text '3'"},
    {"epochs: ~", "train.epochs must be a whole number from 1 to 100000, not nothing"},
    {"epochs:", "train.epochs must be a whole number from 1 to 100000, not nothing"},
    {"epochs: +", "train.epochs must be a whole number from 1 to 100000, not '+'"},
    {"epochs: true", "train.epochs must be a whole number from 1 to 100000, not 'true'"},
    {"epochs: [3]", "train.epochs must be a whole number from 1 to 100000, not a list"},
    {"epochs: {a: 3}", "train.epochs must be a whole number from 1 to 100000, not a mapping"},
    {"any_int: x", "train.any_int must be a whole number, not 'x'"},
    {"any_int: 2147483648",
     "train.any_int must be a whole number from -2147483648 to 2147483647, not '2147483648'"},
    {"any_int: -99999999999999999999",
     "train.any_int must be a whole number from -2147483648 to 2147483647, "
     "not '-99999999999999999999'"},
    {"seed: -1", "train.seed must be a whole number from 0 to 9223372036854775807, not '-1'"},
    {"seed: 9223372036854775808",
     "train.seed must be a whole number from 0 to "
     "9223372036854775807, not '9223372036854775808'"},
    {"seed: 99999999999999999999",
     "train.seed must be a whole number from 0 to "
     "9223372036854775807, not '99999999999999999999'"},
    {"seed: 1e3", "train.seed must be a whole number from 0 to 9223372036854775807, not '1e3'"},
    {"rate: fast", "train.rate must be a number from 1e-12 to 10, not 'fast'"},
    {"rate: 0", "train.rate must be a number from 1e-12 to 10, not '0'"},
    {"rate: 10.001", "train.rate must be a number from 1e-12 to 10, not '10.001'"},
    {"rate: 1,5", "train.rate must be a number from 1e-12 to 10, not '1,5'"},
    {"rate: \"1\"", "train.rate must be a number from 1e-12 to 10, not the text '1'"},
    {"decay: -1", "train.decay must be a number of at least 0, not '-1'"},
    {"decay: .inf", "train.decay must be a number of at least 0, not '.inf'"},
    {"any_float: .nan", "train.any_float must be a number, not '.nan'"},
    {"any_float: nan", "train.any_float must be a number, not 'nan'"},
    {"any_float: inf", "train.any_float must be a number, not 'inf'"},
    {"any_float: 1e999", "train.any_float must be a number, not '1e999'"},
    {"any_float: 0x10", "train.any_float must be a number, not '0x10'"},
    {"any_float: 1e", "train.any_float must be a number, not '1e'"},
    {"any_float: .", "train.any_float must be a number, not '.'"},
    {"any_float: .e5", "train.any_float must be a number, not '.e5'"},
    {"any_float: 1.2.3", "train.any_float must be a number, not '1.2.3'"},
    {"any_float: 1 2", "train.any_float must be a number, not '1 2'"},
    {"flip: yes", "train.flip must be true or false, not 'yes'"},
    {"flip: 1", "train.flip must be true or false, not '1'"},
    {"flip: 'true'", "train.flip must be true or false, not the text 'true'"},
    {"optimizer: adm",
     "train.optimizer must be one of sgd, momentum, adam, not 'adm'; did you mean 'adam'?"},
    {"optimizer: lion", "train.optimizer must be one of sgd, momentum, adam, not 'lion'"},
    {"optimizer:", "train.optimizer must be one of sgd, momentum, adam, not nothing"},
    {"optimizer: [adam]", "train.optimizer must be one of sgd, momentum, adam, not a list"},
    {"name: [a]", "train.name must be text, not a list"},
    {"name: {a: b}", "train.name must be text, not a mapping"},
    {"betas: x", "train.betas must be a number or a list of numbers from 0 to 1, not 'x'"},
    {"betas: {a: 1}",
     "train.betas must be a number or a list of numbers from 0 to 1, not a mapping"},
    {"betas: [0, 0, 0, 0, 0, 0, 0, 0, 0]", "train.betas must be at most 8 numbers, not 9"},
    {"kernel: 0", "train.kernel must be a whole number or a list of two from 1 to 1024, not '0'"},
    {"kernel: 1.5",
     "train.kernel must be a whole number or a list of two from 1 to 1024, not '1.5'"},
    {"kernel: [3]",
     "train.kernel must be a whole number or a list of two from 1 to 1024, not a list"},
    {"kernel: [3, 3, 3]",
     "train.kernel must be a whole number or a list of two from 1 to 1024, not a list"},
    {"kernel: {a: 3}",
     "train.kernel must be a whole number or a list of two from 1 to 1024, not a mapping"},
    {"epoch: 3",
     "unknown key 'epoch' in train; did you mean 'epochs'? known keys: epochs, "
     "any_int, optimizer, seed, rate, decay, any_float, flip, name, betas, kernel, "
     "graph"},
    {"zzz: 3",
     "unknown key 'zzz' in train; known keys: epochs, any_int, optimizer, seed, rate, "
     "decay, any_float, flip, name, betas, kernel, graph"},
    {"name: [\"an item\"]", "train.name must be text, not a list"},
    {"flip: 0123456789012345678901234567890123456789012345678901234567890",
     "train.flip must be true or false, not "
     "'012345678901234567890123456789012345678901234567890123456789...'"},
    {"flip: \"a\\nb\"", "train.flip must be true or false, not the text 'a?b'"},
};

static void wrong_values_name_their_place(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof wrong_values / sizeof *wrong_values; i++) {
    char yaml[512], expected[512];
    const char *line = wrong_values[i].line;
    bool is_name = strncmp(line, "name", 4) == 0;
    snprintf(yaml, sizeof yaml, "train:\n  # a comment\n  %s\n%s", line,
             is_name ? "" : "  name: n\n");
    gf_config *config = parse(yaml);
    settings s;
    assert_int_equal(read_settings(config, &s), GF_ERROR_CONFIG);
    snprintf(expected, sizeof expected, "x.yaml:3:3: %s", wrong_values[i].message);
    assert_string_equal(gf_error_message(), expected);
    assert_null(s.name);
    gf_config_free(&config);
  }
}

static void wrong_item_has_its_own_place(void **state) {
  (void)state;
  static const char *const yaml[] = {"train:\n  betas: [0.5, 1.5]\n", "train:\n  kernel: [3, x]\n"};
  static const char *const messages[] = {
      "x.yaml:2:16: train.betas must be a number or a list of numbers from 0 to 1, not '1.5'",
      "x.yaml:2:15: train.kernel must be a whole number or a list of two from 1 to 1024, not 'x'"};
  for (int i = 0; i < 2; i++) {
    gf_config *config = parse(yaml[i]);
    settings s;
    assert_int_equal(read_settings(config, &s), GF_ERROR_CONFIG);
    assert_string_equal(gf_error_message(), messages[i]);
    gf_config_free(&config);
  }
}

static void wrong_sections_are_refused(void **state) {
  (void)state;
  static const gf__key needs[] = {
      {"epochs", GF__KEY_INT, offsetof(settings, epochs), NULL, 1, 9, NULL, "how many passes"}};
  settings s;
  gf_config *config = parse("train: 3\nlist: []\nquoted: ''\nempty: {}\n");
  const gf__value *root = gf__config_root(config);
  assert_int_equal(read_settings(config, &s), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:1:1: train must be a mapping of keys to values, not '3'");
  assert_int_equal(gf__keys_read(gf__value_get(root, "list"), "list", keys, KEYS, &s),
                   GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:2:1: list must be a mapping of keys to values, not a list");
  assert_int_equal(gf__keys_read(gf__value_get(root, "quoted"), "quoted", keys, KEYS, &s),
                   GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:3:1: quoted must be a mapping of keys to values, not the text ''");
  assert_int_equal(gf__keys_read(gf__value_get(root, "empty"), "empty", needs, 1, &s),
                   GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:4:1: empty.epochs is missing and has no default "
                      "(how many passes)");
  assert_int_equal(gf__keys_read(NULL, "train", needs, 1, &s), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "train.epochs is missing and has no default (how many passes)");
  assert_int_equal(gf__keys_read(root, "", needs, 1, &s), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(), "x.yaml:1:1: unknown key 'train'; known keys: epochs");
  assert_int_equal(gf__keys_read(root, NULL, NULL, 0, &s), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(), "x.yaml:1:1: unknown key 'train'; known keys: none");
  gf_config_free(&config);
}

/* A mapping whose keys are those of two tables. */
static void groups_of_keys_are_read(void **state) {
  (void)state;
  typedef struct adam {
    double beta;
    char *note;
  } adam;
  static const gf__key more[] = {
      {"beta", GF__KEY_FLOAT, offsetof(adam, beta), "0.9", 0, 1, NULL, "decay"},
      {"note", GF__KEY_TEXT, offsetof(adam, note), "none", 0, 0, NULL, "for the reader"}};
  settings s;
  adam a;
  const gf__key_group groups[] = {{keys, 2, &s}, {more, 2, &a}};
  gf_config *config = parse(
      "train: {beta: 0.5, epochs: 2}\n"
      "wrong: {bta: 1}\n"
      "late: {note: n, beta: 2}\n");
  const gf__value *root = gf__config_root(config);
  assert_int_equal(gf__keys_read_groups(section(config), "train", groups, 2), GF_OK);
  assert_int_equal(s.epochs, 2);
  assert_int_equal(s.any_int, -1);
  assert_true(a.beta == 0.5);
  assert_string_equal(a.note, "none");
  gf__keys_free(more, 2, &a);
  assert_int_equal(gf__keys_read_groups(gf__value_get(root, "wrong"), "wrong", groups, 2),
                   GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:2:9: unknown key 'bta' in wrong; did you mean "
                      "'beta'? known keys: epochs, any_int, beta, note");
  assert_int_equal(gf__keys_read_groups(gf__value_get(root, "late"), "late", groups, 2),
                   GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "x.yaml:3:17: late.beta must be a number from 0 to 1, "
                      "not '2'");
  assert_null(a.note);
  gf_config_free(&config);
}

static void a_value_fails_at_its_place(void **state) {
  (void)state;
  gf_config *config = parse("a:\n  b: 1\n");
  const gf__value *b = gf__value_get(gf__value_get(gf__config_root(config), "a"), "b");
  assert_int_equal(gf__value_fail(b, "%d is too few", 1), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(), "x.yaml:2:3: 1 is too few");
  gf_config_free(&config);
}

/* ---- overrides ---- */

static const char *get(const gf_config *config, const char *section_name, const char *key) {
  const gf__value *value = gf__value_get(gf__config_root(config), section_name);
  value = key ? gf__value_get(value, key) : value;
  return value && value->text ? value->text : "(none)";
}

static void overrides_replace_values(void **state) {
  (void)state;
  gf_config *config = parse("");
  assert_int_equal(gf_config_set(config, "train.epochs=3"), GF_OK);
  assert_int_equal(gf_config_set(config, "train.rate=1e-2"), GF_OK);
  assert_int_equal(gf_config_set(config, "train.epochs=4 # more"), GF_OK);
  assert_int_equal(gf_config_set(config, "train.name=a=b"), GF_OK);
  assert_int_equal(gf_config_set(config, "train.betas=[0.1, 0.2]"), GF_OK);
  assert_int_equal(gf_config_set(config, "a.b.c.d='5'"), GF_OK);
  assert_int_equal(gf_config_set(config, "none="), GF_OK);
  assert_int_equal(gf_config_set(config, "none.x.y=1"), GF_OK);
  settings s;
  assert_int_equal(read_settings(config, &s), GF_OK);
  assert_int_equal(s.epochs, 4);
  assert_true(s.rate == 0.01);
  assert_string_equal(s.name, "a=b");
  assert_int_equal(s.betas.count, 2);
  gf__keys_free(keys, KEYS, &s);
  const gf__value *root = gf__config_root(config);
  assert_int_equal(root->count, 3);
  assert_int_equal(section(config)->count, 4);
  assert_string_equal(section(config)->place, "--set train.epochs");
  assert_string_equal(gf__value_get(section(config), "rate")->place, "--set train.rate");
  const gf__value *c = gf__value_get(gf__value_get(gf__value_get(root, "a"), "b"), "c");
  assert_scalar(gf__value_get(c, "d"), "5", true, "--set a.b.c.d");
  const gf__value *x = gf__value_get(gf__value_get(root, "none"), "x");
  assert_scalar(gf__value_get(x, "y"), "1", false, "--set none.x.y");
  assert_string_equal(gf__value_get(root, "none")->key, "none");
  gf_config_free(&config);
}

static void overrides_replace_values_of_a_file(void **state) {
  (void)state;
  gf_config *config = parse(
      "model:\n  graph:\n    - {type: conv2d, filters: 32}\n    - relu\n"
      "train:\n  epochs: 1\n");
  assert_int_equal(gf_config_set(config, "model.graph.0.filters=16"), GF_OK);
  assert_int_equal(gf_config_set(config, "model.graph.1={type: tanh}"), GF_OK);
  assert_int_equal(gf_config_set(config, "train.epochs=x"), GF_OK);
  const gf__value *graph = gf__value_get(gf__value_get(gf__config_root(config), "model"), "graph");
  assert_int_equal(graph->count, 2);
  assert_scalar(gf__value_get(graph->items[0], "filters"), "16", false,
                "--set model.graph.0.filters");
  assert_string_equal(gf__value_get(graph->items[0], "type")->text, "conv2d");
  assert_string_equal(gf__value_get(graph->items[1], "type")->text, "tanh");
  assert_null(graph->items[1]->key);
  settings s;
  assert_int_equal(read_settings(config, &s), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "--set train.epochs: train.epochs must be a whole number "
                      "from 1 to 100000, not 'x'");
  assert_int_equal(gf_config_set(config, "train={epoch: 3}"), GF_OK);
  assert_int_equal(read_settings(config, &s), GF_ERROR_CONFIG);
  static const char unknown[] = "--set train: unknown key 'epoch' in train; did you mean 'epochs'?";
  assert_memory_equal(gf_error_message(), unknown, strlen(unknown));
  gf_config_free(&config);
}

static void wrong_overrides_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *assignment, *message;
  } cases[] = {
      {"train.epochs", "--set 'train.epochs': expected key=value, as in train.epochs=3"},
      {"", "--set '': expected key=value, as in train.epochs=3"},
      {"=3", "--set '=3': a word of the key is empty; expected one as in train.epochs=3"},
      {".a=3", "--set '.a=3': a word of the key is empty; expected one as in train.epochs=3"},
      {"a.=3", "--set 'a.=3': a word of the key is empty; expected one as in train.epochs=3"},
      {"a..b=3", "--set 'a..b=3': a word of the key is empty; expected one as in train.epochs=3"},
      {"train.epochs.x=3",
       "--set train.epochs.x: train.epochs is a single value (x.yaml:2:3) and has no key 'x'"},
      {"list.2=3", "--set list.2: list is a list of 2, counted from 0, and has no item '2'"},
      {"list.-1=3", "--set list.-1: list is a list of 2, counted from 0, and has no item '-1'"},
      {"list.x.y=3", "--set list.x.y: list is a list of 2, counted from 0, and has no item 'x'"},
      {"list.99999999999999999999=3",
       "--set list.99999999999999999999: list is a list of 2, "
       "counted from 0, and has no item '99999999999999999999'"},
      {"train.name=[1, 2",
       "--set train.name: flow sequence without a closing bracket\n  [1, 2\n       ^"},
      {"train.name=@x", "--set train.name: plain scalar cannot start with '@'\n  @x\n  ^"},
      {"train.name={a: 1, a: 2}",
       "--set train.name: duplicate key 'a'; the first is at --set train.name\n"
       "  {a: 1, a: 2}\n         ^"},
      {"train.name=\xff",
       "--set: the byte 0xff is neither UTF-8 text nor a line end\n  train.name=\n             ^"},
      {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
       "--set a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: nested deeper "
       "than 32 levels\n  1\n  ^"},
  };
  static const char yaml[] = "train:\n  epochs: 5\nlist: [1, 2]\n";
  gf_config *config = parse(yaml);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(gf_config_set(config, cases[i].assignment), GF_ERROR_CONFIG);
    assert_string_equal(gf_error_message(), cases[i].message);
  }
  /* None of them has left anything behind. */
  assert_int_equal(gf__config_root(config)->count, 2);
  assert_int_equal(section(config)->count, 1);
  assert_string_equal(get(config, "train", "epochs"), "5");
  gf_config_free(&config);
}

/* ---- back to text ---- */

static void assert_same(const gf__value *a, const gf__value *b) {
  assert_int_equal(a->kind, b->kind);
  assert_int_equal(a->count, b->count);
  assert_int_equal(!a->key, !b->key);
  if (a->key) assert_string_equal(a->key, b->key);
  if (a->kind == GF__SCALAR) assert_string_equal(a->text, b->text);
  for (size_t i = 0; i < a->count; i++) assert_same(a->items[i], b->items[i]);
}

static void assert_writes_back(const gf_config *config) {
  gf__text text = {0};
  gf__value_write(&text, 0, gf__config_root(config));
  assert_int_equal(gf__text_status(&text), GF_OK);
  gf_config *again = parse(text.data);
  assert_same(gf__config_root(config), gf__config_root(again));
  gf_config_free(&again);
  gf__text_free(&text);
}

static void values_are_written(void **state) {
  (void)state;
  gf_config *config = parse(
      "a: {b: [1, [2, 3], {c: 'd: e', f: []}], g: ~}\n"
      "h: \"x\\ty\\n\"\ni: {}\n");
  gf__text text = {0};
  gf__value_write(&text, 2, gf__config_root(config));
  assert_string_equal(text.data,
                      "  a:\n"
                      "    b:\n"
                      "      - 1\n"
                      "      - - 2\n"
                      "        - 3\n"
                      "      - c: \"d: e\"\n"
                      "        f: []\n"
                      "    g: null\n"
                      "  h: \"x\\x09y\\n\"\n"
                      "  i: {}\n");
  gf__text_free(&text);
  assert_writes_back(config);
  gf_config_free(&config);
}

/* Texts that YAML would take for something else if they stood without quotes. */
static const char *const awkward[] = {
    "",
    " ",
    "a b",
    " a",
    "a ",
    "a  b",
    "null",
    "Null",
    "NULL",
    "~",
    "~a",
    "true",
    "-",
    "--",
    "---",
    "--- a",
    "...",
    "... a",
    "- a",
    "a - b",
    "-a",
    "?",
    "? a",
    ":",
    ": a",
    "a:",
    "a: b",
    "a:b",
    "a::b",
    "#",
    "# a",
    "a # b",
    "a#b",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "'",
    "\"",
    "'a'",
    "\"a\"",
    "a'b",
    "a\"b",
    "\\",
    "a\\nb",
    "a\nb",
    "\n",
    "a\n",
    "\ta",
    "a\tb",
    "%a",
    "a%",
    "@a",
    "`a",
    "[",
    "]",
    "[a]",
    "{",
    "}",
    "{a: b}",
    ",",
    "a,b",
    "=",
    "<<",
    "1e-3",
    "+.5",
    ".5",
    "/a/b.c",
    "\xc3\xa9",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xe2\x80\xa9",
    "\xef\xbb\xbf",
    ("\xef\xbb\xbf"
     "a"),
    "\xf0\x9f\x98\x80",
    "\x01",
    "\x7f",
    "C:\\x",
    "http://x:1/?a=b",
};

static char *quote(const char *text) {
  gf__text out = {0};
  gf__text_add(&out, "\"");
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if (*p < 0x80)
      gf__text_add(&out, "\\x%02x", *p);
    else
      gf__text_add(&out, "%c", *p);
  }
  gf__text_add(&out, "\"");
  return out.data;
}

static void awkward_texts_write_back(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof awkward / sizeof *awkward; i++) {
    char *quoted = quote(awkward[i]), yaml[512];
    /* As a key, in a list and as a value, with the key in the first column too. */
    const char *key = *awkward[i] ? quoted : "x";
    snprintf(yaml, sizeof yaml, "%s: {%s: [%s, [%s], {%s: %s}]}\n", key, key, quoted, quoted, key,
             quoted);
    gf_config *config = parse(yaml);
    const gf__value *list = gf__config_root(config)->items[0]->items[0];
    assert_string_equal(list->items[0]->text, awkward[i]);
    assert_writes_back(config);
    gf_config_free(&config);

    settings s = {.optimizer = 1, .name = (char *)awkward[i]}, again;
    gf__text text = {0};
    gf__text_add(&text, "train:\n");
    s.epochs = s.kernel[0] = s.kernel[1] = 1;
    s.rate = 1;
    gf__keys_write(&text, 2, keys, KEYS, &s);
    config = parse(text.data);
    assert_int_equal(read_settings(config, &again), GF_OK);
    assert_string_equal(again.name, awkward[i]);
    gf__keys_free(keys, KEYS, &again);
    gf_config_free(&config);
    gf__text_free(&text);
    free(quoted);
  }
}

static void keys_are_written(void **state) {
  (void)state;
  settings s = {.epochs = 100,
                .any_int = INT32_MIN,
                .optimizer = 2,
                .seed = INT64_MAX,
                .rate = 1e-3,
                .decay = 0,
                .any_float = 1.0 / 3,
                .flip = false,
                .name = NULL,
                .betas = {{0.9, 0.999}, 2},
                .kernel = {3, 3}};
  gf__text text = {0};
  gf__keys_write(&text, 2, keys, KEYS, &s);
  assert_string_equal(text.data,
                      "  epochs: 100\n"
                      "  any_int: -2147483648\n"
                      "  optimizer: adam\n"
                      "  seed: 9223372036854775807\n"
                      "  rate: 0.001\n"
                      "  decay: 0\n"
                      "  any_float: 0.33333333333333331\n"
                      "  flip: false\n"
                      "  name: \"\"\n"
                      "  betas: [0.9, 0.999]\n"
                      "  kernel: [3, 3]\n");
  gf__text_free(&text);
  s.betas.count = 1;
  s.kernel[1] = 1;
  gf__keys_write(&text, 0, keys + 9, 2, &s);
  s.betas.count = 0;
  gf__keys_write(&text, 0, keys + 9, 1, &s);
  assert_string_equal(text.data, "betas: 0.9\nkernel: [3, 1]\nbetas: []\n");
  gf__text_free(&text);
}

static void assert_float_writes_back(double number) {
  settings s = {.epochs = 1, .rate = 1, .any_float = number, .kernel = {3, 1}}, again;
  gf__text text = {0};
  gf__text_add(&text, "train:\n");
  gf__keys_write(&text, 2, keys, KEYS, &s);
  gf_config *config = parse(text.data);
  assert_int_equal(read_settings(config, &again), GF_OK);
  assert_memory_equal(&again.any_float, &number, sizeof number);
  assert_int_equal(again.betas.count, 0);
  assert_memory_equal(again.kernel, s.kernel, sizeof s.kernel);
  gf__keys_free(keys, KEYS, &again);
  gf_config_free(&config);
  gf__text_free(&text);
}

static void floats_write_back(void **state) {
  (void)state;
  static const double numbers[] = {0,
                                   -0.0,
                                   1,
                                   -1,
                                   0.1,
                                   1e-5,
                                   2e-5,
                                   5e-4,
                                   1e22,
                                   1e300,
                                   1.7976931348623157e308,
                                   5e-324,
                                   2.2250738585072014e-308,
                                   0.1 + 0.2,
                                   123456789,
                                   1.0 / 7};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    assert_float_writes_back(numbers[i]);
}

/* Switches to a locale that writes 1/2 as "0,5", compiling one if none is installed. */
static bool use_decimal_comma(const char *folder) {
  char command[128];
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
           folder);
  if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
    if (system(command) != 0) return false;
    setenv("LOCPATH", folder, 1);
  }
  return setlocale(LC_NUMERIC, "de_DE.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void a_decimal_comma_of_the_locale_changes_nothing(void **state) {
  (void)state;
  char folder[] = "/tmp/gradflow-test-XXXXXX";
  assert_non_null(mkdtemp(folder));
  bool is_comma = use_decimal_comma(folder);
  if (is_comma) {
    assert_float_writes_back(0.1);
    assert_float_writes_back(1.0 / 3);
    gf_config *config = parse("train: {rate: 0.25, betas: 2}\n");
    settings s;
    assert_int_equal(read_settings(config, &s), GF_ERROR_CONFIG);
    assert_true(s.rate == 0.25);
    gf_config_free(&config);
    setlocale(LC_NUMERIC, "C");
  }
  assert_int_equal(gf__remove_folder(folder), GF_OK);
  if (!is_comma) skip(); /* no such locale and no localedef */
}

/* ---- help ---- */

static void every_key_has_a_help(void **state) {
  (void)state;
  gf__text text = {0};
  gf__keys_help(&text, keys, 4);
  assert_string_equal(text.data,
                      "  epochs     whole number from 1 to 100000; default 100\n"
                      "             passes over the training images\n"
                      "  any_int    whole number; default -1\n"
                      "             without a limit\n"
                      "  optimizer  one of sgd, momentum, adam; default adam\n"
                      "             how the gradient moves the parameters\n"
                      "  seed       whole number; default 0\n"
                      "             of the parameters and the order of images\n");
  gf__text_free(&text);
}

static void the_help_fits_80_columns(void **state) {
  (void)state;
  static const char *const many[] = {"first_of_many_choices", "second_of_many_choices", "third",
                                     "a_choice_whose_name_is_longer_than_any_line_of_a_terminal_"
                                     "that_is_80_columns_wide_can_be",
                                     NULL};
  static const gf__key wide[] = {
      {"short", GF__KEY_CHOICE, 0, NULL, 0, 0, many,
       "a help line that goes on for longer than fits into the columns that are left beside the "
       "name, twice, and so has to be wrapped more than once"},
      {"a_name_that_is_much_longer_than_others", GF__KEY_FLOAT, 0, "1e-3", -1e300, INFINITY, NULL,
       "word"},
  };
  gf__text text = {0};
  gf__keys_help(&text, wide, 2);
  gf__keys_help(&text, keys, KEYS);
  for (const char *p = text.data; *p;) {
    size_t length = strcspn(p, "\n");
    assert_in_range(length, 1, 80);
    assert_int_not_equal(p[length - 1], ' ');
    p += length + 1;
  }
  static const char *const parts[] = {
      "second_of_many_choices", "; required",
      "more than once\n",       "a_name_that_is_much_longer_than_others\n",
      "default \"\"\n",         "  graph      a section of its own\n",
      "number of at least 0;",  "number or list of numbers from 0 to 1; default [0.9, 0.999]\n"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!strstr(text.data, parts[i])) fail_msg("not in the help: %s", parts[i]);
  gf__text_free(&text);
}

/* ---- junk ---- */

static const char sample[] =
    "# plain37\nname: \"plain \\u00e9 37\"\nmodel: &m\n  family: plain\n  blocks: 5\n  graph:\n"
    "    - {type: conv2d, filters: 32, pad: [1, 1]}\n    - type: leaky_relu\n      slope: 1.0e-2\n"
    "train:\n  epochs: 100\n  rate: 1e-3\n  betas: [0.9, 0.999]\n  flip: true\n  name: |\n    two\n"
    "    lines\nstudy:\n  base: *m\n  'seeds': [0, 2045458]\n  note: >-\n   folded\n   text\n...\n";

static int accepted_;

/* Whatever the text is: a config that writes back, or a message; never a crash or a leak. */
static void try_text(const char *text) {
  gf_config *config;
  if (gf_config_parse(&config, "junk", text) != GF_OK) {
    assert_null(config);
    assert_memory_equal(gf_error_message(), "junk", 4);
    return;
  }
  accepted_++;
  assert_writes_back(config);
  settings s;
  if (read_settings(config, &s) == GF_OK) gf__keys_free(keys, KEYS, &s);
  gf_config_free(&config);
}

static void junk_is_refused(void **state) {
  (void)state;
  static const char odd[] = {0,   '\t', '\n', ' ', '"',  '\'', '#', '&',        '*',
                             '-', ':',  '[',  ']', '{',  '}',  '|', '>',        '?',
                             '!', '%',  '@',  ',', '\\', 'a',  '~', (char)0xc3, (char)0xff};
  size_t length = strlen(sample);
  char text[sizeof sample];
  accepted_ = 0;
  try_text(sample);
  assert_int_equal(accepted_, 1);
  for (size_t i = 0; i < length; i++) {
    memcpy(text, sample, sizeof text);
    text[i] = 0;
    try_text(text);       /* what stands before a byte */
    try_text(sample + i); /* from a byte on */
    for (int bit = 0; bit < 8; bit++) {
      text[i] = (char)(sample[i] ^ 1 << bit);
      try_text(text);
    }
    for (size_t k = 0; k < sizeof odd; k++) {
      text[i] = odd[k];
      try_text(text);
    }
  }
  assert_true(accepted_ > 500); /* or the sample's neighbours test nothing but the first error */
  gf_config *config = parse(sample);
  for (size_t i = 0; i < length; i++) {
    memcpy(text, sample + i, length - i + 1);
    gf_status status = gf_config_set(config, text);
    assert_true(status == GF_OK || status == GF_ERROR_CONFIG);
  }
  assert_writes_back(config);
  gf_config_free(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sides_are_read_and_written),
      cmocka_unit_test(wrong_sides_are_explained),
      cmocka_unit_test(a_config_becomes_a_tree),
      cmocka_unit_test(empty_configs_are_read),
      cmocka_unit_test(a_block_may_be_indented_like_its_key),
      cmocka_unit_test(aliases_repeat_their_anchors),
      cmocka_unit_test(syntax_errors_name_their_place),
      cmocka_unit_test(configs_keep_within_limits),
      cmocka_unit_test(a_file_is_loaded),
      cmocka_unit_test(keys_have_defaults),
      cmocka_unit_test(values_are_read_by_their_type),
      cmocka_unit_test(wrong_values_name_their_place),
      cmocka_unit_test(wrong_item_has_its_own_place),
      cmocka_unit_test(wrong_sections_are_refused),
      cmocka_unit_test(groups_of_keys_are_read),
      cmocka_unit_test(a_value_fails_at_its_place),
      cmocka_unit_test(overrides_replace_values),
      cmocka_unit_test(overrides_replace_values_of_a_file),
      cmocka_unit_test(wrong_overrides_are_refused),
      cmocka_unit_test(values_are_written),
      cmocka_unit_test(awkward_texts_write_back),
      cmocka_unit_test(keys_are_written),
      cmocka_unit_test(floats_write_back),
      cmocka_unit_test(a_decimal_comma_of_the_locale_changes_nothing),
      cmocka_unit_test(every_key_has_a_help),
      cmocka_unit_test(the_help_fits_80_columns),
      cmocka_unit_test(junk_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
