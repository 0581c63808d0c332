"""What a profile says about the machine it was measured on, and what fits in its memory."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from rtsim import machine
from rtsim.calibrate.plan import CalibrationPlan
from rtsim.errors import MissingExtra
from rtsim.networks.sizes import activation_count, parameter_count

try:
    import psutil
except ModuleNotFoundError:  # the core install has neither psutil nor torch
    psutil = None

#: Room for what the estimates leave out: kernels' scratch space, re-ordered weights, the program.
HEADROOM = 1.25


class Watch:
    """Describes the machine, including what others took of it since the watch was started."""

    def __init__(self) -> None:
        self.created = datetime.now(UTC).isoformat(timespec="seconds")
        self._load = [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None
        self._watch = machine.Watch()

    def machine(self, plan: CalibrationPlan | None = None) -> dict[str, Any]:
        """JSON values; None where the system does not tell.

        ``load_average`` is the one before measuring began; ``steal_fraction`` the share of
        CPU time that the hypervisor gave to others while measuring.

        Parameters
        ----------
        plan : CalibrationPlan, optional
            What was measured of networks; without it nothing is said about torch.
        """
        found = self._watch.describe()
        steal = found.pop("steal_fraction")
        del found["busy_fraction"]
        return {
            **found,
            "cpu_flags": machine.cpu()[1],
            **({} if plan is None else _about_torch(plan)),
            "date": self.created,
            "load_average": self._load,
            "steal_fraction": steal,
        }


def _about_torch(plan: CalibrationPlan) -> dict[str, Any]:
    import torch

    _need_psutil()
    cuda = plan.device == "cuda"
    return {
        "memory_bytes": int(psutil.virtual_memory().total),
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "torch": str(torch.__version__),
        "torch_threads": plan.threads,
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cudnn_tf32": bool(torch.backends.cudnn.allow_tf32) if cuda else None,
    }


def identity(networks: bool = True) -> dict[str, str]:
    """What must agree for times to stand in one profile: the processor, and for networks torch's version."""
    found = {"cpu": machine.cpu()[0]}
    if networks:
        import torch

        found["torch"] = str(torch.__version__)
    return found


def memory_needed(plan: CalibrationPlan, k: float, batch: int | None = None) -> int:
    """Estimate of the bytes that an operation needs, from above.

    Inference holds the float32 weights, and beside them their bfloat16 copy while it is
    made. Learning holds weights, gradients, Adam's two moments and the target network, all
    float32, and twice the activations of the batch: with their gradients and the target's,
    peaks of 1.0 to 1.6 times were seen. Several at once need so much each.

    Parameters
    ----------
    batch : int or None
        Learning at this batch size, or inference.

    >>> plan = CalibrationPlan()
    >>> round(memory_needed(plan, 98, batch=16) / 1e9), round(memory_needed(plan, 98) / 1e9)
    (34, 5)
    """
    weights = 4 * parameter_count(k, plan.depth, plan.actions)
    activations = 4 * activation_count(k, plan.depth)
    if batch is None:
        copies = 1.5 if plan.precision == "bf16" else 1.0
        return int(plan.at_once * HEADROOM * (copies * weights + activations))
    return int(plan.at_once * HEADROOM * (5 * weights + 2 * batch * activations))


def memory_available(device: str) -> int:
    """Bytes that can be taken now without being killed: of the GPU, the system or its cgroup."""
    _need_psutil()
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    return min([int(psutil.virtual_memory().available), *machine.memory_room()])


def _need_psutil() -> None:
    if psutil is None:
        raise MissingExtra("calibration", "psutil", "live")
