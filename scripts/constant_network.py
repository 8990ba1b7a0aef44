#!/usr/bin/env python3
"""Trains what is left of a network whose logits no longer depend on the image: its last biases.

Such a network learns how often each class occurs among its training images, and predicts the
commonest one for every image. All 50,000 images of CIFAR-100 have 500 of each class, so the class
that is commonest in training is the rarest in validation. The script draws splits of 47,500 and
2,500 labels, trains the 100 biases on each by the study's protocol (Adam, mini-batches in a random
order per epoch, cosine schedule over 100 epochs) with five seeds, and prints for each split the
accuracies in percent, mean and standard deviation over the seeds. It needs NumPy, and no images.

usage: constant_network.py [SPLITS]    (default 4; a minute each)
"""

import sys

import numpy as np

CLASSES, PER_CLASS, VALIDATION, EPOCHS = 100, 500, 2500, 100
FINAL_RATE, INPUTS = 2e-5, 32


def train(training, order, rate, batch, decay):
    """Returns the class that the biases predict after each epoch.

    training -- the labels of all training images
    order    -- the generator of the first biases and of each epoch's order
    """
    bias = order.uniform(-1, 1, CLASSES) / np.sqrt(INPUTS)
    mean, square = np.zeros(CLASSES), np.zeros(CLASSES)
    step, predicted = 0, []
    steps = len(training) // batch
    for epoch in range(EPOCHS):
        epoch_rate = FINAL_RATE + (rate - FINAL_RATE) * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2
        batches = order.permutation(training)[: steps * batch].reshape(steps, batch)
        for labels in batches:
            step += 1
            probability = np.exp(bias - bias.max())
            probability /= probability.sum()
            frequency = np.bincount(labels, minlength=CLASSES) / batch
            gradient = probability - frequency + decay * bias
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            corrected = np.sqrt(square / (1 - 0.999**step)) + 1e-8
            bias -= epoch_rate * mean / (1 - 0.9**step) / corrected
        predicted.append(int(bias.argmax()))
    return predicted


def report(name, rate, batch, decay, splits):
    """Prints a line per split."""
    for split in range(splits):
        labels = np.random.default_rng(1000 + split).permutation(np.repeat(np.arange(CLASSES), PER_CLASS))
        validation = np.bincount(labels[:VALIDATION], minlength=CLASSES) / VALIDATION * 100
        training = labels[VALIDATION:]
        counts = np.bincount(training, minlength=CLASSES)
        runs = [train(training, np.random.default_rng(seed), rate, batch, decay) for seed in range(5)]
        last = [run[-1] for run in runs]
        best = [validation[run].max() for run in runs]
        print(
            f"{name}, split {split}: "
            f"training {np.mean(counts[last] / len(training) * 100):.2f} +/- "
            f"{np.std(counts[last] / len(training) * 100):.2f}, "
            f"validation {np.mean(validation[last]):.2f} +/- {np.std(validation[last]):.2f}, "
            f"at the best epoch {np.mean(best):.2f} +/- {np.std(best):.2f}; "
            f"{sum(counts[k] == counts.max() for k in last)} of 5 predict the commonest class",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and not sys.argv[1].isdigit()):
        sys.exit(__doc__)
    number = int(sys.argv[1]) if len(sys.argv) == 2 else 4
    report("rate 1e-3, batch 100, no decay", 1e-3, 100, 0.0, number)
    report("rate 1e-3, batch 50, decay 1e-3", 1e-3, 50, 1e-3, number)
    report("rate 1e-2, batch 100, no decay", 1e-2, 100, 0.0, number)
