"""gradflow.keras.Watch, on the backend that KERAS_BACKEND names.

They need keras with that backend, and are skipped without.
"""

import csv
import json
import os
import pathlib
import tempfile
import unittest

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

try:
    import keras
    from keras import layers

    from gradflow.keras import Watch
except ImportError:
    keras = None

SKIPPED = "skipped: this Python has no keras with its backend; GRADFLOW_PYTHON=PATH names another"


def rows(folder, name):
    with open(pathlib.Path(folder) / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@unittest.skipIf(keras is None, SKIPPED)
class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="gradflow-keras-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "run"
        keras.utils.set_random_seed(3)
        random = np.random.default_rng(5)
        self.images = random.normal(size=(24, 6, 6, 3)).astype("float32")
        self.labels = random.integers(0, 4, 24)

    def model(self):
        inputs = keras.Input((6, 6, 3))
        x = layers.Conv2D(5, 3, padding="same", name="conv")(inputs)
        x = layers.BatchNormalization(name="norm")(x)
        kept = x = layers.ReLU(name="act")(x)
        x = layers.Conv2D(5, 3, padding="same", activation="tanh", name="inner")(x)
        x = layers.Add(name="sum")([x, kept])
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        model = keras.Model(inputs, layers.Dense(4, name="last")(x))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.125), loss=loss, metrics=["accuracy"])
        return model

    def test_a_fit_is_recorded(self):
        model = self.model()
        before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.get_layer("last").weights]
        watch = Watch(self.folder, self.images[:8], self.labels[:8])
        history = model.fit(
            self.images,
            self.labels,
            batch_size=24,  # one step, whose update is the rate times the gradient
            epochs=2,
            shuffle=False,
            validation_data=(self.images[:8], self.labels[:8]),
            callbacks=[watch],
            verbose=0,
        )
        metrics = rows(self.folder, "metrics.csv")
        self.assertEqual([row["epoch"] for row in metrics], ["1", "2"])
        for row, loss, accuracy in zip(
            metrics, history.history["loss"], history.history["val_accuracy"]
        ):
            self.assertAlmostEqual(float(row["train_loss"]), loss, 5)
            self.assertAlmostEqual(float(row["validation_accuracy"]), accuracy, 5)
            self.assertEqual(float(row["learning_rate"]), 0.125)
        gradients = rows(self.folder, "gradients.csv")
        self.assertEqual(
            {(row["epoch"], row["step"]) for row in gradients}, {("1", "1"), ("2", "2")}
        )
        first = {row["parameter"]: row for row in gradients if row["step"] == "1"}
        self.assertEqual(
            list(first),
            ["conv.kernel", "conv.bias", "norm.gamma", "norm.beta", "inner.kernel", "inner.bias"]
            + ["last.kernel", "last.bias"],
        )
        self.assertAlmostEqual(
            float(first["last.kernel"]["weight_l2"]), float(np.linalg.norm(before[0])), 5
        )
        self.assertEqual(first["conv.kernel"]["is_weight"], "1")
        self.assertEqual(first["conv.bias"]["is_weight"], "0")
        outputs = [row["layer"] for row in rows(self.folder, "activations.csv")][:5]
        self.assertEqual(outputs, ["conv", "norm", "act", "inner.tanh", "last"])
        network = json.loads((self.folder / "network.json").read_text())
        self.assertEqual(network["framework"], {"name": "keras", "version": keras.__version__})
        self.assertEqual((network["image"], network["classes"]), ([6, 6, 3], 4))
        by_name = {layer["name"]: layer for layer in network["layers"]}
        self.assertEqual(by_name["conv"]["activation"], "act")
        self.assertEqual(by_name["inner"]["activation"], "inner.tanh")
        self.assertEqual(by_name["sum"]["inputs"], ["inner.tanh", "act"])
        self.assertEqual(
            json.loads((self.folder / "result.json").read_text()), {"status": "finished"}
        )

    def test_gradients_are_those_by_differences(self):
        """After a step of rate 0 the loss of the batch, by small changes of a bias and of a weight."""
        model = self.model()
        model.optimizer.learning_rate = 0.0
        watch = Watch(self.folder, self.images[:8], self.labels[:8])
        running = keras.ops.convert_to_numpy(model.get_layer("norm").moving_mean).copy()
        model.fit(
            self.images[:8], self.labels[:8], 8, 1, verbose=0, callbacks=[watch], shuffle=False
        )
        found = {row["parameter"]: row for row in rows(self.folder, "gradients.csv")}
        # The fit's own step moved the running mean by a hundredth, and the record did not.
        x = model.get_layer("conv")(keras.ops.convert_to_tensor(self.images[:8]))
        mean = keras.ops.convert_to_numpy(keras.ops.mean(x, (0, 1, 2)))
        after = keras.ops.convert_to_numpy(model.get_layer("norm").moving_mean)
        np.testing.assert_allclose(after, running + 0.01 * (mean - running), rtol=1e-3, atol=1e-6)
        self.assertEqual(found["last.kernel"]["update_ratio"], "0")

        def loss():
            scores = model(keras.ops.convert_to_tensor(self.images[:8]), training=True)
            labels = keras.ops.convert_to_tensor(self.labels[:8])
            return float(keras.ops.convert_to_numpy(model.compute_loss(y=labels, y_pred=scores)))

        bias = model.get_layer("last").bias
        value, slopes = keras.ops.convert_to_numpy(bias).copy(), []
        for i in range(4):
            ends = []
            for change in (0.05, -0.05):
                moved = value.copy()
                moved[i] += change
                bias.assign(moved)
                ends.append(loss())
            slopes.append((ends[0] - ends[1]) / 0.1)
        self.assertAlmostEqual(
            float(found["last.bias"]["mean_abs"]), float(np.abs(slopes).mean()), 3
        )


if __name__ == "__main__":
    unittest.main()
