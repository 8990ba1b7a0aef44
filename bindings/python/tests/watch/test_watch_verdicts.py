"""gradflow.watch against gradflow's own runs: the same networks, data and optimizer, the same verdict.

They need torch, the library and an OpenCL device; without torch they are skipped.
"""

import contextlib
import logging
import pathlib
import tempfile
import unittest

import numpy as np

import gradflow

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    torch = None

SKIPPED = "skipped: this Python has no torch; GRADFLOW_PYTHON=PATH names another"
CLASSES, IMAGES, TRAINED, BATCH, EPOCHS, CHANNELS, DEPTH = 100, 160, 152, 38, 2, 8, 24


def write_cifar(path, count, seed):
    """Images of noise around a colour in CIFAR-100's format; returns pixels and labels."""
    random = np.random.default_rng(seed)
    colours = random.integers(60, 190, (count, 3, 1))
    planes = np.clip(colours + random.integers(-50, 50, (count, 3, 1024)), 0, 255)
    labels = np.arange(count) * 3 % CLASSES
    rows = np.column_stack([labels % 20, labels, planes.reshape(count, -1)])
    rows.astype(np.uint8).tofile(path)
    return planes.reshape(count, 3, 32, 32).astype(np.float32) / 255, labels


def graph(is_residual, activation="relu", depth=DEPTH):
    """Convolutions in a chain, or in blocks of two with shortcuts."""
    nodes = [
        {
            "name": "stem",
            "type": "conv2d",
            "filters": CHANNELS,
            "kernel": 3,
            "padding": 1,
            "stride": 4,
        },
        {"name": "x0", "type": activation},
    ]
    for i in range(depth):
        conv = {
            "name": f"conv{i}",
            "type": "conv2d",
            "filters": CHANNELS,
            "kernel": 3,
            "padding": 1,
        }
        nodes.append(conv)
        if is_residual and i % 2:
            last = "x0" if i == 1 else f"x{i - 1}"
            nodes.append({"name": f"sum{i}", "type": "add", "input": [f"conv{i}", last]})
        nodes.append({"name": f"x{i + 1}", "type": activation})
    return [
        *nodes,
        {"type": "global_avg_pool"},
        {"name": "last", "type": "linear", "outputs": CLASSES},
    ]


if torch is not None:

    class Network(nn.Module):
        """The same in PyTorch, whose default weights are as wide as gradflow's."""

        def __init__(self, is_residual, activation="relu", depth=DEPTH):
            super().__init__()
            self.is_residual = is_residual
            self.activation = getattr(torch, activation)
            self.stem = nn.Conv2d(3, CHANNELS, 3, stride=4, padding=1)
            self.convs = nn.ModuleList(
                nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(depth)
            )
            self.last = nn.Linear(CHANNELS, CLASSES)

        def forward(self, x):
            x = kept = self.activation(self.stem(x))
            for i, conv in enumerate(self.convs):
                x = conv(x)
                if self.is_residual and i % 2:
                    x = x + kept
                x = self.activation(x)
                kept = x if i % 2 else kept
            return self.last(x.mean((2, 3)))


@unittest.skipIf(torch is None, SKIPPED)
class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        logging.getLogger("gradflow").setLevel(logging.ERROR)
        cls.temporary = tempfile.TemporaryDirectory(prefix="gradflow-verdicts-")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.images, cls.labels = write_cifar(cls.folder / "train.bin", IMAGES, 1)
        write_cifar(cls.folder / "test.bin", 20, 2)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def own_run(self, name, network, optimizer="adam", rate=1e-3):
        config = {
            "data": {"name": "cifar100", "path": self.folder},
            "train": {"epochs": EPOCHS, "batch_size": BATCH, "seed": 5},
            "optimizer": {"name": optimizer, "learning_rate": rate},
            "model": {"graph": graph(*network)},
        }
        return gradflow.train(config, out=self.folder / f"own-{name}")

    def watched_run(self, name, network, optimizer="adam", rate=1e-3):
        torch.manual_seed(3)
        model = Network(*network)
        kind = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer]
        optimizer = kind(model.parameters(), lr=rate)
        images = torch.from_numpy(self.images[:TRAINED])
        images = (images - images.mean((0, 2, 3), True)) / images.std((0, 2, 3), keepdim=True)
        labels = torch.from_numpy(self.labels[:TRAINED]).long()
        folder = self.folder / f"watched-{name}"
        with gradflow.watch(model, optimizer, folder, classes=CLASSES) as w:
            for _ in range(EPOCHS):
                for batch in torch.randperm(TRAINED).split(BATCH):
                    scores = model(images[batch])
                    loss = F.cross_entropy(scores, labels[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    w.batch(loss, scores, labels[batch])
                w.end_epoch()
        return folder

    def compare(self, name, is_residual, verdict):
        found = [
            gradflow.diagnose(make(name, [is_residual]))
            for make in (self.own_run, self.watched_run)
        ]
        self.assertEqual([d.findings[0].verdict for d in found], [verdict, verdict])
        own, watched = (d.gradients for d in found)
        self.assertEqual(len(own.layers), DEPTH + 2)
        self.assertEqual(len(watched.layers), DEPTH + 2)
        # Orders of magnitude, which over so many layers depend on the seed by about one.
        difference = np.log10(own.mean_abs[-1]) - np.log10(watched.mean_abs[-1])
        self.assertLess(abs(np.median(difference)), 2.0, difference)
        return found

    def test_a_plain_deep_network_vanishes(self):
        own, watched = self.compare("plain", False, "vanishing")
        self.assertTrue(all(r.code is None for r in own.findings[0].remedies))
        codes = [r.code for r in watched.findings[0].remedies]
        self.assertTrue(codes and all(codes))
        self.assertTrue(any("self.block(x)" in code for code in codes))

    def test_shortcuts_make_it_healthy(self):
        self.compare("residual", True, "healthy")

    def test_sick_ones_have_the_verdict_of_their_own_run(self):
        """Whatever it is called: one sickness each."""
        cases = {
            "rate too high": ([False, "relu", 2], "adam", 1.0),
            "rate too low": ([False, "relu", 2], "adam", 1e-8),
            "rate beyond all reason": ([False, "relu", 2], "sgd", 1e3),
            "saturating": ([False, "sigmoid", 8], "adam", 1e-3),
            "shallow": ([False, "tanh", 2], "sgd", 1e-2),
        }
        for name, case in cases.items():
            found = []
            for make in (self.own_run, self.watched_run):
                with contextlib.suppress(gradflow.Error):  # of a run that diverges
                    make(name, *case)
            for kind in ("own", "watched"):
                found.append(gradflow.diagnose(self.folder / f"{kind}-{name}").findings[0].verdict)
            with self.subTest(name):
                self.assertEqual(found[0], found[1])


if __name__ == "__main__":
    unittest.main()
