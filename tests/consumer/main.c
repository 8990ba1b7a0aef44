/* A program outside the tree, in C and in C++: counts the parameters of a network. */
#include <stdio.h>
#include <stdlib.h>

#include <gradflow.h>

/* The study's network of seven convolutions. */
static const char yaml[] =
    "model:\n"
    "  family: vgg_stages\n"
    "  blocks_per_stage: 0\n";

static int fail(gf_status status) {
  fprintf(stderr, "%s: %s\n", gf_status_name(status), gf_error_message());
  return 1;
}

int main(void) {
  gf_versions versions = gf_versions_get();
  printf("gradflow %s\n", versions.program);

  gf_config *config = NULL;
  gf_status status = gf_config_parse(&config, "consumer", yaml);
  if (status != GF_OK) return fail(status);

  gf_image_shape image;
  image.height = 32;
  image.width = 32;
  image.channels = 3;
  gf_layer_summary *layers = NULL;
  int count = 0;
  status = gf_model_summarise(&layers, &count, config, image, 100);
  gf_config_free(&config);
  if (status != GF_OK) return fail(status);

  size_t parameters = 0;
  for (int i = 0; i < count; i++) parameters += layers[i].parameters;
  free(layers);
  printf("%lu parameters\n", (unsigned long)parameters);
  return 0;
}
