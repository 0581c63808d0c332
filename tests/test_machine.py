"""What is said about the machine: CPU time, limits of memory, and what a system leaves unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from rtsim import machine


def test_shares_are_of_all_cpu_time_guests_left_out(tmp_path: Path) -> None:
    # user nice system idle iowait irq softirq steal guest guest_nice; guests are in user time already.
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_text("cpu  1 0 1 1 0 0 0 1 0 0\ncpu0 9 9 9 9 9 9 9 9 9 9\n")
    after.write_text("cpu  11 0 6 76 5 0 0 6 7 0\n")
    # 10 + 5 + 75 + 5 + 5 ticks passed, 5 of them stolen, 80 of them idle or waiting for a disk.
    found = machine.shares(machine.ticks(before), machine.ticks(after))
    assert found == {"steal_fraction": 0.05, "busy_fraction": 0.2}


@pytest.mark.parametrize("text", ["", "cpu 1 2 3\n", "cpu a b c d e f g h\n"])
def test_ticks_system_that_does_not_tell_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "stat"
    path.write_text(text)
    assert machine.ticks(path) is None
    assert machine.ticks(tmp_path / "missing") is None
    assert machine.shares(None, [1] * 8) == {"steal_fraction": None, "busy_fraction": None}


def test_shares_no_time_between_is_none() -> None:
    assert machine.shares([1] * 8, [1] * 8)["busy_fraction"] is None


@pytest.fixture
def cgroups(tmp_path: Path) -> tuple[Path, Path]:
    """A job in a folder of jobs: the job itself is not limited, all of them together are."""
    root, membership = tmp_path / "cgroup", tmp_path / "membership"
    inner = root / "jobs" / "one"
    inner.mkdir(parents=True)
    membership.write_text("0::/jobs/one\n")
    (inner / "memory.max").write_text("max\n")
    (root / "jobs" / "memory.max").write_text("1000\n")
    for folder in (inner, root / "jobs"):
        (folder / "memory.current").write_text("700\n")
        (folder / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    return root, membership


def test_memory_room_is_limit_less_use_plus_what_can_be_dropped(cgroups: tuple[Path, Path]) -> None:
    assert machine.memory_room(*cgroups) == [500]


def test_memory_limit_is_that_of_the_smallest_cgroup_around(cgroups: tuple[Path, Path]) -> None:
    assert machine.memory_limit(*cgroups) == 1000


def test_memory_system_without_cgroups_is_the_machine(tmp_path: Path) -> None:
    assert machine.memory_room(tmp_path, tmp_path / "none") == []
    assert machine.memory_limit(tmp_path, tmp_path / "none") == psutil.virtual_memory().total


def test_watch_describes_this_machine_in_json() -> None:
    facts = machine.Watch().describe()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu"] == machine.cpu()[0] != ""
    assert 1 <= facts["usable_cores"] <= facts["logical_cores"]
