#include "diagnosis/remedy_code.h"

#include <math.h>
#include <string.h>

#include "base/csv.h"
#include "base/os.h"
#include "run/run_folder.h"

/* ---- the table: a row per setting that a remedy makes ---- */

/* "%s" is the value; lines end by "\n" and fit a narrow screen. */
static const struct remedy_code {
  const char *section, *key;
  const char *value; /* whose code it is; NULL: any */
  const char *pytorch, *keras;
} remedy_codes[] = {
    {"model", "shortcut", NULL,
     "# in forward(): add the input of each block to its output\n"
     "x = x + self.block(x)",
     "# add the input of each block to its output\n"
     "x = keras.layers.add([x, block(x)])"},
    {"model", "norm", "none", "nn.GroupNorm(groups, channels)  # in place of nn.BatchNorm2d",
     "layers.GroupNormalization(groups)  # in place of BatchNormalization"},
    {"model", "batch_norm", NULL, "model = nn.SyncBatchNorm.convert_sync_batchnorm(model)",
     "layers.BatchNormalization(synchronized=True)"},
    {"model", "norm", NULL,
     "# after each convolution\n"
     "nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),\n"
     "nn.BatchNorm2d(outputs),",
     "# after each convolution\n"
     "x = layers.Conv2D(filters, 3, padding='same', use_bias=False)(x)\n"
     "x = layers.BatchNormalization()(x)"},
    {"model", "auxiliaries", NULL,
     "# self.auxiliary = nn.Linear(channels, classes), on a hidden layer\n"
     "hidden_scores = self.auxiliary(hidden.mean((2, 3)))\n"
     "loss = loss + 0.3 * F.cross_entropy(hidden_scores, labels)",
     "pooled = layers.GlobalAveragePooling2D()(hidden)\n"
     "model = keras.Model(inputs, [scores, layers.Dense(classes)(pooled)])\n"
     "model.compile(..., loss_weights=[1, 0.3])"},
    {"model", "activation", NULL, "nn.LeakyReLU(0.1)", "layers.LeakyReLU(negative_slope=0.1)"},
    {"model", "initialisation", "he",
     "for module in model.modules():\n"
     "    if isinstance(module, (nn.Conv2d, nn.Linear)):\n"
     "        nn.init.kaiming_normal_(module.weight, nonlinearity='relu')",
     "layers.Conv2D(..., kernel_initializer='he_normal')"},
    {"model", "initialisation", "xavier",
     "for module in model.modules():\n"
     "    if isinstance(module, (nn.Conv2d, nn.Linear)):\n"
     "        nn.init.xavier_uniform_(module.weight)",
     "layers.Conv2D(..., kernel_initializer='glorot_uniform')"},
    {"train", "batch_size", NULL, "DataLoader(dataset, batch_size=64, drop_last=True)",
     "model.fit(images, labels, batch_size=64)"},
    {"data", "mean", NULL, "transforms.Normalize(mean, std)  # of the training images",
     "layers.Normalization()  # after its adapt(training_images)"},
    {"data", "std", NULL, "transforms.Normalize(mean, std)  # of the training images",
     "layers.Normalization()  # after its adapt(training_images)"},
    {"data", "mixup", NULL, "torchvision.transforms.v2.MixUp(num_classes=classes)  # of batches",
     "layers.MixUp(alpha=%s)"},
    {"optimizer", "weight_decay", NULL, "torch.optim.AdamW(model.parameters(), weight_decay=%s)",
     "keras.optimizers.AdamW(weight_decay=%s)"},
    {"optimizer", "name", "adamw", "torch.optim.AdamW(model.parameters())",
     "keras.optimizers.AdamW()"},
    {"optimizer", "clip_norm", NULL,
     "# between loss.backward() and optimizer.step()\n"
     "nn.utils.clip_grad_norm_(model.parameters(), %s)",
     "keras.optimizers.Adam(..., global_clipnorm=%s)"},
    {"optimizer", "learning_rate", NULL,
     "for group in optimizer.param_groups:\n"
     "    group['lr'] = %s",
     "model.optimizer.learning_rate = %s"},
    {"schedule", "warmup_epochs", NULL,
     "warm_up = torch.optim.lr_scheduler.LinearLR(\n"
     "    optimizer, start_factor=0.01, total_iters=%s)\n"
     "# and warm_up.step() after each epoch",
     "keras.optimizers.schedules.CosineDecay(\n"
     "    0.0, steps, warmup_target=rate, warmup_steps=%s * steps_per_epoch)"},
};

static const struct remedy_code *find_code(const char *section, const char *key,
                                           const char *value) {
  for (size_t i = 0; i < sizeof remedy_codes / sizeof *remedy_codes; i++) {
    const struct remedy_code *r = &remedy_codes[i];
    if (strcmp(r->section, section) || strcmp(r->key, key)) continue;
    if (!r->value || (value && !strcmp(r->value, value))) return r;
  }
  return NULL;
}

static const char *code_of(const struct remedy_code *r, const char *framework) {
  if (!strcmp(framework, "pytorch")) return r->pytorch;
  return strcmp(framework, "keras") ? NULL : r->keras;
}

gf_status gf__remedy_code(const gf__case *c, const char *section, const char *key,
                          const char *value, char **out) {
  const char *framework = c->network.framework;
  const struct remedy_code *r = key ? find_code(section, key, value) : NULL;
  const char *code = r && framework && !c->config ? code_of(r, framework) : NULL;
  gf__text text = {0};
  *out = NULL;
  if (!code) return GF_OK;
  const char *place = strstr(code, "%s");
  if (place)
    gf__text_add(&text, "%.*s%s%s", (int)(place - code), code, value ? value : "...", place + 2);
  else
    gf__text_add(&text, "%s", code);
  GF_TRY(gf__text_status(&text));
  *out = text.data;
  return GF_OK;
}

/* ---- what the layers show ---- */

static bool ends_with(const char *word, const char *end) {
  size_t length = strlen(word), tail = strlen(end);
  return length >= tail && !strcmp(word + length - tail, end);
}

static bool has_layer(const gf__network *n, const char *kind) {
  for (int i = 0; i < n->layer_count; i++)
    if (!strcmp(n->layers[i].kind, kind)) return true;
  return false;
}

/* Whether there is a norm for at least every other convolution: a norm at the entry alone is none
 * after every convolution. */
static bool has_norms(const gf__network *n) {
  int norms = 0, convolutions = 0;
  for (int i = 0; i < n->layer_count; i++) {
    norms += ends_with(n->layers[i].kind, "_norm");
    convolutions += !strncmp(n->layers[i].kind, "conv", 4);
  }
  return norms && 2 * norms >= convolutions;
}

bool gf__remedy_is_in_layers(const gf__case *c, const char *section, const char *key) {
  const gf__network *n = &c->network;
  if (c->config || n->layer_count == 0 || strcmp(section, "model") != 0) return false;
  if (!strcmp(key, "shortcut")) return has_layer(n, "add");
  if (!strcmp(key, "norm")) return has_norms(n);
  /* What has neither a ReLU nor saturates has an activation with a slope. */
  if (!strcmp(key, "activation")) return !has_layer(n, "relu") && !gf__case_saturates(c, NULL);
  return false;
}

double gf__recorded_rate(const gf__case *c) {
  static const gf__csv_column columns[] = {{.name = "learning_rate"}};
  char path[GF__PATH_SIZE];
  gf__csv csv = {0};
  double rate = NAN;
  gf_status status = gf__run_path(path, c->run.folder, "metrics.csv");
  if (status == GF_OK) status = gf__csv_read(&csv, path, columns, 1);
  if (status == GF_OK && csv.rows) rate = csv.numbers[0][csv.rows - 1];
  gf__csv_free(&csv);
  return rate;
}
