"""Tests of gradflow.watch: python -m unittest discover bindings/python/tests/watch

They need torch, and are skipped without it; no library and no device of OpenCL.
"""

import contextlib
import csv
import json
import logging
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import gradflow

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    torch = None

SKIPPED = "skipped: this Python has no torch; GRADFLOW_PYTHON=PATH names another"


def rows(folder, name):
    with open(pathlib.Path(folder) / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(folder, name):
    return json.loads((pathlib.Path(folder) / name).read_text(encoding="utf-8"))


if torch is not None:

    class Residual(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.norm1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.conv2(self.relu(self.norm1(self.conv1(x))))
            y += x
            return self.relu(y)

    class Network(nn.Module):
        """A block whose ReLU is called twice, a functional activation, a parameter of its own."""

        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.full((1, 6, 1, 1), 1.5))
            self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
            self.block = Residual(6)
            self.last = nn.Linear(6, 4)

        def forward(self, x):
            x = torch.tanh(self.stem(x)) * self.gain
            return self.last(self.block(x).mean((2, 3)))


def batches(count, size=8, seed=0, classes=4):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        images = torch.randn(size, 3, 10, 10, generator=generator)
        yield images, torch.randint(classes, (size,), generator=generator)


def train_step(model, optimizer, images, labels, w=None):
    scores = model(images)
    loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if w is not None:
        w.batch(loss, scores, labels)
    return loss


@unittest.skipIf(torch is None, SKIPPED)
class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="gradflow-watch-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "run"
        logging.getLogger("gradflow").setLevel(logging.ERROR)
        torch.manual_seed(1)

    def assert_close(self, found, expected, relative=2e-5, absolute=1e-8):
        found, expected = float(found), float(expected)
        if math.isnan(expected):
            self.assertTrue(math.isnan(found), found)
        else:
            self.assertLessEqual(
                abs(found - expected), absolute + relative * abs(expected), (found, expected)
            )


# ---- what is recorded ----


class Statistics(Case):
    """Against the same network in double precision, by formulas written out here."""

    def reference(self, model, images, labels, rate):
        """One step of plain gradient descent: outputs by layer, gradients, update ratios."""
        outputs = {}

        def keep(name):
            def hook(_module, _inputs, out):
                key = name if name not in outputs else name + ":2"
                outputs[key] = out.detach().clone()

            return hook

        for name, module in model.named_modules():
            if not list(module.children()):
                module.register_forward_hook(keep(name))
        model = model.double()
        loss = F.cross_entropy(model(images.double()), labels)
        self.loss = loss.item()
        loss.backward()
        outputs["tanh"] = torch.tanh(outputs["stem"])
        gradients = {name: p.grad for name, p in model.named_parameters()}
        ratios = {
            name: rate * p.grad.norm() / p.detach().norm() if p.detach().norm() else math.nan
            for name, p in model.named_parameters()
        }
        return outputs, gradients, ratios

    def test_gradients_and_activations(self):
        rate = 0.25
        model = Network()
        images, labels = next(batches(1))
        twin = Network()
        twin.load_state_dict(model.state_dict())
        outputs, gradients, ratios = self.reference(twin, images, labels, rate)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        with gradflow.watch(model, optimizer, self.folder, classes=4) as w:
            train_step(model, optimizer, images, labels, w)
        found = {row["parameter"]: row for row in rows(self.folder, "gradients.csv")}
        self.assertEqual(set(found), set(gradients))
        for name, g in gradients.items():
            row = found[name]
            self.assert_close(row["mean_abs"], g.abs().mean())
            self.assert_close(row["l2"], (g * g).sum().sqrt())
            self.assert_close(row["max_abs"], g.abs().max())
            self.assert_close(row["zeros"], (g == 0).double().mean())
            self.assert_close(row["update_ratio"], ratios[name], 1e-4)
        layers = rows(self.folder, "activations.csv")
        self.assertEqual(
            [row["layer"] for row in layers],
            [
                "stem",
                "tanh",
                "block.conv1",
                "block.norm1",
                "block.relu",
                "block.conv2",
                "block.relu:2",
                "last",
            ],
        )
        for row in layers:
            x = outputs[row["layer"]]
            deviation = ((x - x.mean()) ** 2).mean().sqrt()
            self.assert_close(row["mean"], x.mean(), absolute=1e-6)
            self.assert_close(row["deviation"], deviation)
            varying = x - x.mean(0, keepdim=True)
            self.assert_close(row["contrast"], (varying**2).sum() / (x**2).sum())
        early = {row["layer"]: row for row in rows(self.folder, "early_steps.csv")}
        self.assertEqual(list(early), [row["layer"] for row in layers])
        for name, row in early.items():
            self.assertEqual(row["step"], "0")
            self.assert_close(row["rms"], (outputs[name] ** 2).mean().sqrt())
            g = gradients.get(name + ".weight")
            self.assert_close(row["mean_abs"], math.nan if g is None else g.abs().mean())
            self.assert_close(row["loss"], self.loss, 1e-6)
        for row in found.values():
            weight = twin.state_dict()[row["parameter"]].norm()
            self.assert_close(row["weight_l2"], weight)
        by_name = {row["layer"]: float(row["dead"]) for row in layers}
        for name in ("block.relu", "block.relu:2"):
            alive = (outputs[name] > 0).any(dim=3).any(dim=2).any(dim=0)
            self.assertEqual(by_name[name], 1 - alive.double().mean().item())
        self.assertTrue(math.isnan(by_name["stem"]) and math.isnan(by_name["last"]))

    def test_dead_and_saturated_channels(self):
        model = nn.Sequential(
            nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)
        )
        with torch.no_grad():
            model[0].bias[:3] = -100.0  # three of four channels are dead
            model[2].bias[0], model[2].bias[1] = 50.0, -50.0  # at both ends of the sigmoid
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        with gradflow.watch(model, optimizer, self.folder):
            model(torch.rand(16, 3)).sum().backward()
            optimizer.step()
        dead = {row["layer"]: row["dead"] for row in rows(self.folder, "activations.csv")}
        self.assertEqual((dead["1"], dead["3"]), ("0.75", "0.5"))

    def test_bounds_of_activations_are_where_the_derivative_is_a_hundredth(self):
        """Which channels are dead, against the derivative by autograd in double precision."""
        modules = [
            nn.ReLU(),
            nn.ReLU6(),
            nn.LeakyReLU(0.2),
            nn.LeakyReLU(0.01),
            nn.ELU(),
            nn.CELU(2.0),
        ]
        modules += [nn.SELU(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid()]
        modules += [
            nn.Tanh(),
            nn.Sigmoid(),
            nn.Softplus(),
            nn.Softsign(),
            nn.LogSigmoid(),
            nn.Hardtanh(),
        ]
        modules += [nn.PReLU(2)]
        for module in modules:
            # A channel for each value: the derivative of all but these is not near 0.01.
            x = torch.linspace(-12, 12, 483, dtype=torch.float64)
            if isinstance(module, nn.PReLU):
                x = torch.stack([x, x])[:, :2]
                with torch.no_grad():
                    module.weight[:] = torch.tensor([0.0, 0.25])
            else:
                x = torch.stack([x, x])
            y = module.double()(x.requires_grad_())
            (slope,) = torch.autograd.grad(y.sum(), x)
            size = slope[0].abs()
            certain = (size - 0.01).abs() > 4e-4
            # Where a derivative passes 0 between two sides on which the unit is alive.
            if type(module).__name__ in ("GELU", "SiLU", "Mish", "Hardswish"):
                certain &= x[0].abs() > 2.5
            from gradflow import _activations, _torch_statistics, _torch_trace

            kind = _torch_trace.kind_of(module)
            alive = 0 < _torch_statistics.alive_margin(
                kind, x.detach(), y.detach(), _torch_trace._options(module)
            )
            with self.subTest(kind):
                self.assertIn(kind, _activations.ACTIVATIONS)
                self.assertTrue(
                    torch.equal(alive[0][certain], (size > 0.01)[certain]), x[0][certain]
                )

    def test_small_gradients_keep_their_norm(self):
        """Squares of 1e-25 are below what single precision has."""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with gradflow.watch(model, optimizer, self.folder):
            (model(torch.tensor([[3.0, 4.0]])) * 1e-25).sum().backward()
            optimizer.step()
        row = rows(self.folder, "gradients.csv")[0]
        self.assert_close(row["l2"], 5e-25, absolute=0)
        self.assert_close(row["mean_abs"], 3.5e-25, absolute=0)

    def test_metrics_are_means_over_images(self):
        model, losses, sizes, correct = Network(), [], (8, 8, 3), 0
        optimizer = torch.optim.Adam(model.parameters(), lr=0.125)
        with gradflow.watch(model, optimizer, self.folder, classes=4) as w:
            for seed, size in enumerate(sizes):
                images, labels = next(batches(1, size, seed))
                correct += (model(images).argmax(1) == labels).sum().item()
                losses.append(train_step(model, optimizer, images, labels, w).item())
            w.end_epoch(validation_loss=1.25, validation_accuracy=0.5)
        (row,) = rows(self.folder, "metrics.csv")
        mean = sum(loss * size for loss, size in zip(losses, sizes)) / sum(sizes)
        self.assert_close(row["train_loss"], mean, 1e-6)
        self.assert_close(row["train_accuracy"], correct / sum(sizes), 1e-6)
        self.assertEqual(
            (
                row["epoch"],
                row["learning_rate"],
                row["validation_loss"],
                row["validation_accuracy"],
            ),
            ("1", "0.125", "1.25", "0.5"),
        )
        (timing,) = rows(self.folder, "timing.csv")
        self.assertGreater(float(timing["images_per_second"]), 0)

    def test_validation_by_batches_and_classes(self):
        model = nn.Linear(3, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        images = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 4.0]])
        scores = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [0.0, 0.0, 1.0], [9.0, 0.0, 1.0]])
        with gradflow.watch(model, optimizer, self.folder, classes=3) as w:
            train_step(model, optimizer, images, torch.tensor([2, 2]), w)
            w.batch(1.0, labels=torch.tensor([1, -100]))
            w.validation_batch(torch.tensor(2.0), scores, torch.tensor([0, 1, 2, 1]))
            w.validation_batch(torch.tensor(5.0), scores[:1], torch.tensor([0]))
        (row,) = rows(self.folder, "metrics.csv")
        self.assertEqual(
            (row["validation_loss"], row["validation_accuracy"]), (f"{(4 * 2 + 5) / 5:g}", "0.6")
        )
        self.assertEqual((row["predicted_classes"], row["most_predicted"]), ("2", "0.8"))
        data = content(self.folder, "data.json")
        self.assertEqual((data["format"], data["classes"]), (1, 3))
        self.assertEqual(data["train"], {"images": 3, "class_images": [0, 1, 2]})
        self.assertEqual(data["validation"], {"images": 5, "class_images": [2, 2, 1]})
        first = data["first_batch"]
        self.assertEqual((first["images"], first["mean"]), (2, [2.0, 0.0, 3.0]))
        self.assertEqual(first["deviation"], [1.0, 0.0, 1.0])
        # Squares about the mean, 2 + 2, by those about 0, 10 + 20.
        self.assert_close(first["contrast"], 4 / 30, 1e-6)

    def test_contrast_at_its_ends(self):
        model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
        with torch.no_grad():
            model[0].bias[:] = -100.0
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for count, expected in ((4, "0"), (1, "nan")):
            with gradflow.watch(model, optimizer, self.folder, overwrite=True):
                model(torch.rand(count, 3)).sum().backward()
                optimizer.step()
            found = {row["layer"]: row for row in rows(self.folder, "activations.csv")}
            self.assertEqual(found["1"]["contrast"], expected)  # is 0 for every image


class Structure(Case):
    def test_network_json(self):
        model = Network()
        optimizer = torch.optim.Adam(model.parameters(), eps=1e-5)
        with gradflow.watch(model, optimizer, self.folder, classes=4, class_names="abcd"):
            train_step(model, optimizer, *next(batches(1)))
        n = content(self.folder, "network.json")
        self.assertEqual(n["format"], 1)
        self.assertEqual(n["framework"], {"name": "pytorch", "version": torch.__version__})
        self.assertEqual((n["image"], n["classes"]), ([10, 10, 3], 4))
        self.assertEqual(n["class_names"], ["a", "b", "c", "d"])
        self.assertEqual(n["optimizer"], {"kind": "adam", "eps": 1e-5, "weight_decay": 0.0})
        images = {"gradient_images": 8, "activation_images": 8, "norm_images": 8}
        self.assertEqual(n["statistics"], images)
        self.assertEqual(n["parameters"], sum(p.numel() for p in model.parameters()))
        layers = {layer["name"]: layer for layer in n["layers"]}
        edges = {name: layer["inputs"] for name, layer in layers.items()}
        self.assertEqual(edges["stem"], ["input"])
        self.assertEqual(edges["tanh"], ["stem"])
        self.assertEqual(edges["block.add"], ["block.conv2", "tanh"])
        self.assertEqual(edges["block.relu:2"], ["block.add"])
        self.assertEqual(edges["last"], ["block.relu:2"])
        self.assertEqual(n["logit_layer"], "last")
        self.assertEqual(layers["stem"]["activation"], "tanh")
        self.assertEqual(layers["block.conv1"]["activation"], "block.relu")
        self.assertEqual(layers["block.conv2"]["activation"], "block.relu:2")
        self.assertEqual(layers["stem"]["output"], [5, 5, 6])
        self.assertEqual(layers["last"]["output"], [1, 1, 4])
        self.assertEqual(
            layers["block.norm1"]["tensors"][0],
            {"name": "block.norm1.weight", "shape": [6], "trainable": True},
        )
        names = [t["name"] for layer in n["layers"] for t in layer["tensors"]]
        self.assertEqual(sorted(names), sorted(model.state_dict()))

    def test_sequences_have_channels_last(self):
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
        model = nn.Sequential(nn.Embedding(11, 8), layer, nn.Linear(8, 11))
        optimizer = torch.optim.AdamW(model.parameters())
        with gradflow.watch(model, optimizer, self.folder):
            model(torch.randint(11, (3, 5))).square().mean().backward()
            optimizer.step()
        n = content(self.folder, "network.json")
        shapes = {one["name"]: one["output"] for one in n["layers"]}
        self.assertEqual(shapes["0"], [1, 5, 8])
        self.assertEqual(shapes["2"], [1, 5, 11])
        weights = [
            r["parameter"] for r in rows(self.folder, "gradients.csv") if r["is_weight"] == "1"
        ]
        self.assertIn("1.self_attn.in_proj_weight", weights)
        self.assertNotIn("1.self_attn.in_proj_bias", weights)


# ---- when it is recorded ----


class Schedule(Case):
    def steps(self, name="gradients.csv"):
        seen = {}
        for row in rows(self.folder, name):
            seen.setdefault(int(row["epoch"]), {})[int(row["step"])] = True
        return {epoch: list(steps) for epoch, steps in seen.items()}

    def run_epochs(self, lengths, **options):
        model = nn.Sequential(nn.Flatten(), nn.Linear(300, 4))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder, **options) as w:
            for sizes in lengths:
                for seed, size in enumerate(sizes):
                    train_step(model, optimizer, *next(batches(1, size, seed)), w)
                w.end_epoch()

    def test_of_an_unknown_length(self):
        self.run_epochs([[8] * 11] * 2, every=10)
        self.assertEqual(self.steps(), {1: [1, 2, 3, 5, 9, 10], 2: [17, 21, 22]})

    def test_of_a_known_length(self):
        self.run_epochs([[8] * 5] * 2, every=100, steps_per_epoch=5)
        self.assertEqual(self.steps(), {1: [1, 2, 3, 4, 5], 2: [9, 10]})

    def test_a_short_last_batch_is_left_out(self):
        self.run_epochs([[8] * 4 + [2]] * 2, every=100, steps_per_epoch=5)
        self.assertEqual(self.steps(), {1: [1, 2, 3, 4], 2: [9]})

    def test_the_default_interval(self):
        self.run_epochs([[1] * 250])
        self.assertEqual(self.steps(), {1: [1, 2, 3, 5, 9, 17, 33, 65, 129, 200]})

    def test_activations_can_be_left_out(self):
        self.run_epochs([[8] * 2], activations=False)
        self.assertEqual(self.steps("activations.csv"), {})
        self.assertEqual(self.steps(), {1: [1, 2]})

    def test_hooks_are_there_only_for_a_record(self):
        model = Network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder, every=100):
            self.assertTrue(model.stem._forward_hooks)
            for _ in range(4):
                train_step(model, optimizer, *next(batches(1)))
            self.assertTrue(model.stem._forward_hooks)  # for step 5
            for _ in range(2):
                train_step(model, optimizer, *next(batches(1)))
            self.assertFalse(model.stem._forward_hooks or model.stem._forward_pre_hooks)
            self.assertFalse(model.stem.weight._post_accumulate_grad_hooks)
            for _ in range(2):
                train_step(model, optimizer, *next(batches(1)))
        self.assertFalse(model.stem._forward_hooks)
        self.assertFalse(optimizer._optimizer_step_post_hooks)

    def test_training_is_bit_equal(self):
        weights = []
        for is_watched in (False, True):
            torch.manual_seed(3)
            model = Network()
            optimizer = torch.optim.Adam(model.parameters())
            watched = contextlib.nullcontext()
            if is_watched:
                watched = gradflow.watch(model, optimizer, self.folder, every=1)
            with watched:
                for images, labels in batches(4):
                    train_step(model, optimizer, images, labels)
            weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        self.assertTrue(torch.equal(*weights))

    def test_the_device_is_waited_for_once_per_record(self):
        """What reads a value of a tensor waits: one call for each record, as on a GPU."""
        from torch.utils._python_dispatch import TorchDispatchMode

        from gradflow import _torch_statistics

        is_free = _torch_statistics._is_free_to_read
        _torch_statistics._is_free_to_read = lambda x: False
        reads = []

        class Reads(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                if str(function) in ("aten._local_scalar_dense.default", "aten.nonzero.default"):
                    reads.append(str(function))
                return function(*args, **(kwargs or {}))

        lists = []
        whole = torch.Tensor.tolist
        torch.Tensor.tolist = lambda tensor: lists.append(1) or whole(tensor)
        try:
            model = Network()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            with gradflow.watch(model, optimizer, self.folder, every=1) as w, Reads():
                for images, labels in batches(3):
                    train_step(model, optimizer, images, labels, w)
        finally:
            torch.Tensor.tolist = whole
            _torch_statistics._is_free_to_read = is_free
        self.assertEqual((reads, len(lists)), ([], 3))


# ---- ways of training ----


class Training(Case):
    def record(self, step):
        """The gradients of the model after step(model, optimizer) under watch, by parameter."""
        torch.manual_seed(5)
        model = Network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder, overwrite=True):
            step(model, optimizer)
        found = rows(self.folder, "gradients.csv")
        return {row["parameter"]: float(row["l2"]) for row in found if row["step"] == "1"}

    def plain(self, images, labels):
        return self.record(lambda m, o: train_step(m, o, images, labels))

    def assert_records_equal(self, found, expected, relative=1e-4):
        self.assertEqual(set(found), set(expected))
        for name, value in expected.items():
            self.assert_close(found[name], value, relative, 1e-7)

    def test_scaled_gradients_are_recorded_unscaled(self):
        images, labels = next(batches(1))

        def step(model, optimizer):
            scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
            loss = F.cross_entropy(model(images), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

        self.assert_records_equal(self.record(step), self.plain(images, labels))

    def test_unscaled_and_clipped_gradients_are_recorded_as_they_were(self):
        images, labels = next(batches(1))

        def step(model, optimizer):
            scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
            scaler.scale(F.cross_entropy(model(images), labels)).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            scaler.step(optimizer)
            scaler.update()

        self.assert_records_equal(self.record(step), self.plain(images, labels))

    def test_a_step_that_the_scaler_leaves_out_is_not_recorded(self):
        images, labels = next(batches(1))

        def step(model, optimizer):
            scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
            for factor in (math.inf, 1.0):
                optimizer.zero_grad()
                scaler.scale(F.cross_entropy(model(images), labels) * factor).backward()
                scaler.step(optimizer)
                scaler.update()

        found = self.record(step)
        for name, value in found.items():
            self.assertTrue(math.isfinite(value), name)
        self.assertEqual({row["step"] for row in rows(self.folder, "gradients.csv")}, {"1"})

    def test_autocast(self):
        images, labels = next(batches(1))

        def step(model, optimizer):
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()

        self.assert_records_equal(self.record(step), self.plain(images, labels), 0.1)

    def test_accumulated_gradients_are_those_of_the_whole_batch(self):
        images, labels = next(batches(1))
        twice, both = torch.cat([images, images]), torch.cat([labels, labels])

        def step(model, optimizer):
            for _ in range(2):
                (F.cross_entropy(model(images), labels) / 2).backward()
            optimizer.step()

        self.assert_records_equal(self.record(step), self.plain(twice, both))
        self.assertEqual(len({r["layer"] for r in rows(self.folder, "activations.csv")}), 8)
        # That of the plain run has been replaced by now: of one batch of 16.
        self.assertEqual(content(self.folder, "network.json")["statistics"]["gradient_images"], 16)

    def test_frozen_parameters_have_no_row(self):
        images, labels = next(batches(1))

        def step(model, optimizer):
            train_step(model, optimizer, images, labels)

        torch.manual_seed(5)
        model = Network()
        model.stem.requires_grad_(False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder):
            step(model, optimizer)
        names = {row["parameter"] for row in rows(self.folder, "gradients.csv")}
        self.assertFalse({"stem.weight", "stem.bias"} & names)
        self.assertIn("last.weight", names)
        stem = content(self.folder, "network.json")["layers"][0]
        self.assertEqual((stem["name"], stem["parameters"]), ("stem", 0))

    def test_a_parameter_without_gradient_is_zero(self):
        model = Network()
        model.unused = nn.Linear(3, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder):
            train_step(model, optimizer, *next(batches(1)))
        found = {row["parameter"]: row for row in rows(self.folder, "gradients.csv")}
        row = found["unused.weight"]
        self.assertEqual((row["mean_abs"], row["zeros"], row["update_ratio"]), ("0", "1", "0"))

    def test_parameters_frozen_later_are_zero_and_rows_stay(self):
        model = Network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder, every=1):
            train_step(model, optimizer, *next(batches(1)))
            model.stem.requires_grad_(False)
            train_step(model, optimizer, *next(batches(1)))
        found = rows(self.folder, "gradients.csv")
        first = [row["parameter"] for row in found if row["step"] == "1"]
        second = {row["parameter"]: row for row in found if row["step"] == "2"}
        self.assertEqual(first, list(second))
        self.assertEqual(second["stem.weight"]["zeros"], "1")

    def test_shared_parameters_have_one_row(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        model[2].weight = model[0].weight
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder):
            model(torch.rand(3, 4)).sum().backward()
            optimizer.step()
        names = [row["parameter"] for row in rows(self.folder, "gradients.csv")]
        self.assertEqual(names, ["0.weight", "0.bias", "2.bias"])

    def test_weights_of_other_names(self):
        model = nn.LSTM(4, 4, batch_first=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder):
            model(torch.rand(3, 5, 4))[0].sum().backward()
            optimizer.step()
        found = rows(self.folder, "gradients.csv")
        self.assertEqual(
            [(row["parameter"], row["is_weight"]) for row in found],
            [
                ("weight_ih_l0", "1"),
                ("weight_hh_l0", "1"),
                ("bias_ih_l0", "0"),
                ("bias_hh_l0", "0"),
            ],
        )

    def test_compiled_models(self):
        images, labels = next(batches(1))
        expected = self.plain(images, labels)
        for in_place in (False, True):
            torch.manual_seed(5)
            torch._dynamo.reset()
            model = Network()
            compiled = model
            if in_place:
                model.compile(backend="aot_eager")
            else:
                compiled = torch.compile(model, backend="aot_eager")
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            with gradflow.watch(compiled, optimizer, self.folder, every=4, overwrite=True) as w:
                for _ in range(6):
                    train_step(compiled, optimizer, images, labels, w)
            found = rows(self.folder, "gradients.csv")
            self.assert_records_equal(
                {row["parameter"]: float(row["l2"]) for row in found if row["step"] == "1"},
                expected,
            )
            self.assertEqual({row["step"] for row in found}, {"1", "2", "3", "4", "5"})
            self.assertEqual(len(rows(self.folder, "activations.csv")), 5 * 8)
            # What is not recorded is compiled.
            self.assertTrue(torch._dynamo.utils.counters["stats"]["unique_graphs"])
            self.assertFalse(torch._dynamo.utils.counters["graph_break"])

    def test_checkpointed_segments(self):
        from torch.utils.checkpoint import checkpoint

        images, labels = next(batches(1))

        class Checkpointed(Network):
            def forward(self, x):
                x = torch.tanh(self.stem(x)) * self.gain
                x = checkpoint(self.block, x, use_reentrant=False)
                return self.last(x.mean((2, 3)))

        expected = self.plain(images, labels)
        torch.manual_seed(5)
        model = Checkpointed()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder, overwrite=True):
            train_step(model, optimizer, images, labels)
        found = rows(self.folder, "gradients.csv")
        self.assert_records_equal({r["parameter"]: float(r["l2"]) for r in found}, expected)
        self.assertEqual(len(rows(self.folder, "activations.csv")), 8)

    def test_validation_between_steps_is_not_recorded(self):
        model = Network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        images, labels = next(batches(1))
        with gradflow.watch(model, optimizer, self.folder, every=1):
            train_step(model, optimizer, images, labels)
            scores = model(images)
            model.eval()
            with torch.no_grad():
                model(100 * images)
            model.train()
            with torch.no_grad():
                model(100 * images)
            F.cross_entropy(scores, labels).backward()
            optimizer.step()
        stem = [r for r in rows(self.folder, "activations.csv") if r["layer"] == "stem"]
        self.assert_close(stem[1]["deviation"], float(stem[0]["deviation"]), 0.1)

    def test_closures(self):
        images, labels = next(batches(1))
        model = Network()
        optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)

        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            return loss

        with gradflow.watch(model, optimizer, self.folder):
            optimizer.step(closure)
            optimizer.step(closure)
        self.assertEqual({r["step"] for r in rows(self.folder, "gradients.csv")}, {"1", "2"})

    def test_ranks(self):
        """Two processes: rank 0 alone records, and what it records is the mean over both."""
        program = pathlib.Path(self.folder.parent) / "ranks.py"
        program.write_text(RANKS, encoding="utf-8")
        store = self.folder.parent / "store"
        here = pathlib.Path(__file__).parent
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(here), *sys.path]))
        ranks = [
            subprocess.Popen(
                [sys.executable, str(program), str(rank), str(store), str(self.folder)],
                env=environment,
            )
            for rank in range(2)
        ]
        for rank in ranks:
            self.assertEqual(rank.wait(timeout=300), 0)
        found = {r["parameter"]: float(r["l2"]) for r in rows(self.folder, "gradients.csv")}
        model = nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            model.weight.fill_(0.5)
        both = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 4.0, 1.0]])
        model(both).square().mean().backward()
        self.assertEqual(list(found), ["weight"])
        self.assert_close(found["weight"], model.weight.grad.norm())


RANKS = """
import sys
import torch
from torch import distributed, nn
import gradflow

rank, store, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group(
    "gloo", init_method="file://" + store, rank=rank, world_size=2
)
model = nn.Linear(3, 2, bias=False)
with torch.no_grad():
    model.weight.fill_(0.5)
model = nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 4.0, 1.0]])[rank : rank + 1]
with gradflow.watch(model, optimizer, folder) as w:
    assert w.is_recording == (rank == 0)
    loss = model(x).square().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    optimizer.step()
    w.batch(loss)
    w.end_epoch()
distributed.destroy_process_group()
"""


# ---- the folder ----


class Folder(Case):
    def watch(self, folder=None, **options):
        model = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        return model, optimizer, gradflow.watch(model, optimizer, folder or self.folder, **options)

    def step(self, model, optimizer, w, loss=1.0):
        optimizer.zero_grad()
        model(torch.rand(4, 3)).sum().backward()
        optimizer.step()
        w.batch(loss, images=4)

    def test_an_exception_ends_the_run_and_is_raised(self):
        model, optimizer, w = self.watch()
        with self.assertRaisesRegex(ValueError, "of mine"):
            with w:
                self.step(model, optimizer, w, 0.5)
                raise ValueError("of mine")
        self.assertEqual(
            content(self.folder, "result.json"),
            {"status": "stopped", "message": "ValueError: of mine"},
        )
        self.assertEqual(rows(self.folder, "metrics.csv")[0]["train_loss"], "0.5")
        self.assertFalse(optimizer._optimizer_step_post_hooks)

    def test_an_exception_in_a_forward_pass_leaves_no_mode(self):
        class Failing(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(3, 3)

            def forward(self, x):
                self.first(x)
                raise RuntimeError("inside")

        model = Failing()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        depth = torch._C._len_torch_function_stack()
        with gradflow.watch(model, optimizer, self.folder):
            for _ in range(2):
                with self.assertRaisesRegex(RuntimeError, "inside"):
                    model(torch.rand(2, 3))
                self.assertEqual(torch._C._len_torch_function_stack(), depth)

    def test_training_goes_on_where_nothing_can_be_written(self):
        import shutil

        model, optimizer, w = self.watch(every=1)
        logging.getLogger("gradflow").setLevel(logging.CRITICAL)
        with w:
            self.step(model, optimizer, w)
            shutil.rmtree(self.folder)
            before = model.weight.detach().clone()
            self.step(model, optimizer, w)
            self.step(model, optimizer, w)
            w.end_epoch()
        self.assertFalse(torch.equal(before, model.weight))
        self.assertFalse(optimizer._optimizer_step_post_hooks or model._forward_hooks)

    def test_an_error_of_the_recording_is_not_one_of_the_training(self):
        from gradflow import _torch_statistics

        logging.getLogger("gradflow").setLevel(logging.CRITICAL)
        depth = torch._C._len_torch_function_stack()
        for name in ("activation_statistics", "gradient_statistics", "distance", "alive_margin"):
            whole = getattr(_torch_statistics, name)

            def fails(kind, *rest, whole=whole, name=name):
                # In a module, in the backward pass, in a step, in a function.
                return whole(kind, *rest) if name == "alive_margin" and kind != "tanh" else 1 / 0

            setattr(_torch_statistics, name, fails)
            try:
                model = Network()
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
                with gradflow.watch(model, optimizer, self.folder, overwrite=True) as w:
                    for images, labels in batches(3):
                        train_step(model, optimizer, images, labels, w)
            finally:
                setattr(_torch_statistics, name, whole)
            self.assertEqual(torch._C._len_torch_function_stack(), depth)
            self.assertFalse(model._forward_hooks or model.stem._forward_hooks)
            result = content(self.folder, "result.json")
            self.assertEqual(result["message"], "ZeroDivisionError: division by zero")

    def test_a_run_that_is_there_is_refused(self):
        with self.watch()[2]:
            pass
        with self.assertRaises(gradflow.Error) as caught:
            self.watch()
        self.assertEqual(
            str(caught.exception),
            f"{self.folder} exists; choose another folder, or replace the run with overwrite=True",
        )
        (self.folder / "mine.pt").write_text("weights")
        (self.folder / "loss.png").write_text("old")
        model, optimizer, w = self.watch(overwrite=True)
        with w:
            self.step(model, optimizer, w)
        self.assertEqual((self.folder / "mine.pt").read_text(), "weights")
        self.assertFalse((self.folder / "loss.png").exists())
        self.assertEqual(len(rows(self.folder, "metrics.csv")), 1)

    def test_a_folder_of_others_is_refused_whatever_is_asked(self):
        self.folder.mkdir()
        (self.folder / "thesis.tex").write_text("years of work")
        for overwrite in (False, True):
            with self.assertRaisesRegex(gradflow.Error, "not written by gradflow.watch"):
                self.watch(overwrite=overwrite)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["thesis.tex"])
        with self.assertRaisesRegex(gradflow.Error, "not a folder"):
            self.watch(self.folder / "thesis.tex", overwrite=True)

    def test_an_empty_folder_is_taken(self):
        self.folder.mkdir()
        with self.watch()[2]:
            pass
        self.assertTrue((self.folder / "metrics.csv").exists())

    def test_rows_are_there_while_it_trains(self):
        model, optimizer, w = self.watch()
        self.step(model, optimizer, w)
        self.assertEqual(len(rows(self.folder, "gradients.csv")), 2)
        w.end_epoch()
        self.assertEqual(len(rows(self.folder, "metrics.csv")), 1)
        self.assertFalse((self.folder / "result.json").exists())
        w.close()
        w.close()
        self.assertEqual(content(self.folder, "result.json"), {"status": "finished"})

    def test_names_with_commas_and_quotes(self):
        model = nn.Module()
        model.add_module('a,"b"', nn.Linear(3, 2))
        model.forward = lambda x: model.get_submodule('a,"b"')(x)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradflow.watch(model, optimizer, self.folder):
            model(torch.rand(4, 3)).sum().backward()
            optimizer.step()
        self.assertEqual(rows(self.folder, "gradients.csv")[0]["layer"], 'a,"b"')

    def test_arguments_that_cannot_be(self):
        model = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        frozen = nn.Linear(3, 2).requires_grad_(False)
        other = torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.01)
        cases = [
            (TypeError, "not str", ("model", optimizer), {}),
            (TypeError, "not list", (model, [optimizer]), {}),
            (TypeError, "DataParallel", (nn.DataParallel(model), optimizer), {}),
            (ValueError, "no parameter that is trained", (frozen, optimizer), {}),
            (ValueError, "no parameter of the model", (model, other), {}),
            (ValueError, "classes=0", (model, optimizer), {"classes": 0}),
            (ValueError, "every=0", (model, optimizer), {"every": 0}),
            (ValueError, "steps_per_epoch=0", (model, optimizer), {"steps_per_epoch": 0}),
            (ValueError, "2 class_names", (model, optimizer), {"classes": 3, "class_names": "ab"}),
        ]
        for kind, message, arguments, options in cases:
            with self.subTest(message), self.assertRaisesRegex(kind, message):
                gradflow.watch(*arguments, self.folder, **options)
            self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
