"""What is said about the machine, and what is held to fit in its memory."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import psutil
import pytest

from rtsim.calibrate import CalibrationPlan, machine
from rtsim.networks import parameter_count


def test_memory_available_is_within_the_machine() -> None:
    assert 0 < machine.memory_available("cpu") <= psutil.virtual_memory().total


def test_memory_available_small_cgroup_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.machine, "memory_room", lambda: [123, 10**18])
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
