#!/usr/bin/env python3
"""The networks of the study in PyTorch: images per second of a training step with Adam
and of inference, on one constant batch. Prints rows like those of gradflow bench train."""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

FILTERS, CLASSES, SIDE = 32, 100, 32


def conv(channels=FILTERS, bias=False):
    return nn.Conv2d(channels, FILTERS, 3, padding=1, bias=bias)


class Block(nn.Module):
    """Two convolutions; a reduction pools between them."""

    def __init__(self, reduces, shortcut, norm):
        super().__init__()
        self.conv_0, self.conv_1 = conv(bias=reduces), conv(bias=reduces)
        self.norm_0 = nn.BatchNorm2d(FILTERS) if norm else nn.Identity()
        self.norm_1 = nn.BatchNorm2d(FILTERS) if norm else nn.Identity()
        self.reduces, self.shortcut = reduces, shortcut

    def forward(self, x):
        y = F.leaky_relu(self.norm_0(self.conv_0(x)), 0.01, inplace=True)
        if self.reduces:
            y = F.avg_pool2d(y, 2)
            x = F.avg_pool2d(x, 2) if self.shortcut else x
        y = self.norm_1(self.conv_1(y))
        return F.leaky_relu(y + x if self.shortcut else y, 0.01, inplace=True)


class Network(nn.Module):
    def __init__(self, blocks, shortcut=False, norm=False):
        super().__init__()
        self.input_conv, self.input_norm = conv(3), nn.BatchNorm2d(FILTERS)
        self.blocks = nn.Sequential(
            *(Block(b == blocks, shortcut, norm) for _ in range(3) for b in range(blocks + 1)))
        self.logit_linear = nn.Linear(FILTERS, CLASSES)

    def forward(self, x):
        x = F.leaky_relu(self.input_norm(self.input_conv(x)), 0.01, inplace=True)
        return self.logit_linear(self.blocks(x).mean((2, 3)))


NETWORKS = {
    "plain7": (59716, lambda: Network(0)),
    "plain37": (336196, lambda: Network(5)),
    "residual37": (336196, lambda: Network(5, shortcut=True)),
    "plain37_batch_norm": (338500, lambda: Network(5, norm=True)),
}


def measure(step, steps, device):
    def run():
        step()
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        run()
    times = []
    for _ in range(steps):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=["channels_last", "nchw"], default="channels_last")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
    images = torch.randn(args.batch, 3, SIDE, SIDE).to(args.device, memory_format=layout)
    labels = (torch.arange(args.batch) % CLASSES).to(args.device)
    rows = []
    for name in args.networks.split(","):
        count, make = NETWORKS[name]
        torch.manual_seed(0)
        model = make().to(args.device, memory_format=layout)
        assert sum(p.numel() for p in model.parameters()) == count, name
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)

        def train():
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()

        def infer():
            with torch.inference_mode():
                model(images)

        for kind, step in ("step", train), ("inference", infer):
            model.train(kind == "step")
            times = measure(step, args.steps, args.device)
            median = statistics.median(times)
            rows.append({
                "name": name if kind == "step" else f"{name}, inference", "kind": kind,
                "batch": args.batch, "samples": len(times), "seconds": median,
                "images_per_second": args.batch / median,
                "host_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
            print(f"{rows[-1]['name']:32s} {args.batch / median:8.1f} images/s", file=sys.stderr)
    context = {"executable": "pytorch_train.py", "pytorch": torch.__version__,
               "python": platform.python_version(), "layout": args.layout,
               "threads": args.threads, "num_cpus": os.cpu_count(), "device": args.device}
    if args.device == "cuda":
        context["device"] = torch.cuda.get_device_name()
    text = json.dumps({"context": context, "rows": rows}, indent=1)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
