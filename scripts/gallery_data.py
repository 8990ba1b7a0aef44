#!/usr/bin/env python3
"""Writes the broken data sets of the gallery: IDX files made of those of Fashion-MNIST."""
import gzip
import random
import struct
import sys
from pathlib import Path

SOURCE = Path("/usr/share/datasets/fashion-mnist")
TRAIN, TEST = "train", "t10k"


def read_set(split):
    """The images of a split, 784 bytes each, and their labels."""
    pixels, labels = (gzip.decompress((SOURCE / f"{split}-{name}-ubyte.gz").read_bytes())
                      for name in ("images-idx3", "labels-idx1"))
    labels = labels[8:]
    return [pixels[16 + i * 784:16 + (i + 1) * 784] for i in range(len(labels))], list(labels)


def write_set(folder, split, images, labels):
    (folder / f"{split}-images-idx3-ubyte").write_bytes(
        struct.pack(">IIII", 0x803, len(images), 28, 28) + b"".join(images))
    (folder / f"{split}-labels-idx1-ubyte").write_bytes(
        struct.pack(">II", 0x801, len(labels)) + bytes(labels))


def constant(images, labels, rng):
    """Each image is the same grey."""
    return [bytes([127]) * 784 for _ in images], labels


def same(images, labels, rng):
    """Each image is the first one."""
    return [images[0] for _ in images], labels


def random_labels(images, labels, rng):
    """Labels have nothing to do with the images."""
    return images, [rng.randrange(10) for _ in labels]


def noisy_labels(images, labels, rng):
    """Half of the labels are random."""
    return images, [rng.randrange(10) if rng.random() < 0.5 else label for label in labels]


def noise(images, labels, rng):
    """Each pixel is random."""
    return [rng.randbytes(784) for _ in images], labels


def imbalanced(images, labels, rng):
    """Nine images in ten are of class 0, and labels have nothing to do with the images."""
    return images, [0 if rng.random() < 0.9 else rng.randrange(10) for _ in labels]


def marked(images, labels, rng):
    """Row k of an image of class k is white."""
    return [image[:28 * label] + b"\xff" * 28 + image[28 * label + 28:]
            for image, label in zip(images, labels)], labels


SETS = (marked, constant, same, random_labels, noisy_labels, noise, imbalanced)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: scripts/gallery_data.py DIR\n\n" + __doc__ + "\nDIR gets a folder for each: "
                 + ", ".join(make.__name__ for make in SETS) + ".")
    if not SOURCE.is_dir():
        sys.exit(f"gallery_data.py: no {SOURCE}: install Debian's package dataset-fashion-mnist")
    splits = {split: read_set(split) for split in (TRAIN, TEST)}
    for make in SETS:
        folder = Path(sys.argv[1]) / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for split, (images, labels) in splits.items():
            count = 6000 if split == TRAIN else 1000
            write_set(folder, split, *make(images[:count], labels[:count], random.Random(split)))


if __name__ == "__main__":
    main()
