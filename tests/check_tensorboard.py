"""Reads a run's event files with the package tensorboard and holds them against the run's CSVs.

usage: check_tensorboard.py RUN_DIR
"""

import collections
import csv
import pathlib
import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = pathlib.Path(sys.argv[1])
EVERYTHING = {"scalars": 0, "tensors": 0, "histograms": 0, "images": 0}


def rows(name):
    with open(run / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def expect(what, found, expected, tolerance=1e-5):
    if not numpy.allclose(found, expected, rtol=tolerance, atol=0, equal_nan=False):
        sys.exit(f"{what}: {found} and not {expected}")


def check_scalars(events, metrics, steps_an_epoch):
    names = {"loss/train": "train_loss", "accuracy/validation": "validation_accuracy"}
    for tag, column in names.items():
        found = events.Scalars(tag)
        expect(tag, [e.value for e in found], [float(row[column]) for row in metrics])
        expect(tag, [e.step for e in found], [steps_an_epoch * int(r["epoch"]) for r in metrics])
    steps = [e.step for e in events.Scalars("loss/batch")]
    if steps != list(range(1, steps_an_epoch * len(metrics) + 1)):
        sys.exit(f"steps of loss/batch: {steps}")


def check_histograms(events, gradients):
    by_parameter = collections.defaultdict(list)
    for row in gradients:
        by_parameter[row["parameter"]].append(row)
    if len(by_parameter) != len(events.Tags()["histograms"]):
        sys.exit(f"histograms: {events.Tags()['histograms']}")
    for parameter, records in by_parameter.items():
        found = events.Histograms(f"gradient/{parameter}")
        expect(parameter, [e.step for e in found], [int(row["step"]) for row in records])
        for event, row in zip(found, records):
            h = event.histogram_value
            expect(parameter, numpy.sqrt(h.sum_squares), float(row["l2"]))
            expect(parameter, max(-h.min, h.max), float(row["max_abs"]))
            expect(parameter, sum(h.bucket), h.num)


def check_images(events):
    tags = events.Tags()["images"]
    if len(tags) < 3:
        sys.exit(f"images: {tags}")
    for tag in tags:
        (image,) = events.Images(tag)
        file = run / (tag.removeprefix("charts/") + ".png")
        if image.encoded_image_string != file.read_bytes() or image.width < 320:
            sys.exit(f"{tag} is not {file}")


accumulator = EventAccumulator(str(run / "tensorboard"), size_guidance=EVERYTHING)
accumulator.Reload()
gradients = rows("gradients.csv")
metrics = rows("metrics.csv")
# Gradients are of an epoch's last whole batch, which the batch of what is left may follow.
recorded = int(gradients[-1]["step"])
steps = len(accumulator.Scalars("loss/batch"))
if steps - recorded not in (0, 1) or steps % len(metrics):
    sys.exit(f"{steps} steps, and the last gradients are of step {recorded}")
check_scalars(accumulator, metrics, steps // len(metrics))
check_histograms(accumulator, gradients)
check_images(accumulator)
