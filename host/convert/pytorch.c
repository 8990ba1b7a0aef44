/* Weights as PyTorch's load_state_dict takes them. */
#include <stdlib.h>
#include <string.h>

#include "convert/stored.h"

static const int64_t no_batches_; /* PyTorch reads it for averages that gradflow does not have */

static bool is_of_norm(const gf__named_tensor *t, const gf_node *node) {
  size_t length = strlen(node->name);
  return !strncmp(t->name, node->name, length) && !strcmp(t->name + length, ".running_mean");
}

/* The tensors of all nodes that inference needs, behind a count for each norm among them, so that
 * eight bytes lie at a multiple of eight. Values stay those of stored. */
static size_t list_tensors(const gf__stored *stored, gf__named_tensor *out) {
  static const char suffix[] = ".num_batches_tracked";
  size_t count = 0, next;
  for (int pass = 0; pass < 2; pass++) {
    next = 0;
    for (int i = 0; i < stored->graph.count; i++) {
      const gf_node *node = stored->graph.nodes[i];
      for (int k = 0; k < node->parameter_count; k++) {
        const gf__named_tensor *t = &stored->tensors[next++];
        if (node->trains_only) continue;
        if (pass == 1) out[count++] = *t;
        if (pass == 1 || !is_of_norm(t, node)) continue;
        out[count] = (gf__named_tensor){.count = 1, .integers = &no_batches_};
        memcpy(out[count].name, node->name, strlen(node->name));
        strcat(out[count++].name, suffix);
      }
    }
  }
  return count;
}

static gf_status write(const gf__stored *stored, const char *path) {
  size_t bytes = 2 * (stored->count + 1) * sizeof(gf__named_tensor);
  gf__named_tensor *tensors = malloc(bytes);
  if (!tensors) return gf__fail_host_memory(bytes);
  gf_status status = gf__safetensors_write(path, tensors, list_tensors(stored, tensors), NULL);
  free(tensors);
  return status;
}

gf_status gf_export_pytorch(const char *run_folder, const char *path,
                            const gf_export_options *options, gf_conversion *out) {
  const gf_export_options usual = gf_export_options_default();
  gf_conversion result;
  gf__stored stored = {0};
  gf_config *config;
  gf_status status =
      gf__export_begin(run_folder, path, options ? options : &usual, &config, &result);
  if (status == GF_OK) status = gf__stored_open(&stored, config, result.weights, run_folder);
  if (status == GF_OK) status = write(&stored, path);
  if (status == GF_OK && out) gf__stored_describe(&stored, result.weights, out);
  gf__stored_free(&stored);
  gf_config_free(&config);
  return status;
}
