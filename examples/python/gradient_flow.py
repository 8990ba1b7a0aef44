# ---
# A notebook as a script: editors such as VS Code, Spyder and PyCharm, and jupytext, run it cell by
# cell; `python examples/python/gradient_flow.py` runs all of it, in a few minutes on two CPU cores.
# bindings/python/README.md says how the package gradflow is installed.
# ---

# %% [markdown]
# # Where the gradient dies
#
# Two networks of 37 convolutions that differ in one line, `shortcut: identity`, learn Fashion-MNIST
# for a short while. The plain one does not learn. Its gradients say why.

# %%
import gzip
import pathlib
import tempfile

import numpy as np

import gradflow

EPOCHS, IMAGES = 3, 2500  # more of both for more than a first look

for device in gradflow.devices():
    print(f"{device.selector}  {device.type}  {device.name}")

# %% [markdown]
# ## Images
#
# Fashion-MNIST as Debian's package `dataset-fashion-mnist` has it. Without it, bright bars on noise
# stand in: the class is the place and direction of the bar.

# %%
runs = pathlib.Path(tempfile.mkdtemp(prefix="gradient-flow-"))
print(f"runs and pictures go to {runs}")


def write_idx(path, values):
    """An array in the format of MNIST's files: big-endian dimensions, then bytes."""
    head = np.array([0x0800 + values.ndim, *values.shape], dtype=">u4")
    path.write_bytes(head.tobytes() + values.astype(np.uint8).tobytes())


def draw_bars(count, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count)
    images = random.integers(0, 60, (count, 28, 28))
    for image, label in zip(images, labels):
        place = 2 + 5 * (label % 5) + random.integers(0, 3)
        bar = image if label < 5 else image.T
        bar[:, place : place + 3] += 150
    return images, labels


def read_idx(path, head):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=head)


def open_data():
    """The data section of a config; images and labels to test with."""
    installed = pathlib.Path("/usr/share/datasets/fashion-mnist")
    if installed.is_dir():
        images = read_idx(installed / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = read_idx(installed / "t10k-labels-idx1-ubyte.gz", 8)
        return {"name": "fashion_mnist"}, images[:500], labels[:500]
    for part, count, seed in ("train", IMAGES + 500, 1), ("t10k", 500, 2):
        images, labels = draw_bars(count, seed)
        write_idx(runs / f"{part}-images-idx3-ubyte", images)
        write_idx(runs / f"{part}-labels-idx1-ubyte", labels)
    return {"name": "fashion_mnist", "path": runs}, images.astype(np.uint8), labels


data, test_images, test_labels = open_data()
data = {**data, "train_limit": IMAGES, "validation": 500}

# %% [markdown]
# ## Training
#
# A config is a YAML file or the same as dictionaries. The callback sees each step, the gradients
# about twice a second, and each epoch; to return False would end the run.


# %%
def config(shortcut):
    return {
        "data": data,
        "model": {"family": "vgg_stages", "blocks_per_stage": 5, "shortcut": shortcut},
        "train": {"epochs": EPOCHS, "batch_size": 50, "seed": 0},
        "schedule": {"name": "cosine", "final": 2e-5},
    }


losses = {}


def train(name, shortcut):
    losses[name] = []

    def watch(event):
        if isinstance(event, gradflow.Step):
            losses[name].append(event.loss)
        if isinstance(event, gradflow.Epoch):
            print(
                f"{name}: epoch {event.epoch} of {event.epochs}, loss {event.train_loss:.3f}, "
                f"validation {event.validation_accuracy:.1%}, {event.seconds:.0f} s"
            )

    return gradflow.train(config(shortcut), out=runs / name, callback=watch)


plain = train("plain", "none")
residual = train("residual", "identity")

# %% [markdown]
# ## The gradients
#
# Mean absolute gradients, an epoch a row, a layer a column, from the input to the output.

# %%
flows = {name: gradflow.gradients(run) for name, run in (("plain", plain), ("residual", residual))}

for name, flow in flows.items():
    first, last = flow.mean_abs[-1][[0, -1]]
    print(f"{name}: {first:.1e} at the input, {last:.1e} at the output")

# %% [markdown]
# What the program makes of it, and what helps.

# %%
for run in plain, residual:
    finding = gradflow.diagnose(run).findings[0]
    print(finding.headline)
    for remedy in finding.remedies[:3]:
        print(f"  {remedy.setting}: {remedy.text}")

# %% [markdown]
# ## Pictures


# %%
def plot(path):
    import matplotlib.pyplot as plt

    figure, (flow_axes, loss_axes) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for (name, flow), colour in zip(flows.items(), ("tab:red", "tab:blue")):
        for epoch, values in zip(flow.epochs, flow.mean_abs):
            alpha = epoch / flow.epochs[-1]
            label = name if alpha == 1 else None
            # A zero has no place on a logarithmic axis.
            shown = np.where(values > 0, values, np.nan)
            flow_axes.semilogy(shown, color=colour, alpha=alpha, label=label)
        loss_axes.plot(losses[name], color=colour, label=name)
    flow_axes.axhline(1e-8, color="grey", linestyle=":", label="Adam's eps")
    flow_axes.set(title="Gradient flow", xlabel="layer, from the input", ylabel="mean |gradient|")
    loss_axes.axhline(np.log(10), color="grey", linestyle=":", label="guessing: ln 10")
    loss_axes.set(title="Loss of each step", xlabel="step", ylabel="loss")
    for axes in flow_axes, loss_axes:
        axes.legend()
    figure.savefig(path, dpi=120)
    print(path)


try:
    plot(runs / "gradient_flow.png")
except ImportError:
    print("without matplotlib there is no picture: pip install matplotlib")

# %% [markdown]
# ## Predictions
#
# On arrays (count, height, width, channels): 500 images that no network has seen.

# %%
for name, run in ("plain", plain), ("residual", residual):
    probabilities = gradflow.predict(run, test_images[..., np.newaxis])
    correct = probabilities.argmax(axis=1) == test_labels
    print(f"{name}: {correct.mean():.1%} of {len(correct)} images right")
