"""Gradients of the mean cross-entropy of FOLDER/images.f32 (float32; images, channels, height,
width) in training, in double precision, with the weights of FOLDER/ours.safetensors: those of all
parameters, one after the other, into gradients.f64."""

import argparse
import os

import numpy
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from networks import NETWORKS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("classes", type=int)
    parser.add_argument("shape", type=int, nargs=4, help="images, channels, height, width")
    parser.add_argument("folder")
    parser.add_argument("labels", type=int, nargs="+")
    options = parser.parse_args()

    def path(name):
        return os.path.join(options.folder, name)

    images = torch.from_numpy(numpy.fromfile(path("images.f32"), "<f4").reshape(options.shape))
    model = NETWORKS[options.network](options.classes)
    model.load_state_dict(load_file(path("ours.safetensors")))
    model.double().train()
    F.cross_entropy(model(images.double()), torch.tensor(options.labels)).backward()
    gradients = [p.grad.numpy().ravel() for p in model.parameters()]
    numpy.concatenate(gradients).astype("<f8").tofile(path("gradients.f64"))


main()
