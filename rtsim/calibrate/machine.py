"""What a profile says about the machine it was measured on, and what fits in its memory."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rtsim.calibrate.plan import CalibrationPlan
from rtsim.errors import MissingExtra
from rtsim.networks.sizes import activation_count, parameter_count

try:
    import psutil
except ModuleNotFoundError:  # the core install has neither psutil nor torch
    psutil = None

#: CPU features that change how fast torch's kernels run.
FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "sve", "sve2", "bf16", "i8mm"),
)
#: Room for what the estimates leave out: kernels' scratch space, re-ordered weights, the program.
HEADROOM = 1.25


class Watch:
    """Describes the machine, including what others took of it since the watch was started."""

    def __init__(self) -> None:
        _need_psutil()
        self.created = datetime.now(UTC).isoformat(timespec="seconds")
        self._load = _load_average()
        self._times = psutil.cpu_times()

    def machine(self, plan: CalibrationPlan) -> dict[str, Any]:
        """JSON values; None where the system does not tell.

        ``load_average`` is the one before measuring began; ``steal_fraction`` the share of
        CPU time that the hypervisor gave to others while measuring.
        """
        import torch

        name, flags = _cpu()
        cuda = plan.device == "cuda"
        return {
            "cpu": name,
            "cpu_flags": flags,
            "logical_cores": os.cpu_count(),
            "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            "memory_bytes": int(psutil.virtual_memory().total),
            "gpu": torch.cuda.get_device_name() if cuda else None,
            "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "torch_threads": plan.threads,
            "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "cudnn_tf32": bool(torch.backends.cudnn.allow_tf32) if cuda else None,
            "date": self.created,
            "load_average": self._load,
            "steal_fraction": _steal(self._times, psutil.cpu_times()),
        }


def identity() -> dict[str, str]:
    """What must agree for times to stand in one profile: processor and torch version."""
    import torch

    return {"cpu": _cpu()[0], "torch": str(torch.__version__)}


def memory_needed(plan: CalibrationPlan, k: float, batch: int | None = None) -> int:
    """Estimate of the bytes that an operation needs, from above.

    Inference holds the float32 weights, and beside them their bfloat16 copy while it is
    made. Learning holds weights, gradients, Adam's two moments and the target network, all
    float32, and twice the activations of the batch: with their gradients and the target's,
    peaks of 1.0 to 1.6 times were seen.

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
        return int(HEADROOM * (copies * weights + activations))
    return int(HEADROOM * (5 * weights + 2 * batch * activations))


def memory_available(device: str) -> int:
    """Bytes that can be taken now without being killed: of the GPU, the system or its cgroup."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    _need_psutil()
    return min([int(psutil.virtual_memory().available), *_cgroup_room()])


def _need_psutil() -> None:
    if psutil is None:
        raise MissingExtra("calibration", "psutil", "live")


def _cgroup_room(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Bytes left under each memory limit of the cgroups (version 2) this process is in."""
    room: list[int] = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return room
    own = next((line[3:] for line in lines if line.startswith("0::")), "/").lstrip("/")
    for folder in [root / own, *(root / own).parents]:
        if not folder.is_relative_to(root):
            break
        try:
            limit = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            # File pages are given back before anything is killed.
            cached = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            room.append(limit - used + int(cached.get("inactive_file", 0)))
        except (OSError, ValueError):  # no such file here, or the limit is "max"
            continue
    return room


def _cpu() -> tuple[str, list[str] | None]:
    """Model name of the CPU and those of :data:`FLAGS` it has."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), None
    fields: dict[str, str] = {}
    for line in text.splitlines():
        label, _, value = line.partition(":")
        fields.setdefault(label.strip(), value.strip())
    name = fields.get("model name") or platform.processor() or platform.machine()
    has = set(fields.get("flags", fields.get("Features", "")).split())
    return name, [flag for flag in FLAGS if flag in has]


def _load_average() -> list[float] | None:
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None


def _steal(before: Any, after: Any) -> float | None:
    """Stolen share of the CPU time between two readings of ``psutil.cpu_times()``."""
    if not hasattr(before, "steal"):
        return None
    # Linux counts guest time in user time already.
    fields = [name for name in before._fields if not name.startswith("guest")]
    total = sum(getattr(after, name) - getattr(before, name) for name in fields)
    return round((after.steal - before.steal) / total, 6) if total > 0 else None
