/* Runs that another framework has recorded: what network.json may leave open, and remedies as its
 * code. No device is needed. tests/test_watch_package.c records such runs. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <string.h>

#include <gradflow/diagnosis.h>
#include <gradflow/report.h>
#include <gradflow/study.h>
#include <gradflow/train.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "diagnosis/remedy_code.h"
#include "run/network.h"
#include "support/assert.h"
#include "support/event_files.h"
#include "support/folder.h"
#include "support/test.h"

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

/* A run of one epoch, whose layers have the mean gradients 1e-12 and 0.1. */
static void make_run(const char *framework, const char *layers, const char *mean) {
  gf__text network = {0}, gradients = {0};
  if (gf__path_exists(in_folder("run"))) assert_ok(gf__remove_folder(in_folder("run")));
  assert_ok(gf__make_folder(in_folder("run")));
  write_text("run/metrics.csv",
             "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
             "1,0.02,2.3,0.1,nan,nan\n");
  gf__text_add(&gradients,
               "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n"
               "1,1,a,a.weight,%s,1,1,0,1e-3\n1,1,b,b.weight,0.1,1,1,0,1e-3\n",
               mean);
  write_text("run/gradients.csv", gradients.data);
  gf__text_add(&network,
               "{\"format\": 1, \"image\": null, \"classes\": null, "
               "\"framework\": {\"name\": \"%s\", \"version\": \"3\"}, \"layers\": [%s]}",
               framework, layers);
  write_text("run/network.json", network.data);
  gf__text_free(&network);
  gf__text_free(&gradients);
}

#define PLAIN                                                                          \
  "{\"name\": \"a\", \"type\": \"conv2d\"}, {\"name\": \"act\", \"type\": \"relu\"}, " \
  "{\"name\": \"b\", \"type\": \"linear\"}"

/* Of the first finding: the codes that contain the words, of all remedies. */
static int count_codes(const char *words, int *remedies) {
  gf_diagnosis *d = NULL;
  int count = 0;
  assert_ok(gf_diagnosis_open(&d, in_folder("run")));
  *remedies = d->findings[0].remedy_count;
  for (int i = 0; i < *remedies; i++) {
    const gf_remedy *r = &d->findings[0].remedies[i];
    assert_null(r->setting);
    count += r->code && strstr(r->code, words) != NULL;
  }
  gf_diagnosis_free(&d);
  return count;
}

/* ---- network.json ---- */

static void images_and_classes_may_be_unknown(void **state) {
  (void)state;
  gf__network n;
  make_run("pytorch", PLAIN, "0.1");
  assert_ok(gf__network_read(&n, in_folder("run")));
  assert_int_equal(n.classes, 0);
  assert_string_equal(n.framework, "pytorch");
  gf__network_free(&n);
  assert_int_equal(gf__network_read_shaped(&n, in_folder("run")), GF_ERROR_DATA);
  assert_non_null(strstr(gf_error_message(), "run/network.json does not say how large"));
  gf__network_free(&n);
}

/* ---- gradients.csv ---- */

/* The column says which tensors are weights: one of another name is, and the scale of a norm is
 * not.
 */
static void weights_may_have_any_name(void **state) {
  (void)state;
  gf_diagnosis *d = NULL;
  make_run("pytorch", PLAIN, "0.1");
  write_text("run/gradients.csv",
             "epoch,step,layer,parameter,mean_abs,l2,zeros,update_ratio,is_weight\n"
             "1,1,rnn,rnn.weight_ih_l0,0.5,1,0,1e-3,1\n1,1,rnn,rnn.bias,0.25,1,0,1e-3,0\n"
             "1,1,norm,norm.weight,0.125,1,0,1e-3,0\n1,1,b,b.weight,0.1,1,0,1e-3,1\n");
  assert_ok(gf_diagnosis_open(&d, in_folder("run")));
  assert_int_equal(d->layer_count, 2);
  assert_string_equal(d->layers[0], "rnn.weight_ih_l0");
  assert_string_equal(d->layers[1], "b");
  assert_true(d->mean_abs[0] == 0.5 && d->mean_abs[1] == 0.1);
  gf_diagnosis_free(&d);
}

/* ---- remedies ---- */

static void remedies_are_code_of_the_framework(void **state) {
  (void)state;
  int remedies;
  make_run("pytorch", PLAIN, "1e-12");
  int all = count_codes("", &remedies);
  assert_int_equal(all, remedies);
  assert_int_equal(count_codes("nn.BatchNorm2d", &remedies), 1);
  assert_int_equal(count_codes("self.block(x)", &remedies), 1);
  assert_int_equal(count_codes("kaiming_normal_", &remedies), 1);
  make_run("keras", PLAIN, "1e-12");
  all = count_codes("", &remedies);
  assert_int_equal(all, remedies);
  assert_int_equal(count_codes("layers.BatchNormalization", &remedies), 1);
  assert_int_equal(count_codes("he_normal", &remedies), 1);
  make_run("jax", PLAIN, "1e-12");
  assert_int_equal(count_codes("", &remedies), 0);
  assert_true(remedies > 0);
}

/* The rate in the code is a tenth of that in metrics.csv, which is 0.02. */
static void rates_are_those_of_the_run(void **state) {
  (void)state;
  int remedies;
  make_run("pytorch", PLAIN, "5");
  assert_int_equal(count_codes("group['lr'] = 0.002", &remedies), 1);
  assert_int_equal(count_codes("clip_grad_norm_(model.parameters(), 1)", &remedies), 1);
  assert_int_equal(count_codes("total_iters=5", &remedies), 1);
  make_run("keras", PLAIN, "5");
  assert_int_equal(count_codes("learning_rate = 0.002", &remedies), 1);
}

static void what_the_layers_have_is_no_remedy(void **state) {
  (void)state;
  int remedies;
  make_run("pytorch", PLAIN ", {\"name\": \"sum\", \"type\": \"add\"}", "1e-12");
  assert_int_equal(count_codes("self.block(x)", &remedies), 0);
  assert_int_equal(count_codes("nn.BatchNorm2d", &remedies), 1);
  make_run("pytorch", PLAIN ", {\"name\": \"norm\", \"type\": \"batch_norm\"}", "1e-12");
  assert_int_equal(count_codes("nn.BatchNorm2d", &remedies), 0);
  /* A norm at the entry alone. */
  make_run("pytorch",
           PLAIN
           ", {\"name\": \"norm\", \"type\": \"batch_norm\"}, "
           "{\"name\": \"c\", \"type\": \"conv2d\"}, {\"name\": \"d\", \"type\": \"conv2d\"}",
           "1e-12");
  assert_int_equal(count_codes("nn.BatchNorm2d", &remedies), 1);
}

/* Where a config can be set, that says it. */
static void runs_with_a_config_have_settings(void **state) {
  (void)state;
  gf_diagnosis *d = NULL;
  make_run("pytorch", PLAIN, "1e-12");
  write_text("run/config.yaml", "model: {family: vgg_stages, shortcut: none}\n");
  assert_ok(gf_diagnosis_open(&d, in_folder("run")));
  assert_true(d->findings[0].remedy_count > 0);
  for (int i = 0; i < d->findings[0].remedy_count; i++) {
    assert_non_null(d->findings[0].remedies[i].setting);
    assert_null(d->findings[0].remedies[i].code);
  }
  gf_diagnosis_free(&d);
}

/* ---- the page, and TensorBoard ---- */

static void pages_have_findings_code_and_figures(void **state) {
  (void)state;
  make_run("pytorch", PLAIN, "1e-12");
  const char *folder = in_folder("run");
  char page[128], *text;
  size_t size;
  snprintf(page, sizeof page, "%s", in_folder("page.html"));
  assert_ok(gf_runs_page(&folder, 1, NULL, page, NULL, NULL));
  assert_ok(gf__file_read(page, &text, &size));
  assert_non_null(strstr(text, "vanishing: 1 of 2 layers"));
  assert_non_null(strstr(text, "<pre># in forward(): add the input of each block"));
  assert_non_null(strstr(text, "application/json")); /* a figure's numbers */
  free(text);
}

/* Step, tag and value of each event. */
static void records_become_events(void **state) {
  (void)state;
  static const struct {
    const char *tag;
    long step;
    double value;
  } expected[] = {{"mean_abs_gradient/a.weight", 1, 0.5},
                  {"mean_abs_gradient/b.weight", 1, 0.1},
                  {"epoch", 1, 1},
                  {"learning_rate", 1, 0.02},
                  {"loss/train", 1, 2.3},
                  {"accuracy/train", 1, 0.1}};
  enum { EVENTS = sizeof expected / sizeof *expected };
  char *path, *bytes;
  size_t size;
  make_run("pytorch", PLAIN, "0.5");
  for (int times = 0; times < 2; times++) { /* the second replaces the first */
    assert_ok(gf_events_write(in_folder("run"), &path));
    assert_ok(gf__file_read(path, &bytes, &size));
    event_file file = read_events(bytes, size);
    assert_int_equal(file.count, EVENTS);
    for (int i = 0; i < EVENTS; i++) {
      assert_string_equal(file.values[i].tag, expected[i].tag);
      assert_int_equal(file.values[i].step, expected[i].step);
      assert_true(file.values[i].scalar == (double)(float)expected[i].value);
    }
    free_events(&file);
    free(path);
  }
}

static void events_of_a_run_are_kept(void **state) {
  (void)state;
  char *path;
  make_run("pytorch", PLAIN, "0.5");
  assert_ok(gf__make_folder(in_folder("run/tensorboard")));
  write_text("run/tensorboard/events.out.tfevents.0.gradflow", "with histograms");
  assert_int_equal(gf_events_write(in_folder("run"), &path), GF_ERROR_FILE);
  assert_null(path);
  assert_non_null(strstr(gf_error_message(), "while it trained"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_and_classes_may_be_unknown),
      cmocka_unit_test(weights_may_have_any_name),
      cmocka_unit_test(remedies_are_code_of_the_framework),
      cmocka_unit_test(rates_are_those_of_the_run),
      cmocka_unit_test(what_the_layers_have_is_no_remedy),
      cmocka_unit_test(runs_with_a_config_have_settings),
      cmocka_unit_test(pages_have_findings_code_and_figures),
      cmocka_unit_test(records_become_events),
      cmocka_unit_test(events_of_a_run_are_kept),
  };
  return cmocka_run_group_tests(tests, folder_open, folder_close);
}
