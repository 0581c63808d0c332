"""Several that do the same at once: they are there while measuring, and gone afterwards."""

from __future__ import annotations

import os
import sys
import threading
import time

import psutil
import pytest

from rtsim.calibrate import CalibrationPlan, Progress, calibrate, operations
from rtsim.calibrate.machine import memory_needed
from rtsim.errors import InvalidValue

TINY = 0.0625


def plan(**changes: object) -> CalibrationPlan:
    settings = {"k": (TINY,), "batch": (), "precision_goal": 0.9, "min_samples": 3, "max_samples": 5}
    return CalibrationPlan(**{**settings, **changes})  # type: ignore[arg-type]


def companions() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "rtsim.calibrate.company" in child.cmdline()]


@pytest.mark.realtime
@pytest.mark.parametrize("batch", [(), (2,)])
def test_processes_are_there_while_measuring_and_gone_after(batch: tuple[int, ...]) -> None:
    seen: set[tuple[str, int]] = set()

    def look(progress: Progress) -> None:
        if progress.stage == "warm-up":
            seen.add((progress.operation, len(companions())))

    profile = calibrate(plan(processes=3, batch=batch), on_progress=look)
    model = profile.models["resnet15-k0.0625-p3"]
    assert model.settings["processes"] == 3
    assert model.inference is not None
    assert set(model.learning) == set(batch)
    assert seen == {(operation, 2) for operation in ["inference", *(f"learning batch {b}" for b in batch)]}
    assert companions() == []


@pytest.mark.realtime
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs one core for both")
def test_processes_on_one_core_leave_the_measured_one_about_half_of_it() -> None:
    """Two busy processes get equal shares of a core; what else runs there only makes the share smaller.

    Alone this process would take nearly all of the time: its share is above 3/4 only if
    nobody infers beside it.
    """
    marks: list[tuple[float, float]] = []

    def mark(progress: Progress) -> None:
        if progress.stage in ("measure", "done"):
            marks.append((time.perf_counter(), time.process_time()))

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        calibrate(
            plan(processes=2, min_samples=10**6, max_samples=10**6, time_limit_s=2.0),
            on_progress=mark,
        )
    finally:
        os.sched_setaffinity(0, before)
    (begin, used), (end, used_then) = marks[0], marks[-1]
    assert (used_then - used) / (end - begin) < 0.75


@pytest.mark.realtime
@pytest.mark.parametrize("batch", [(), (2,)])
def test_streams_are_threads_that_do_the_same_meanwhile(
    batch: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, who = threading.active_count(), set()
    build = operations.inference

    def watched(plan: CalibrationPlan, k: float) -> object:
        run = build(plan, k)

        def act() -> int:
            who.add(threading.current_thread().name)
            return run()

        return act

    monkeypatch.setattr(operations, "inference", watched)
    profile = calibrate(plan(streams=3, batch=batch))
    assert profile.models["resnet15-k0.0625-s3"].inference is not None
    assert len(who) == 3
    assert threading.active_count() == before


def test_streams_one_that_fails_spoils_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plan: CalibrationPlan, k: float) -> object:
        def act() -> int:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError("no room\nfor two")
            return 0

        return act

    monkeypatch.setattr(operations, "inference", broken)
    with pytest.raises(InvalidValue, match=r"^streams 2: one failed \(no room\); give fewer streams$"):
        calibrate(plan(streams=2))


def test_processes_one_that_cannot_begin_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InvalidValue, match="processes 2: one could not begin: killed"):
        calibrate(plan(processes=2))


@pytest.mark.realtime
def test_processes_one_that_ends_meanwhile_spoils_the_measurement() -> None:
    def kill(progress: Progress) -> None:
        if progress.stage == "warm-up":
            for child in companions():
                child.kill()
                child.wait()

    with pytest.raises(InvalidValue, match="processes 2: one ended during the measurement"):
        calibrate(plan(processes=2), on_progress=kill)


@pytest.mark.realtime
def test_processes_interrupted_leave_nobody_behind() -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == "warm-up":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(plan(processes=2), on_progress=stop)
    assert companions() == []


def test_plan_memory_several_need_so_much_each() -> None:
    one = memory_needed(CalibrationPlan(), 29, 16)
    assert memory_needed(CalibrationPlan(processes=3), 29, 16) == pytest.approx(3 * one)
    assert memory_needed(CalibrationPlan(streams=3), 29, 16) == pytest.approx(3 * one)


def test_plan_streams_with_processes_or_compiled_are_refused() -> None:
    for other in ({"processes": 2}, {"compiled": True}):
        with pytest.raises(InvalidValue, match=r"streams 2 .*does not go with"):
            plan(streams=2, **other)
