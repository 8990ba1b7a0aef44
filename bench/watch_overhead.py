"""How much CPU time gradflow.watch costs, at its default interval.

    PYTHONPATH=bindings/python python bench/watch_overhead.py [steps] [rounds]

Trains each network for so many steps with and without watch, in turn, and compares the CPU time of
the process, which other work on the machine does not count into. The first 16 steps, in which a
run has most of its early records, are not measured.
"""

import statistics
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
from torch import nn

import gradflow

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 400
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
WARM_UP = 16


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(y)))


def residual(channels, blocks):
    stem = nn.Conv2d(3, channels, 3, padding=1)
    ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(stem, *[Block(channels) for _ in range(blocks)], *ends)


def perceptron():
    layers = [nn.Flatten(), nn.Linear(3 * 16 * 16, 512), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


NETWORKS = {
    "perceptron, 3 layers of 512, batch 128": (perceptron, 128),
    "residual, 7 convolutions of 16, 16x16, batch 32": (lambda: residual(16, 3), 32),
    "residual, 17 convolutions of 32, 16x16, batch 16": (lambda: residual(32, 8), 16),
}


def cpu_seconds(make, batch, is_watched):
    """Of STEPS training steps."""
    torch.manual_seed(0)
    model = make()
    optimizer = torch.optim.Adam(model.parameters())
    images, labels = torch.randn(batch, 3, 16, 16), torch.randint(0, 10, (batch,))
    with tempfile.TemporaryDirectory() as folder:
        w = gradflow.watch(model, optimizer, folder, classes=10) if is_watched else None
        for step in range(WARM_UP + STEPS):
            if step == WARM_UP:
                start = time.process_time()
            optimizer.zero_grad()
            scores = model(images)
            loss = F.cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            if w:
                w.batch(loss, scores, labels)
        seconds = time.process_time() - start
        if w:
            w.close()
    return seconds


torch.set_num_threads(1)
print(f"PyTorch {torch.__version__}, one thread, {STEPS} steps, median of {ROUNDS} rounds")
for name, (make, batch) in NETWORKS.items():
    pairs = [[cpu_seconds(make, batch, watched) for watched in (False, True)] for _ in range(ROUNDS)]
    ratios = [100 * (on / off - 1) for off, on in pairs]
    plain = statistics.median(off for off, _ in pairs) / STEPS
    print(
        f"{name}: {1000 * plain:.1f} ms a step, watch {statistics.median(ratios):+.1f}% "
        f"({min(ratios):+.1f} to {max(ratios):+.1f})",
        flush=True,
    )
