"""What is said about the machine, and what is held to fit in its memory."""

from __future__ import annotations

import json
from collections import namedtuple
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from rtsim.calibrate import CalibrationPlan, machine
from rtsim.networks import parameter_count

Times = namedtuple("Times", "user system idle steal guest")
UserOnly = namedtuple("UserOnly", "user")


def test_steal_between_readings_is_the_share_of_all_time_but_guests() -> None:
    # 10 + 5 + 80 + 5 s of CPU time, 5 of them stolen; guest time is in user time already.
    before, after = Times(1.0, 1.0, 1.0, 1.0, 0.0), Times(11.0, 6.0, 81.0, 6.0, 7.0)
    assert machine._steal(before, after) == 0.05


def test_steal_system_that_does_not_tell_is_none() -> None:
    assert machine._steal(UserOnly(1.0), UserOnly(2.0)) is None


def test_cgroup_room_is_limit_less_use_plus_what_can_be_dropped(tmp_path: Path) -> None:
    root, membership = tmp_path / "cgroup", tmp_path / "membership"
    inner = root / "jobs" / "one"
    inner.mkdir(parents=True)
    membership.write_text("0::/jobs/one\n")
    (inner / "memory.max").write_text("max\n")
    (root / "jobs" / "memory.max").write_text("1000\n")
    for folder in (inner, root / "jobs"):
        (folder / "memory.current").write_text("700\n")
        (folder / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    assert machine._cgroup_room(root, membership) == [500]


def test_cgroup_room_system_without_cgroups_is_empty(tmp_path: Path) -> None:
    assert machine._cgroup_room(tmp_path, tmp_path / "none") == []


def test_memory_available_is_within_the_machine() -> None:
    assert 0 < machine.memory_available("cpu") <= psutil.virtual_memory().total


def test_memory_available_small_cgroup_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cgroup_room", lambda: [123, 10**18])
    assert machine.memory_available("cpu") == 123


def test_memory_needed_learning_holds_five_copies_of_the_weights() -> None:
    plan = CalibrationPlan()
    weights = 4 * parameter_count(98)
    assert machine.memory_needed(plan, 98, 1) > 5 * weights
    assert weights < machine.memory_needed(plan, 98) < 2 * weights
    assert machine.memory_needed(plan, 98, 32) > machine.memory_needed(plan, 98, 16)
    assert machine.memory_needed(CalibrationPlan(precision="bf16"), 98) > machine.memory_needed(plan, 98)


def test_watch_machine_is_json_with_the_facts_that_matter() -> None:
    watch = machine.Watch()
    facts = watch.machine(CalibrationPlan(threads=2))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu"]
    assert facts["gpu"] is None
    assert facts["torch_threads"] == 2
    assert facts["memory_bytes"] > 10**8
    assert facts["steal_fraction"] is None or 0 <= facts["steal_fraction"] <= 1
    assert datetime.fromisoformat(facts["date"]).utcoffset() == timedelta(0)
