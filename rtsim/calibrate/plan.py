"""What to measure: the models, the ways of running them, and how precisely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rtsim.calibrate.sampling import FEWEST_SAMPLES
from rtsim.errors import InvalidValue, UnknownName
from rtsim.networks.sizes import parameter_count

PRECISIONS = ("fp32", "bf16")
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class CalibrationPlan:
    """A calibration to run, checked when it is made.

    Attributes
    ----------
    k : tuple of float, each 1/16 to 10000, distinct
        Filter multipliers of the ResNets to measure, in this order.
    depth : int, 15 or 30
        Convolutions of each ResNet.
    threads : int, >= 1
        Torch's intra-op threads; the paper ran one process per core, so 1.
    precision : {"fp32", "bf16"}
        bf16: inference holds its weights in bfloat16; learning keeps float32 weights and
        runs the forward passes under autocast.
    channels_last : bool
        Store images as height, width, channel, which suits many convolution kernels.
    compiled : bool
        Run the networks through ``torch.compile``; needs a C++ compiler.
    device : {"cpu", "cuda"}
        Where the network runs. Observations start in host memory.
    processes : int, 1 to 1000
        So many processes do the same at once; one of them is measured. What they take from one
        another, on shared cores or one GPU, is in the times.
    streams : int, 1 to 1000
        The same with threads of one process, on a GPU each with a CUDA stream of its own; those that
        infer share the weights. Not with ``processes``, nor compiled.
    batch : tuple of int, each >= 1, distinct
        Batch sizes of the learning step; empty: measure inference only.
    actions : int, >= 1
        Number of actions.
    precision_goal : float, 0 < goal < 1
        Stop once the 95 % half-width of the mean is at most this fraction of the mean.
    time_limit_s : float, seconds, > 0
        Stop a measurement after this time, its warm-up included, whatever the precision.
        At least 2 warm-up runs and 3 samples are taken even so.
    min_samples, max_samples : int, 3 <= min_samples <= max_samples
        The precision is not looked at before ``min_samples``: a profile is a distribution, and
        above its 99 % quantile lie three of 300 samples.
    seed : int, 0 <= seed < 2**63
        Seed of the weights and of the random observations.
    name : str, not empty
        Name of the profile.

    Raises
    ------
    InvalidValue, UnknownName
        If a value breaks its rule.

    >>> CalibrationPlan(k=(1, 7), batch=(16, 32)).total
    6
    >>> CalibrationPlan(precision="bf16", threads=2).key(29)
    'resnet15-k29-bf16-t2'
    """

    k: tuple[float, ...] = (0.0625, 1.0, 7.0, 29.0)
    depth: int = 15
    threads: int = 1
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    compiled: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    processes: int = 1
    streams: int = 1
    batch: tuple[int, ...] = (16,)
    actions: int = 6
    precision_goal: float = 0.01
    time_limit_s: float = 60.0
    min_samples: int = 300
    max_samples: int = 10_000
    seed: int = 0
    name: str = "local"

    def __post_init__(self) -> None:
        if len(self.k) == 0:
            raise InvalidValue("k () (filter multipliers) must name at least one model; give e.g. k=(1,)")
        for k in self.k:
            parameter_count(k, self.depth, self.actions)
        _distinct("k", self.k)
        for batch in self.batch:
            _whole("batch", "observations", batch, 1, "batch=(16,)")
        _distinct("batch", self.batch)
        _whole("threads", "a count", self.threads, 1, "threads=1")
        if self.threads > 1024:
            raise InvalidValue(f"threads {self.threads} (a count) must be at most 1024; give e.g. threads=1")
        for what in ("processes", "streams"):
            _whole(what, "a count", getattr(self, what), 1, f"{what}=1")
            if getattr(self, what) > 1000:
                raise InvalidValue(f"{what} {getattr(self, what)} (a count) must be at most 1000; give e.g. {what}=4")
        if self.streams > 1 and (self.processes > 1 or self.compiled):
            raise InvalidValue(
                f"streams {self.streams} (a count) does not go with processes or with compiled; give one of them"
            )
        _whole("min_samples", "a count", self.min_samples, FEWEST_SAMPLES, "min_samples=300")
        _whole("max_samples", "a count", self.max_samples, self.min_samples, "max_samples=10000, or lower min_samples")
        _whole("seed", "no unit", self.seed, 0, "seed=0")
        if self.seed >= 2**63:
            raise InvalidValue(f"seed {self.seed} (no unit) must be < 2**63; give e.g. seed=0")
        if self.precision not in PRECISIONS:
            raise UnknownName("precision", str(self.precision), PRECISIONS)
        if self.device not in DEVICES:
            raise UnknownName("device", str(self.device), DEVICES)
        if not (_real(self.precision_goal) and 0 < self.precision_goal < 1):
            raise InvalidValue(
                f"precision_goal {self.precision_goal!r} (fraction of the mean) must be > 0 and < 1; "
                "give e.g. precision_goal=0.01 for 1 %"
            )
        if not (_real(self.time_limit_s) and 0 < self.time_limit_s < math.inf):
            raise InvalidValue(
                f"time_limit_s {self.time_limit_s!r} s must be finite and > 0; give e.g. time_limit_s=60"
            )
        if not (isinstance(self.name, str) and self.name.strip() and self.name.isprintable()):
            raise InvalidValue(f"name {self.name!r} of the profile must not be empty; give e.g. name='local'")

    @property
    def at_once(self) -> int:
        """How many do the same at the same time."""
        return self.processes * self.streams

    @property
    def total(self) -> int:
        """Number of measurements: per model one inference and one learning step per batch size."""
        return len(self.k) * (1 + len(self.batch))

    def key(self, k: float) -> str:
        """Key of the model in the profile; names whatever is not float32, eager, one thread, cpu, alone."""
        parts = [f"resnet{self.depth}", f"k{k:.12g}"]
        parts += [self.precision] if self.precision != "fp32" else []
        parts += ["channels_last"] if self.channels_last else []
        parts += ["compiled"] if self.compiled else []
        parts += [f"t{self.threads}"] if self.threads != 1 else []
        parts += [self.device] if self.device != "cpu" else []
        parts += [f"p{self.processes}"] if self.processes != 1 else []
        parts += [f"s{self.streams}"] if self.streams != 1 else []
        return "-".join(parts)

    def settings(self, k: float) -> dict[str, Any]:
        """What the profile records about how this model was run: JSON values."""
        return {
            "family": "resnet",
            "depth": self.depth,
            "k": float(k),
            "actions": self.actions,
            "device": self.device,
            "threads": self.threads,
            "precision": self.precision,
            "channels_last": self.channels_last,
            "compiled": self.compiled,
            "processes": self.processes,
            "streams": self.streams,
            "seed": self.seed,
        }

    def describe(self) -> str:
        """One sentence for the profile's description."""
        way = [self.precision, "channels_last" if self.channels_last else "contiguous"]
        way += ["compiled" if self.compiled else "eager", f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        way += [f"{self.processes} processes at once"] if self.processes > 1 else []
        way += [f"{self.streams} streams at once"] if self.streams > 1 else []
        return f"ResNets of {self.depth} convolutions on {self.device} ({', '.join(way)}), measured by rtsim calibrate."


def _real(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(what: str, unit: str, value: object, least: int, example: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidValue(f"{what} {value!r} ({unit}) must be a whole number >= {least}; give e.g. {example}")


def _distinct(what: str, values: Sequence[float]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InvalidValue(f"{what} {value!r} is given twice; each must be given once")
