"""Runs that are kept, repeated and found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtsim.live import LiveFault, LivePlan
from rtsim.live.trials import ATTEMPTS, find_trial, finished, make_trial
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule
from tests.live.pretended_runs import pretend

PLAN = LivePlan(Scenario("max_time", "40ms", workers=3, steps=60), "blocks")
LATE = 5_000_000  # more than the 1 ms from which on a deadline counts as missed


def test_trial_that_nothing_disturbed_is_played_once_and_found_again(tmp_path: Path) -> None:
    played: list[LivePlan] = []

    def play(plan: LivePlan) -> Schedule:
        played.append(plan)
        return pretend(plan)

    first = make_trial(PLAN, tmp_path / "new", "a", play=play)
    second = make_trial(PLAN, tmp_path / "new", "a", play=play)
    assert len(played) == 1
    assert (first.attempts, first.disturbed, second.path) == (1, False, first.path)
    assert second.schedule.diff(first.schedule) is None


def test_disturbed_trial_is_repeated_until_it_is_not(tmp_path: Path) -> None:
    late = iter([LATE, 0, 0])
    found = make_trial(PLAN, tmp_path, "a", play=lambda plan: pretend(plan, next(late)))
    assert (found.attempts, found.disturbed) == (2, False)


def test_trial_that_is_always_disturbed_is_kept_after_the_last_attempt_and_flagged(tmp_path: Path) -> None:
    played = []
    for _ in range(2):
        found = make_trial(PLAN, tmp_path, "a", play=lambda plan: played.append(plan) or pretend(plan, LATE))
    assert len(played) == ATTEMPTS
    assert found.disturbed
    assert finished(found)


def test_another_seed_or_plan_is_another_trial(tmp_path: Path) -> None:
    make_trial(PLAN, tmp_path, "a", play=pretend)
    for other in (PLAN.scenario.with_(seed=1), PLAN.scenario.with_(workers=4)):
        assert find_trial(PLAN.with_(scenario=other), tmp_path, "a") is None


def test_run_that_lost_its_environment_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LiveFault, match="step 30 of 60"):
        make_trial(PLAN, tmp_path, "a", play=lambda plan: pretend(plan, steps=30))
    assert list(tmp_path.iterdir()) == []
