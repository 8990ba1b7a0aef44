/* The case lists of layers as what gradflow bench layers measures. */
#ifndef GF_VERIFY_LAYER_CASES_H
#define GF_VERIFY_LAYER_CASES_H

#include <gradflow/bench.h>

typedef struct gf__layer_cases {
  gf_bench_layer *layers; /* called "conv2d/3", with the case's text as the note */
  int count;
} gf__layer_cases;

/* The cases of the names, which are layers or, as "conv2d/3", single cases; of all layers where
 * there are no names. batch: images, in place of a case's; 0: the case's. Layers of volumes are
 * left out, as a layer before them would have to make the volume. GF_ERROR_ARGUMENT for a name that
 * no case has. Free *out also after a failure. */
gf_status gf__layer_cases_read(gf__layer_cases *out, const char *const *names, int name_count,
                               int batch) GF_MUST_USE;
void gf__layer_cases_free(gf__layer_cases *cases);

#endif
