/* What guessing scores: the level that losses and accuracies are compared with, in charts, in the
 * diagnosis and in the reports of studies. */
#ifndef GF_RUN_GUESS_H
#define GF_RUN_GUESS_H

#include <stdbool.h>

#include "run/data_record.h"

/* A network that ignores its input does best by answering with the frequencies of the classes. */
typedef struct gf__guess {
  int classes;         /* 0 where it is not known, and then nothing else is */
  long images;         /* of training; 0 where that is not known */
  double uniform_loss; /* ln(classes): each class is as likely as the others */
  double loss;         /* entropy of the frequencies; uniform_loss where they are not known */
  int present;         /* classes with training images; as many as classes if not known */
  double commonest;    /* fraction of the training images; NaN where that is not known */
  int commonest_class; /* -1 where that is not known */
  double accuracy;     /* the larger of 1 / classes and commonest */
} gf__guess;

/* images: of training, where the record does not have them; 0: not known. */
gf__guess gf__guess_of(int classes, const gf__data_record *record, long images);
/* The accuracy that guessing stays below: three standard deviations of the binomial distribution
 * above guess->accuracy; half as much again where the number of images is not known. */
double gf__guess_most(const gf__guess *guess);
/* Whether a network with this loss and accuracy, a fraction, only guesses: neither is better. False
 * where the classes are not known. */
bool gf__is_guessing(const gf__guess *guess, double loss, double accuracy);
/* Whether the loss is lower than that of guessing by more than one part in a hundred. */
bool gf__is_below_guessing(double guess_loss, double loss);

#endif
