"""gradflow.lightning.Watch. Needs lightning, and is skipped without it."""

import csv
import json
import logging
import pathlib
import tempfile
import unittest
import warnings

try:
    import lightning.pytorch as pl
    import torch
    import torch.nn.functional as F
    from torch import nn

    from gradflow.lightning import Watch
except ImportError:
    pl = None

SKIPPED = "skipped: this Python has no lightning; GRADFLOW_PYTHON=PATH names another"


def rows(folder, name):
    with open(pathlib.Path(folder) / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if pl is not None:

    class Module(pl.LightningModule):
        def __init__(self, returns_scores=False, fails_at=None):
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
            self.returns_scores, self.fails_at = returns_scores, fails_at
            self.losses, self.correct = [], []

        def training_step(self, batch, index):
            if index == self.fails_at:
                raise ValueError("of mine")
            images, labels = batch
            scores = self.net(images)
            loss = F.cross_entropy(scores, labels)
            self.losses.append(loss.item())
            self.correct.append((scores.argmax(1) == labels).float().mean())
            if self.returns_scores:
                return {"loss": loss, "scores": scores.detach(), "labels": labels}
            self.log("train_acc", self.correct[-1], on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", 1.5)
            self.log("val_acc", 0.25)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.125)


@unittest.skipIf(pl is None, SKIPPED)
class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="gradflow-lightning-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "run"
        for name in ("lightning.pytorch", "lightning"):
            logging.getLogger(name).setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        torch.manual_seed(2)

    def fit(self, module, **options):
        data = torch.utils.data.TensorDataset(torch.randn(32, 3, 2, 2), torch.randint(0, 4, (32,)))
        loader = torch.utils.data.DataLoader(data, batch_size=8)
        trainer = pl.Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=self.folder.parent,
            callbacks=[Watch(self.folder, classes=4)],
            **options,
        )
        trainer.fit(module, loader, loader)

    def check(self, module, steps):
        metrics = rows(self.folder, "metrics.csv")
        self.assertEqual([row["epoch"] for row in metrics], ["1", "2"])
        for i, row in enumerate(metrics):
            part = slice(4 * i, 4 * i + 4)
            self.assertAlmostEqual(float(row["train_loss"]), sum(module.losses[part]) / 4, 5)
            self.assertAlmostEqual(
                float(row["train_accuracy"]), float(sum(module.correct[part])) / 4, 5
            )
            self.assertEqual((row["validation_loss"], row["validation_accuracy"]), ("1.5", "0.25"))
            self.assertEqual(row["learning_rate"], "0.125")
        self.assertEqual(rows(self.folder, "gradients.csv")[-1]["step"], str(steps))
        names = {row["parameter"] for row in rows(self.folder, "gradients.csv")}
        self.assertEqual(names, {"net.1.weight", "net.1.bias", "net.3.weight", "net.3.bias"})
        outputs = [row["layer"] for row in rows(self.folder, "activations.csv")]
        self.assertEqual(outputs[:3], ["net.1", "net.2", "net.3"])
        self.assertEqual(
            json.loads((self.folder / "result.json").read_text())["status"], "finished"
        )

    def test_logged_metrics(self):
        module = Module()
        self.fit(module)
        self.check(module, 8)

    def test_scores_that_are_returned(self):
        module = Module(returns_scores=True)
        self.fit(module, accumulate_grad_batches=2)
        self.check(module, 4)

    def test_an_exception(self):
        with self.assertRaisesRegex(ValueError, "of mine"):
            self.fit(Module(fails_at=2))
        self.assertEqual(
            json.loads((self.folder / "result.json").read_text()),
            {"status": "stopped", "message": "ValueError: of mine"},
        )
        self.assertTrue(rows(self.folder, "gradients.csv"))


if __name__ == "__main__":
    unittest.main()
