"""Tests of the Python package against the library: python -m unittest discover bindings/python/tests

GRADFLOW_LIBRARY names a library that is not installed. Needs an OpenCL device, such as pocl.
"""

import contextlib
import csv
import ctypes
import ctypes.util
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import gradflow
from gradflow import _c, _library

RECORDS, TRAINED, BATCH, EPOCHS, CLASSES = 300, 285, 50, 2, 100
BATCHES = [BATCH] * 5 + [TRAINED - 5 * BATCH]  # images of each step of an epoch
STEPS = len(BATCHES) * EPOCHS
SIDE = 32


def pixels(count, seed):
    """Images of noise around a colour, (count, height, width, channels)."""
    random = np.random.default_rng(seed)
    colours = random.integers(60, 190, (count, 1, 1, 3))
    noise = random.integers(-50, 50, (count, SIDE, SIDE, 3))
    return (colours + noise).astype(np.uint8)


def write_cifar(path, count, seed):
    """CIFAR-100's records: two label bytes, and three planes."""
    planes = pixels(count, seed).transpose(0, 3, 1, 2).reshape(count, -1)
    labels = np.arange(count)
    records = np.column_stack([labels % 20, labels * 3 % CLASSES, planes]).astype(np.uint8)
    records.tofile(path)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="gradflow-python-")
        cls.folder = pathlib.Path(cls.temporary.name)
        write_cifar(cls.folder / "train.bin", RECORDS, 1)
        write_cifar(cls.folder / "test.bin", 20, 2)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def config(self, **sections):
        graph = [
            {"name": "conv", "type": "conv2d", "filters": 4, "stride": 2},
            {"type": "batch_norm"},
            {"type": "relu"},
            {"type": "flatten"},
            {"name": "last", "type": "linear", "outputs": CLASSES},
        ]
        return {
            "data": {"name": "cifar100", "path": self.folder},
            "train": {"epochs": np.int64(EPOCHS), "batch_size": BATCH, "seed": 5},
            "model": {"graph": graph},
            **sections,
        }

    def fails(self, status, message):
        """The next call raises this error."""
        return Fails(self, status, message)


class Fails(contextlib.AbstractContextManager):
    def __init__(self, case, status, message):
        self.case, self.status, self.message = case, status, message

    def __exit__(self, kind, error, trace):
        self.case.assertIsInstance(error, gradflow.Error)
        self.case.assertEqual((error.status, str(error)), (self.status, self.message))
        return True


class Devices(Case):
    def test_devices_are_described(self):
        found = gradflow.devices()
        self.assertTrue(found)
        for device in found:
            self.assertRegex(device.selector, r"^\d+:\d+$")
            self.assertIn(device.type, ("cpu", "gpu", "other"))
            self.assertTrue(device.name and device.platform and device.driver)
            self.assertGreaterEqual(device.compute_units, 1)
            self.assertGreater(device.memory, 1 << 20)
            self.assertGreaterEqual(device.memory, device.max_allocation)

    def test_version(self):
        self.assertEqual(gradflow.version()["program"], gradflow.__version__)
        self.assertTrue(gradflow.version()["clblast"])

    def test_a_device_that_is_none(self):
        with self.assertRaises(gradflow.Error) as caught:
            gradflow.train(self.config(), out=self.folder / "none", device="abacus")
        self.assertEqual(caught.exception.status, "device")
        self.assertIn("abacus", str(caught.exception))
        self.assertFalse((self.folder / "none").exists())


class Training(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told = []
        cls.run_ = gradflow.train(cls.config(cls), out=cls.folder / "run", callback=cls.told.append)

    def of(self, kind):
        return [event for event in self.told if isinstance(event, kind)]

    def test_steps_are_told_in_order(self):
        steps, epochs = self.of(gradflow.Step), self.of(gradflow.Epoch)
        self.assertEqual([s.step for s in steps], list(range(1, STEPS + 1)))
        self.assertEqual([s.epoch for s in steps], [1] * 6 + [2] * 6)
        for e in epochs:
            losses = [s.loss for s in steps if s.epoch == e.epoch]
            accuracies = [s.accuracy for s in steps if s.epoch == e.epoch]
            # Means over the images, of which the last batch has fewer.
            self.assertAlmostEqual(np.average(losses, weights=BATCHES), e.train_loss, places=12)
            self.assertAlmostEqual(np.average(accuracies, weights=BATCHES), e.train_accuracy, places=12)

    def test_epochs_are_those_of_the_run_folder(self):
        epochs, metrics = self.of(gradflow.Epoch), self.run_.metrics
        self.assertEqual([(e.epoch, e.epochs) for e in epochs], [(1, 2), (2, 2)])
        self.assertTrue(self.run_.is_finished)
        for name in ("epoch", "learning_rate", "train_loss", "validation_loss"):
            np.testing.assert_allclose(metrics[name], [getattr(e, name) for e in epochs], rtol=1e-8)
        self.assertTrue(all(e.seconds > 0 and e.images_per_second > 0 for e in epochs))

    def test_gradients_are_those_of_the_run_folder(self):
        history = gradflow.gradients(self.run_)
        self.assertEqual(history.layers, ("conv", "batch_norm_1", "last"))
        np.testing.assert_array_equal(history.epochs, [1, 2])
        for epoch in 1, 2:
            last = [g for g in self.of(gradflow.GradientStatistics) if g.epoch == epoch][-1]
            self.assertEqual(last.step, 6 * epoch - 1)  # the last batch is not a whole one
            self.assertEqual(last.parameters[0], "conv.weight")
            self.assertEqual(last.layers[-1], "last")
            self.assertEqual(last.is_weight.dtype, bool)
            self.assertEqual(last.nonfinite.sum(), 0)
            for name in ("mean_abs", "l2", "zeros", "update_ratio"):
                mine, theirs = getattr(last, name)[last.is_weight], getattr(history, name)
                self.assertEqual(theirs.shape, (2, 3))
                np.testing.assert_allclose(mine, theirs[epoch - 1], rtol=1e-5)
            self.assertTrue((last.max_abs >= last.mean_abs).all())
            self.assertTrue((last.mean_abs > 0).all())

    def test_a_run_is_diagnosed(self):
        diagnosis = gradflow.diagnose(self.run_)
        first = diagnosis.findings[0]
        self.assertTrue(first.headline.startswith(first.verdict))
        self.assertTrue(first.evidence and first.threshold)
        self.assertEqual(diagnosis.dead.shape, (3,))
        for finding in diagnosis.findings:
            for remedy in finding.remedies:
                self.assertTrue(remedy.text)

    def test_a_fresh_network_is_that_of_the_first_step(self):
        fresh = gradflow.signal(self.config(), picture=self.folder / "signal.png")
        self.assertTrue((self.folder / "signal.png").is_file())
        with open(self.run_.folder / "early_steps.csv") as file:
            rows = [row for row in csv.DictReader(file) if row["step"] == "0"]
        self.assertEqual(fresh.layers, tuple(row["layer"] for row in rows))
        for column in "rms", "contrast", "mean_abs":
            theirs = [float(row[column]) for row in rows]
            np.testing.assert_allclose(getattr(fresh, column), theirs, rtol=1e-5)
        self.assertAlmostEqual(fresh.loss, float(rows[0]["loss"]), places=6)
        self.assertEqual(fresh.class_images.sum(), BATCHES[0])
        with self.assertRaisesRegex(gradflow.Error, "has no section 'data'"):
            gradflow.signal({"model": {"graph": [{"type": "flatten"}]}})

    def test_equal_seeds_are_equal_runs(self):
        again = gradflow.train(self.config(), out=self.folder / "again")
        first, second = (
            (folder / "last.safetensors").read_bytes()
            for folder in (self.run_.folder, again.folder)
        )
        self.assertEqual(first, second)

    def test_settings_replace_values(self):
        run = gradflow.train(
            self.config(),
            out=self.folder / "settings",
            settings={"train.epochs": 1, "optimizer.name": "sgd"},
        )
        self.assertEqual(len(run.metrics["epoch"]), 1)
        self.assertIn("name: sgd", (run.folder / "config.yaml").read_text())

    def test_a_yaml_file_is_a_config(self):
        run = gradflow.train(self.run_.folder / "config.yaml", out=str(self.folder / "file"))
        np.testing.assert_array_equal(run.metrics["train_loss"], self.run_.metrics["train_loss"])

    # ---- stops ----

    def check_goes_on(self, out):
        run = gradflow.train(self.config(), out=out, resume=True)
        self.assertTrue(run.is_finished)
        self.assertEqual(
            (run.folder / "last.safetensors").read_bytes(),
            (self.run_.folder / "last.safetensors").read_bytes(),
        )

    def test_false_stops_and_none_does_not(self):
        told = []

        def callback(event):
            told.append(event)
            return not isinstance(event, gradflow.Epoch)

        out = self.folder / "false"
        run = gradflow.train(self.config(), out=out, callback=callback)
        self.assertFalse(run.is_finished)
        self.assertIsInstance(told[-1], gradflow.Epoch)
        self.assertEqual(len(run.metrics["epoch"]), 1)
        self.check_goes_on(out)

    def test_an_exception_stops_and_is_raised(self):
        def callback(event):
            if isinstance(event, gradflow.Step) and event.step == 2:
                raise LookupError("enough")

        out = self.folder / "raised"
        with self.assertRaisesRegex(LookupError, "enough"):
            gradflow.train(self.config(), out=out, callback=callback)
        self.assertTrue((out / "last.safetensors").exists())
        self.check_goes_on(out)

    def test_an_interrupt_stops_and_is_raised(self):
        def callback(event):
            if isinstance(event, gradflow.Epoch):
                os.kill(os.getpid(), signal.SIGINT)

        out = self.folder / "interrupted"
        before = signal.getsignal(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            gradflow.train(self.config(), out=out, callback=callback)
        self.assertIs(signal.getsignal(signal.SIGINT), before)
        self.check_goes_on(out)

    def test_an_interrupt_while_c_is_at_work(self):
        """Without a callback, as nobody else runs Python meanwhile."""
        out = self.folder / "signalled"

        def interrupt():
            while not (out / "checkpoint_0.safetensors").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            gradflow.train(self.config(), out=out, settings={"train.epochs": 1000})
        thread.join()
        run = gradflow.Run(out)
        self.assertFalse(run.is_finished)
        self.assertLess(len(run.metrics["epoch"]), 1000)

    def test_other_threads_train_as_well(self):
        runs = []
        thread = threading.Thread(
            target=lambda: runs.append(gradflow.train(self.config(), out=self.folder / "thread"))
        )
        thread.start()
        thread.join()
        self.assertTrue(runs[0].is_finished)

    # ---- errors ----

    def test_errors_have_the_message_of_the_library(self):
        config = {"model": {"family": "vgg_stages"}, "logging": {"tensorbord": True}}
        column = json.dumps(config).index('tensorbord"') + 1
        with self.fails(
            "config",
            f"config:1:{column}: unknown key 'tensorbord' in logging; did you mean 'tensorboard'? "
            "known keys: tensorboard",
        ):
            gradflow.train(config, out=self.folder / "never")
        with self.fails(
            "file",
            f"{self.run_.folder} exists; choose another --out, or replace it with --overwrite",
        ):
            gradflow.train(self.config(), out=self.run_.folder)
        with self.fails("file", f"cannot open {self.folder}/none.yaml: No such file or directory"):
            gradflow.train(self.folder / "none.yaml", out=self.folder / "never")
        self.assertFalse((self.folder / "never").exists())

    def test_a_folder_that_is_no_run(self):
        with self.assertRaises(gradflow.Error) as caught:
            gradflow.gradients(self.folder)
        self.assertEqual(caught.exception.status, "file")
        self.assertIn(str(self.folder), str(caught.exception))

    def test_notes_are_logged(self):
        with self.assertLogs("gradflow", logging.INFO) as logs:
            gradflow.train(self.config(), out=self.folder / "logged", settings={"train.epochs": 1})
        self.assertIn("INFO:gradflow:285 training and 15 validation images", logs.output)


class Predictions(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_ = gradflow.train(cls.config(cls), out=cls.folder / "run")
        cls.images = pixels(70, 3)
        cls.expected = gradflow.predict(cls.run_, cls.images)

    def test_rows_are_probabilities(self):
        self.assertEqual(self.expected.shape, (70, CLASSES))
        self.assertEqual(self.expected.dtype, np.float64)
        np.testing.assert_allclose(self.expected.sum(axis=1), 1, rtol=1e-12)
        self.assertGreater(np.abs(self.expected[0] - self.expected[1]).sum(), 0.01)

    def test_the_softmax_of_the_network(self):
        """Against numpy on the weights of the run."""
        weights = read_safetensors(self.run_.folder / "best.safetensors")
        found = gradflow.predict(self.run_, self.images[:3])
        np.testing.assert_allclose(found, forward(weights, self.images[:3]), rtol=1e-4)

    def test_floats_are_bytes_by_255(self):
        for kind in np.float32, np.float64, np.float16:
            found = gradflow.predict(self.run_, (self.images / 255).astype(kind))
            np.testing.assert_allclose(
                found, self.expected, atol=1e-3 if kind is np.float16 else 1e-6
            )

    def test_one_image_and_none(self):
        with gradflow.Predictor(self.run_) as predictor:
            self.assertEqual(predictor.shape, (SIDE, SIDE, 3))
            self.assertEqual(predictor.classes, CLASSES)
            self.assertIsNone(predictor.class_names)
            one = predictor(self.images[7])
            np.testing.assert_array_equal(one, self.expected[7])
            self.assertEqual(predictor(self.images[:0]).shape, (0, CLASSES))
        with self.assertRaisesRegex(ValueError, "closed"):
            predictor(self.images)
        predictor.close()

    def test_arrays_in_any_order_of_memory(self):
        turned = np.asfortranarray(self.images)
        np.testing.assert_array_equal(gradflow.predict(self.run_, turned), self.expected)
        np.testing.assert_array_equal(
            gradflow.predict(self.run_, self.images[::-1]), self.expected[::-1]
        )

    def test_names_of_classes(self):
        names = self.folder / "names.txt"
        names.write_text("".join(f"kind {i}\n" for i in range(CLASSES)))
        with gradflow.Predictor(self.run_, classes=names) as predictor:
            self.assertEqual(predictor.class_names[42], "kind 42")

    def test_arrays_that_do_not_fit(self):
        with self.fails(
            "shape",
            "images are 33 x 32 x 3 (height, width, channels), and the network takes 32 x 32 x 3, "
            "or smaller ones of as many channels; resize them first",
        ):
            gradflow.predict(self.run_, np.zeros((2, 33, 32, 3), np.uint8))
        with self.fails(
            "argument", "image 1 has a pixel of 7; pixels that are floats are in [0, 1]"
        ):
            images = np.zeros((2, SIDE, SIDE, 3))
            images[1, 2, 3, 0] = 7
            gradflow.predict(self.run_, images)
        with self.assertRaisesRegex(ValueError, r"this one has the shape \(32, 32\)"):
            gradflow.predict(self.run_, self.images[0, :, :, 0])
        with self.assertRaisesRegex(TypeError, "not int64"):
            gradflow.predict(self.run_, self.images.astype(np.int64))

    def test_a_folder_that_is_no_run(self):
        with self.fails(
            "file",
            f"{self.folder} is no run folder: it has no config.yaml; name a folder that gradflow "
            "train has made",
        ):
            gradflow.predict(self.folder, self.images)


def read_safetensors(path):
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(content[end + e["data_offsets"][0] : end + e["data_offsets"][1]], "<f4")
        .reshape(e["shape"])
        .astype(float)
        for name, e in header.items()
    }


def forward(weights, images):
    """The test's network in double precision; convolution: 3 x 3, stride 2, no padding."""
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2023, 0.1994, 0.2010])
    x = (images / 255 - mean) / std
    kernel, out = weights["conv.weight"], (SIDE - 3) // 2 + 1
    y = np.zeros((len(images), out, out, len(kernel))) + weights["conv.bias"]
    for i in range(3):
        for j in range(3):
            y += x[:, i : i + 2 * out : 2, j : j + 2 * out : 2] @ kernel[:, :, i, j].T
    norm = {n.split(".")[1]: w for n, w in weights.items() if n.startswith("batch_norm")}
    y = (y - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5)
    y = np.maximum(y * norm["weight"] + norm["bias"], 0)
    flat = y.transpose(0, 3, 1, 2).reshape(len(images), -1)  # as PyTorch flattens
    logits = flat @ weights["last.weight"].T + weights["last.bias"]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


class Finding(unittest.TestCase):
    """How the library is found, each in a process of its own."""

    def load(self, **environment):
        code = "import gradflow; print(gradflow.version()['program'])"
        inherited = {k: v for k, v in os.environ.items() if k != "GRADFLOW_LIBRARY"}
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_a_library_that_is_none(self):
        found = self.load(GRADFLOW_LIBRARY="/nowhere/libgradflow.so")
        self.assertIn(
            "gradflow._library.Error: cannot load GRADFLOW_LIBRARY=/nowhere", found.stderr
        )

    def test_another_library(self):
        libc = ctypes.util.find_library("c")
        found = self.load(GRADFLOW_LIBRARY=libc)
        self.assertIn(
            f"{libc} has no gf_bench_compare: it is not a gradflow 0.1 library", found.stderr
        )

    @unittest.skipUnless(os.environ.get("GRADFLOW_LIBRARY"), "GRADFLOW_LIBRARY names no library")
    def test_by_name_and_by_pkg_config(self):
        library = pathlib.Path(os.environ["GRADFLOW_LIBRARY"]).resolve()
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / _library.NAME).symlink_to(library)
            found = self.load(LD_LIBRARY_PATH=folder)
            self.assertEqual(found.stdout, f"{gradflow.__version__}\n", found.stderr)
            package = f"libdir={folder}\nName: gradflow\nDescription: -\nVersion: 0.1.0\n"
            (pathlib.Path(folder) / "gradflow.pc").write_text(package)
            found = self.load(PKG_CONFIG_PATH=folder)
            self.assertEqual(found.stdout, f"{gradflow.__version__}\n", found.stderr)


@unittest.skipUnless(
    os.environ.get("GRADFLOW_LAYOUT"), "GRADFLOW_LAYOUT names no file of the C side"
)
class Layout(unittest.TestCase):
    """The structs of _c.py are those of the C headers, as a C program has measured them."""

    def test_structs(self):
        # Lines: STRUCT 0 SIZE, and STRUCT.FIELD OFFSET SIZE
        lines = pathlib.Path(os.environ["GRADFLOW_LAYOUT"]).read_text().splitlines()
        measured = {line.split()[0]: tuple(map(int, line.split()[1:])) for line in lines}
        found = {}
        for name, kind in vars(_c).items():
            is_struct = isinstance(kind, type) and issubclass(kind, ctypes.Structure)
            if not is_struct or kind is ctypes.Structure:
                continue
            found[name] = (0, ctypes.sizeof(kind))
            for field in _library.fields(kind):
                place = getattr(kind, field)
                found[f"{name}.{field}"] = (place.offset, place.size)
        self.assertEqual(found, measured)


if __name__ == "__main__":
    unittest.main()
