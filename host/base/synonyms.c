/* What other programs and papers call things that have another name here. */
#include <string.h>

#include "base/text.h"

/* A word may have several meanings; the first is taken that there is among the candidates. */
static const struct {
  const char *word, *meaning;
} synonyms[] = {
    {"lr", "learning_rate"},
    {"lr0", "learning_rate"},
    {"learning-rate", "learning_rate"},
    {"base_lr", "learning_rate"},
    {"eta", "learning_rate"},
    {"wd", "weight_decay"},
    {"weight-decay", "weight_decay"},
    {"l2", "weight_decay"},
    {"n_epochs", "epochs"},
    {"num_epochs", "epochs"},
    {"max_epochs", "epochs"},
    {"num-epochs", "epochs"},
    {"bs", "batch_size"},
    {"batch", "batch_size"},
    {"batch-size", "batch_size"},
    {"random_seed", "seed"},
    {"early_stopping", "stop"},
    {"monitor", "metric"},
    {"max_time", "time"},
    {"pretrained", "weights"},
    {"betas", "beta1"},
    {"epsilon", "eps"},
    {"rho", "alpha"},
    {"gradient_clip", "clip_norm"},
    {"grad_clip", "clip_norm"},
    {"max_grad_norm", "clip_norm"},
    {"warmup", "warmup_epochs"},
    {"eta_min", "final"},
    {"lr_min", "final"},
    {"min_lr", "final"},
    {"step_size", "every"},
    {"gamma", "factor"},
    {"arch", "family"},
    {"architecture", "family"},
    {"layers", "graph"},
    {"init", "initialisation"},
    {"initialization", "initialisation"},
    {"smoothing", "label_smoothing"},
    {"skip", "shortcut"},
    {"residual", "shortcut"},
    {"bn", "norm"},
    {"bn", "batch_norm"},
    {"batchnorm", "norm"},
    {"batchnorm", "batch_norm"},
    {"companions", "auxiliaries"},
    {"companion_loss", "auxiliary_loss"},
    {"companion_weight", "auxiliary_weight"},
    {"vgg", "vgg_stages"},
    {"resnet", "resnet_cifar"},
    {"swish", "silu"},
    {"relu6", "clamp"},
    {"hard_tanh", "clamp"},
    {"clip", "clamp"},
    {"hardswish", "hard_swish"},
    {"hardsigmoid", "hard_sigmoid"},
    {"lrelu", "leaky_relu"},
    {"fc", "linear"},
    {"dense", "linear"},
    {"conv", "conv2d"},
    {"channels", "filters"},
    {"width", "filters"},
    {"out_channels", "filters"},
    {"negative_slope", "slope"},
    {"dataset", "data"},
    {"net", "model"},
    {"network", "model"},
    {"training", "train"},
    {"optim", "optimizer"},
    {"opt", "optimizer"},
    {"optimiser", "optimizer"},
    {"scheduler", "schedule"},
    {"lr_scheduler", "schedule"},
    {"lr_schedule", "schedule"},
};

const char *gf__synonym(const char *word, const void *candidates, size_t count, size_t stride) {
  for (size_t s = 0; s < sizeof synonyms / sizeof *synonyms; s++)
    for (size_t i = 0; !strcmp(synonyms[s].word, word) && i < count; i++) {
      const char *name = *(const char *const *)((const char *)candidates + i * stride);
      if (!strcmp(name, synonyms[s].meaning)) return name;
    }
  return NULL;
}
