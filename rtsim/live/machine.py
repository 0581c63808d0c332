"""What the machine did to a run: time stolen from it, and what else it had to do."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


class Watch:
    """Reads the system's counters at the beginning and the end of a run."""

    def __init__(self) -> None:
        self._before = _ticks()

    def begin(self) -> None:
        """The run begins now."""
        self._before = _ticks()

    def describe(self) -> dict[str, Any]:
        """JSON values; None where the system does not tell.

        ``steal_fraction`` is the share of CPU time that the hypervisor gave to others during
        the run, ``busy_fraction`` the share that was not idle.
        """
        return {**about(), **_shares(self._before, _ticks())}


def about() -> dict[str, Any]:
    """The machine and its Python: JSON values, None where the system does not tell."""
    return {
        "cpu": _cpu(),
        "logical_cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
    }


def _ticks() -> list[int] | None:
    """user nice system idle iowait irq softirq steal, in ticks since the system started."""
    try:
        return [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None


def _shares(before: list[int] | None, after: list[int] | None) -> dict[str, float | None]:
    if before is None or after is None or len(before) < 8 or sum(after) <= sum(before):
        return {"steal_fraction": None, "busy_fraction": None}
    spent = [b - a for a, b in zip(before, after, strict=True)]
    total = sum(spent)
    return {
        "steal_fraction": round(spent[7] / total, 6),
        "busy_fraction": round(1 - (spent[3] + spent[4]) / total, 6),
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
