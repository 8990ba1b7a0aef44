"""Train deep convolutional networks on any OpenCL device, and see where the gradient dies.

The package calls the C library libgradflow, which is found by its name, by pkg-config, or where
the environment variable GRADFLOW_LIBRARY says. It is loaded at the first call. Its notes go to the
logger "gradflow" of the module logging.

    >>> import gradflow
    >>> gradflow.devices()
    >>> run = gradflow.train("configs/quickstart/plain37.yaml", out="runs/plain37")
    >>> gradflow.diagnose(run).findings[0].headline
    >>> probabilities = gradflow.predict(run, images)  # (count, height, width, channels)
"""

from ._devices import Device, devices
from ._diagnosis import Diagnosis, Finding, GradientHistory, Remedy, diagnose, gradients
from ._library import Error, version
from ._prediction import Predictor, predict
from ._signal import Signal, Theory, signal
from ._training import Epoch, Event, GradientStatistics, Run, Step, train
from ._trial import try_remedies
from ._watch import Watch, watch

__version__ = "0.1.0"

__all__ = [
    "Device",
    "Diagnosis",
    "Epoch",
    "Error",
    "Event",
    "Finding",
    "GradientHistory",
    "GradientStatistics",
    "Predictor",
    "Remedy",
    "Run",
    "Signal",
    "Step",
    "Theory",
    "Watch",
    "devices",
    "diagnose",
    "gradients",
    "predict",
    "signal",
    "train",
    "try_remedies",
    "version",
    "watch",
]
