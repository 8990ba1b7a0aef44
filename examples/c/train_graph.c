/* Trains a network of its own and watches its gradients.
 *
 *   cc train_graph.c $(pkg-config --cflags --libs gradflow) -o train_graph
 *   ./train_graph runs/mine        # on Fashion-MNIST, from Debian's dataset-fashion-mnist
 *   ./train_graph runs/mine train.epochs=5 optimizer.learning_rate=0.01
 */
#include <stdio.h>

#include <gradflow.h>

static const char network[] =
    "data: {name: fashion_mnist, train_limit: 2000, validation: 500}\n"
    "model:\n"
    "  graph:\n"
    "    - {type: conv2d, filters: 16, padding: 1}\n"
    "    - {type: leaky_relu}\n"
    "    - {name: half, type: max_pool, kernel: 2}\n"
    "    - {type: conv2d, filters: 16, padding: 1}\n"
    "    - {type: leaky_relu}\n"
    "    - {type: conv2d, filters: 16, padding: 1}\n"
    "    - {name: sum, type: add, input: [conv2d_5, half]}\n"
    "    - {type: global_avg_pool}\n"
    "    - {type: linear, outputs: 10}\n"
    "optimizer: {name: adam, learning_rate: 5e-3}\n"
    "train: {epochs: 2, batch_size: 50}\n";

/* How large the gradient is where it was last seen, from the input to the output. */
typedef struct watch {
  double first, last;
} watch;

static void on_gradients(void *user, int epoch, long step, const gf_gradient_stats *gradients,
                         int count) {
  watch *w = user;
  (void)epoch, (void)step;
  w->first = gradients[0].mean_abs;
  for (int i = 0; i < count; i++)
    if (gradients[i].is_weight) w->last = gradients[i].mean_abs;
}

static void on_epoch(void *user, const gf_epoch *e) {
  const watch *w = user;
  printf("epoch %d of %d: loss %.3f, validation accuracy %.1f%%, |gradient| %.1e to %.1e\n",
         e->epoch, e->epochs, e->train_loss, 100 * e->validation_accuracy, w->first, w->last);
}

/* The config with the settings of the command line. */
static gf_status make_config(gf_config **out, int count, char **settings) {
  gf_status status = gf_config_parse(out, "train_graph.c", network);
  for (int i = 0; status == GF_OK && i < count; i++) status = gf_config_set(*out, settings[i]);
  return status;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: train_graph RUN_FOLDER [KEY=VALUE...]\n");
    return 2;
  }
  gf_config *config = NULL;
  gf_device *device = NULL;
  gf_test_result result = {0};
  watch w = {0, 0};
  gf_train_options options = gf_train_options_default();
  options.out = argv[1];
  options.overwrite = true;
  options.events.user = &w;
  options.events.gradients = on_gradients;
  options.events.epoch = on_epoch;

  gf_status status = make_config(&config, argc - 2, argv + 2);
  if (status == GF_OK) status = gf_device_open(&device, NULL);
  if (status == GF_OK) status = gf_train(device, config, &options);
  if (status == GF_OK) status = gf_test(device, argv[1], &result);
  if (status == GF_OK) printf("test accuracy %.1f%%\n", 100 * result.accuracy);
  if (status != GF_OK) fprintf(stderr, "train_graph: %s\n", gf_error_message());
  gf_test_result_free(&result);
  gf_device_free(&device);
  gf_config_free(&config);
  return status == GF_OK ? 0 : 1;
}
