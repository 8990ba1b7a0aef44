"""How much CPU time gradflow.watch costs, at its default interval.

    PYTHONPATH=bindings/python python bench/watch_overhead.py [steps]

Trains two equal networks in turn, step by step, of which one is watched, and compares the CPU time
of the process in the steps of each: other work on the machine then slows down both alike. The cost
of watch is the difference of the median steps without a record, and what the median step with one
takes longer, once in an interval. Every tenth step has a record here, so that there are enough.
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
EVERY = 10


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


def train_step(model, optimizer, images, labels, w):
    """Its CPU seconds."""
    start = time.process_time()
    optimizer.zero_grad()
    scores = model(images)
    loss = F.cross_entropy(scores, labels)
    loss.backward()
    optimizer.step()
    if w:
        w.batch(loss, scores, labels)
    return time.process_time() - start


def measure(make, batch):
    """CPU seconds of the median step without watch, and with it without and with a record."""
    models = [make() for _ in range(2)]
    optimizers = [torch.optim.Adam(model.parameters()) for model in models]
    images, labels = torch.randn(batch, 3, 16, 16), torch.randint(0, 10, (batch,))
    off, on, records = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        with gradflow.watch(models[1], optimizers[1], folder, classes=10, every=EVERY) as w:
            for step in range(STEPS):
                seconds = train_step(models[0], optimizers[0], images, labels, None)
                is_record = w._is_armed
                watched = train_step(models[1], optimizers[1], images, labels, w)
                if step >= EVERY:
                    off.append(seconds)
                    (records if is_record else on).append(watched)
    return [statistics.median(times) for times in (off, on, records)]


torch.set_num_threads(1)
torch.manual_seed(0)
every = gradflow._watch.EVERY
print(
    f"PyTorch {torch.__version__}, one thread, {STEPS} steps of each, a record every {every} steps"
)
for name, (make, batch) in NETWORKS.items():
    off, on, record = measure(make, batch)
    cost = (on - off + (record - on) / every) / off
    print(
        f"{name}: {1000 * off:.1f} ms a step, watch {100 * cost:+.1f}%, "
        f"a step with a record {record / off:.1f} times as long",
        flush=True,
    )
