"""What this machine is, what memory it has, and what others took of it meanwhile."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

#: CPU features that change how fast kernels run.
FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "sve", "sve2", "bf16", "i8mm"),
)
#: What a machine is taken to have if nobody tells, bytes.
MEMORY_UNTOLD = 8 * 10**9
CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


class Watch:
    """Reads the system's counters when it is made, and again when it describes what happened since."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """What is watched begins now."""
        self._before = ticks()

    def describe(self) -> dict[str, Any]:
        """JSON values; None where the system does not tell.

        ``steal_fraction`` is the share of CPU time that the hypervisor gave to others since
        the beginning, ``busy_fraction`` the share that was not idle.
        """
        return {**about(), **shares(self._before, ticks())}


def about() -> dict[str, Any]:
    """The machine and its Python: JSON values, None where the system does not tell."""
    return {
        "cpu": cpu()[0],
        "logical_cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
    }


def cpu() -> tuple[str, list[str] | None]:
    """Model name of the CPU, and those of :data:`FLAGS` it has (None: the system does not tell)."""
    unknown = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return unknown, None
    fields: dict[str, str] = {}
    for line in text.splitlines():
        label, _, value = line.partition(":")
        fields.setdefault(label.strip(), value.strip())
    has = set(fields.get("flags", fields.get("Features", "")).split())
    return fields.get("model name") or unknown, [flag for flag in FLAGS if flag in has]


def ticks(path: Path = Path("/proc/stat")) -> list[int] | None:
    """user nice system idle iowait irq softirq steal since the system started, in ticks; guests are in user."""
    try:
        found = [int(word) for word in path.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return found if len(found) == 8 else None


def shares(before: list[int] | None, after: list[int] | None) -> dict[str, float | None]:
    """Share of all CPU time that was stolen, and that was not idle, between two readings of :func:`ticks`.

    >>> shares([0] * 8, [10, 0, 5, 70, 10, 0, 0, 5])
    {'steal_fraction': 0.05, 'busy_fraction': 0.2}
    """
    if before is None or after is None or sum(after) <= sum(before):
        return {"steal_fraction": None, "busy_fraction": None}
    spent = [b - a for a, b in zip(before, after, strict=True)]
    total = sum(spent)
    return {
        "steal_fraction": round(spent[7] / total, 6),
        "busy_fraction": round(1 - (spent[3] + spent[4]) / total, 6),
    }


def memory_limit(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Memory this process may ever use, bytes: the machine's, or its container's."""
    limits = [MEMORY_UNTOLD]
    with suppress(ValueError, OSError, AttributeError):
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    return min(limits + [limit for _, limit in _limited(root, membership)])


def memory_room(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> list[int]:
    """Bytes left now under each memory limit of this process's cgroups; [] without any."""
    room = []
    for folder, limit in _limited(root, membership):
        with suppress(OSError, ValueError):
            used = int((folder / "memory.current").read_text())
            # File pages are given back before anything is killed.
            cached = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            room.append(limit - used + int(cached.get("inactive_file", 0)))
    return room


def _limited(root: Path, membership: Path) -> Iterator[tuple[Path, int]]:
    """The cgroups (version 2) around this process that have a memory limit, innermost first, and the limit in bytes."""
    own = ""
    with suppress(OSError):
        lines = membership.read_text().splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), "").lstrip("/")
    for folder in [root / own, *(root / own).parents]:
        if not folder.is_relative_to(root):
            return
        with suppress(OSError, ValueError):  # no such file here, or the limit is "max"
            yield folder, int((folder / "memory.max").read_text())
