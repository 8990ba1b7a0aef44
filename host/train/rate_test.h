/* The pieces of gf_rate_test_run that need no device. */
#ifndef GF_TRAIN_RATE_TEST_H
#define GF_TRAIN_RATE_TEST_H

#include <gradflow/rate_test.h>

/* The rate of step i, from 0. */
double gf__rate_test_rate(const gf_rate_test_options *options, int i);
/* Adds a step, for which there is room; true: the test is over, by a loss that has risen. */
bool gf__rate_test_add(gf_rate_test *test, double learning_rate, double loss);
/* Sets fastest, lowest and lowest_loss. */
void gf__rate_test_judge(gf_rate_test *test);

#endif
