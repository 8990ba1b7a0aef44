/* Writes the records of a training loop that knows nothing of gradflow, for gradflow to diagnose.
 * docs/records.md describes the files. The network is a chain of layers, each of which halves its
 * input and adds a half; what it is to give for 1 changes from step to step.
 *
 *     cc -o write_records examples/c/write_records.c -lm
 *     mkdir -p runs/chain && ./write_records runs/chain && gradflow diagnose runs/chain */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAYERS = 40, EPOCHS = 3, STEPS = 10 };

static FILE *create(const char *folder, const char *name, const char *header) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (!file || fputs(header, file) == EOF) exit((perror(path), 1));
  return file;
}

int main(int argc, char **argv) {
  const char *folder = argc > 1 ? argv[1] : "."; /* which must be there */
  const double rate = 0.01;
  double weights[LAYERS], g[LAYERS], outputs[LAYERS + 1] = {1}, loss = 0;
  FILE *network = create(folder, "network.json",
                         "{\"format\": 1, \"image\": null, \"classes\": null, \"layers\": [");
  FILE *metrics = create(folder, "metrics.csv",
                         "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
                         "validation_accuracy\n");
  FILE *gradients = create(folder, "gradients.csv",
                           "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n");
  for (int i = 0; i < LAYERS; i++) {
    weights[i] = 0.5;
    fprintf(network, "%s\n{\"name\": \"layer_%d\", \"type\": \"linear\"}", i ? "," : "", i);
  }
  fputs("\n], \"optimizer\": {\"kind\": \"sgd\", \"eps\": null}}\n", network);
  for (int step = 1; step <= EPOCHS * STEPS; step++) {
    int epoch = (step - 1) / STEPS + 1;
    for (int i = 0; i < LAYERS; i++) outputs[i + 1] = outputs[i] * weights[i] + 0.5;
    double error = outputs[LAYERS] - (step % 2 ? 1.4 : 0.6), slope = 2 * error;
    loss += error * error / STEPS;
    for (int i = LAYERS - 1; i >= 0; slope *= weights[i--]) g[i] = slope * outputs[i];
    for (int i = 0; i < LAYERS && step % STEPS == 0; i++) /* a record at the end of each epoch */
      fprintf(gradients, "%d,%d,layer_%d,layer_%d.weight,%g,%g,%g,%d,%g\n", epoch, step, i, i,
              fabs(g[i]), fabs(g[i]), fabs(g[i]), g[i] == 0, rate * fabs(g[i] / weights[i]));
    for (int i = 0; i < LAYERS; i++) weights[i] -= rate * g[i];
    if (step % STEPS) continue;
    fprintf(metrics, "%d,%g,%g,nan,nan,nan\n", epoch, rate, loss);
    loss = 0;
  }
  return fclose(network) | fclose(metrics) | fclose(gradients) ? 1 : 0;
}
