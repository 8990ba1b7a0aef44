"""Logits of a network for FOLDER/images.f32 (float32; images, channels, height, width), once with
the weights of FOLDER/ours.safetensors, into ours.f32, and once with weights that PyTorch has
initialised, into theirs.f32, with those weights in theirs.safetensors."""

import argparse
import os

import numpy
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from networks import NETWORKS


def randomise(model, images):
    """Weights by He, and for norms numbers that no implementation begins with. The running
    statistics come near those of the images, so that activations keep their size."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    model.train()
    with torch.no_grad():
        for _ in range(4):
            model(images)


def write_logits(model, images, path):
    model.eval()
    with torch.no_grad():
        model(images).numpy().tofile(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("classes", type=int)
    parser.add_argument("shape", type=int, nargs=4, help="images, channels, height, width")
    parser.add_argument("folder")
    options = parser.parse_args()

    def path(name):
        return os.path.join(options.folder, name)

    images = torch.from_numpy(numpy.fromfile(path("images.f32"), "<f4").reshape(options.shape))
    model = NETWORKS[options.network](options.classes)
    model.load_state_dict(load_file(path("ours.safetensors")))
    write_logits(model, images, path("ours.f32"))
    randomise(model, images)
    write_logits(model, images, path("theirs.f32"))
    save_file(model.state_dict(), path("theirs.safetensors"))


main()
