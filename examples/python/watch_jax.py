"""Writes the records of a training loop in JAX, for gradflow to diagnose.

docs/records.md describes the files; nothing of gradflow is needed to write them.

    pip install jax
    python examples/python/watch_jax.py runs/jax && gradflow diagnose runs/jax
"""

import json
import pathlib
import sys

import jax
import jax.numpy as jnp

DEPTH, WIDTH, CLASSES, EPOCHS, STEPS, RATE = 20, 16, 4, 3, 20, 0.05
NAMES = [f"linear_{i}" for i in range(DEPTH)]

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "runs/jax")
folder.mkdir(parents=True)  # fails where a run is there
columns = "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio"
layers = [{"name": n, "type": "linear", "activation": f"{n}.sigmoid"} for n in NAMES[:-1]]
layers += [{"name": f"{n}.sigmoid", "type": "sigmoid"} for n in NAMES[:-1]]
network = {"format": 1, "image": None, "classes": CLASSES, "framework": {"name": "jax"}}
network |= {"layers": [*layers, {"name": NAMES[-1], "type": "linear"}]}
network |= {"optimizer": {"kind": "sgd", "eps": None}}
(folder / "network.json").write_text(json.dumps(network))
metrics, gradients = open(folder / "metrics.csv", "w"), open(folder / "gradients.csv", "w")
print(
    "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy",
    file=metrics,
)
print(columns, file=gradients)


def scores_of(weights, x):
    for w in weights[:-1]:
        x = jax.nn.sigmoid(x @ w)
    return x @ weights[-1]


@jax.jit
def step_of(weights, x, labels):
    def loss_of(weights):
        return -jax.nn.log_softmax(scores_of(weights, x))[jnp.arange(len(x)), labels].mean()

    loss, slopes = jax.value_and_grad(loss_of)(weights)
    rows = [
        [
            abs(g).mean(),
            jnp.linalg.norm(g),
            abs(g).max(),
            (g == 0).mean(),
            RATE * jnp.linalg.norm(g) / jnp.linalg.norm(w),
        ]
        for w, g in zip(weights, slopes)
    ]
    accuracy = (scores_of(weights, x).argmax(1) == labels).mean()
    return [w - RATE * g for w, g in zip(weights, slopes)], loss, accuracy, jnp.array(rows)


keys = jax.random.split(jax.random.key(0), DEPTH + 2)
weights = [0.25 * jax.random.normal(k, (WIDTH, WIDTH)) for k in keys[: DEPTH - 1]]
weights.append(0.25 * jax.random.normal(keys[DEPTH - 1], (WIDTH, CLASSES)))
x = jax.random.normal(keys[-2], (64, WIDTH))
labels = jax.random.randint(keys[-1], (64,), 0, CLASSES)
for epoch in range(1, EPOCHS + 1):
    sums = jnp.zeros(2)
    for step in range(STEPS):
        weights, loss, accuracy, rows = step_of(weights, x, labels)
        sums += jnp.array([loss, accuracy]) / STEPS
    for name, row in zip(NAMES, rows.tolist()):  # a record at the end of each epoch
        print(epoch, epoch * STEPS, name, f"{name}.weight", *row, sep=",", file=gradients)
    print(epoch, RATE, *sums.tolist(), "nan", "nan", sep=",", file=metrics)
