"""How much of the images is left in each layer of the study's networks, in double precision.

    contrast.py DATA [--images N] [--seed N] [--init default|he|orthogonal] [--network plain37]
    contrast.py --folder FOLDER --network NAME

The first form takes images of CIFAR-100's train.bin in DATA and prints a line per block: its
contrast, and the mean |gradient| of its first convolution for the batch and for one image. The
second takes the weights and the 32 x 32 images that a test has written, FOLDER/ours.safetensors
and FOLDER/images.f32, and writes the contrast of each activation to FOLDER/contrast.f64."""

import argparse
import os

import numpy
import torch
from torch import nn
from torch.nn import functional

from networks import Study

KINDS = {"plain37": {}, "residual37": {"shortcut": True}, "plain37_norm": {"norm": True}}
MEAN, DEVIATION = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)


def contrast(x):
    """The energy of what differs between the images, divided by all of it."""
    return float(((x - x.mean(0)) ** 2).sum() / (x**2).sum())


def read_cifar(folder, count):
    rows = numpy.fromfile(os.path.join(folder, "train.bin"), numpy.uint8, count * 3074)
    rows = rows.reshape(count, 3074)
    images = torch.from_numpy(rows[:, 2:].reshape(count, 3, 32, 32).astype("float64") / 255)
    mean, deviation = (torch.tensor(v).double()[:, None, None] for v in (MEAN, DEVIATION))
    return (images - mean) / deviation, torch.from_numpy(rows[:, 1].astype("int64"))


def initialise(model, how):
    for module in model.modules():
        if how == "default" or not isinstance(module, nn.Conv2d):
            continue
        if how == "he":
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if how == "orthogonal":
            nn.init.orthogonal_(module.weight, 2**0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Trace:
    """Keeps what each leaky ReLU of the network returns, in order."""

    def __enter__(self):
        self.outputs, self.leaky_relu = [], functional.leaky_relu

        def traced(x, slope):
            y = self.leaky_relu(x, slope)
            self.outputs.append(y.detach())
            return y

        functional.leaky_relu = traced
        return self

    def __exit__(self, *_):
        functional.leaky_relu = self.leaky_relu


def gradient(model, images, labels):
    model.zero_grad()
    functional.cross_entropy(model(images), labels).backward()
    return {n: p.grad.abs().mean().item() for n, p in model.named_parameters() if p.dim() == 4}


def print_table(options):
    torch.manual_seed(options.seed)
    model = Study(100, 5, **KINDS[options.network]).double()
    initialise(model, options.init)
    images, labels = read_cifar(options.data, options.images)
    with Trace() as trace:
        logits = model(images).detach()
    batch = gradient(model, images, labels)
    single = [gradient(model, images[i : i + 1], labels[i : i + 1]) for i in range(8)]
    blocks = trace.outputs[2::2]  # the entry, then two in each block
    print(f"{options.network}, {options.init}, {options.images} images, seed {options.seed}")
    for name, x in zip(model.names, blocks):
        conv = f"{name}_conv_0.weight"
        one = sum(g[conv] for g in single) / len(single)
        print(f"  {name:13} contrast {contrast(x):8.2e}  |g| batch {batch[conv]:8.1e} "
              f"image {one:8.1e} coherence {batch[conv] / one:.2f}")
    print(f"  logits differ by {logits.std(0).mean():.1e}")


def write_contrast(options):
    from safetensors.torch import load_file

    images = numpy.fromfile(os.path.join(options.folder, "images.f32"), "<f4")
    images = torch.from_numpy(images.reshape(-1, 3, 32, 32)).double()
    model = Study(10, 5, **KINDS[options.network])
    model.load_state_dict(load_file(os.path.join(options.folder, "ours.safetensors")))
    with Trace() as trace:
        model.double()(images)
    numbers = numpy.array([contrast(x) for x in trace.outputs])
    numbers.tofile(os.path.join(options.folder, "contrast.f64"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", choices=["default", "he", "orthogonal"], default="default")
    parser.add_argument("--network", choices=KINDS, default="plain37")
    parser.add_argument("--folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.folder:
        write_contrast(options)
    else:
        print_table(options)


main()
