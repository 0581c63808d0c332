"""The search for the fewest workers and learners, with simulations in the place of runs."""

from __future__ import annotations

import pytest

from rtsim.live import LivePlan
from rtsim.live.required import REPEATS, fewest_learners, fewest_workers, search
from rtsim.scenario import Scenario
from tests.live.pretended_runs import pretend


@pytest.mark.parametrize("least", [1, 5, 24])
@pytest.mark.parametrize("needed", [24, 25, 31, 72])
def test_search_finds_the_fewest_without_trying_all(least: int, needed: int) -> None:
    tried = []
    assert search(lambda n: tried.append(n) or n >= needed, least, 72) == needed
    assert len(tried) == len(set(tried)) <= 14


def test_search_without_enough_finds_none() -> None:
    tried = []
    assert search(lambda n: tried.append(n) is not None, 1, 72) is None
    assert tried[-1] == 72


def test_constant_times_need_as_many_workers_as_the_paper_says() -> None:
    # Riemer et al. 2025, App. B.4: ⌈90 ms · 59.7275/s⌉ = ⌈5.38⌉ = 6.
    plan = LivePlan(Scenario("max_time(initial_max=90ms)", "90ms", steps=600), "blocks")
    told = []
    found = fewest_workers(plan, 0.01, 72, play=pretend, on_run=lambda number, value: told.append(number))
    assert found.number == 6
    assert found.disturbed == 0
    assert sum(map(len, found.tried.values())) == len(told)
    # Five leave 1 − 5/5.376 = 0.07 of the steps to the default policy, six none: one run each tells.
    assert {number: len(values) for number, values in found.tried.items()} == {6: 1}


def test_number_that_one_run_does_not_tell_is_run_again() -> None:
    # Four leave 1 − 4/5.376 = 0.256, near the target.
    plan = LivePlan(Scenario("max_time(initial_max=90ms)", "90ms", steps=600), "blocks")
    found = fewest_workers(plan, 0.25, 72, play=pretend)
    assert found.number == 5
    assert len(found.tried[5]) == 1
    assert 4 not in found.tried or len(found.tried[4]) == REPEATS


def test_target_between_two_numbers_of_workers_takes_the_larger() -> None:
    # Capacity limit: 1 − 4/5.017 = 0.203, 1 − 3/5.017 = 0.402; held by a warm max_time for constant times.
    plan = LivePlan(Scenario("max_time(initial_max=84ms)", "84ms", steps=600), "blocks")
    assert fewest_workers(plan, 0.3, 72, play=pretend).number == 4


def test_learners_are_as_many_as_the_paper_says() -> None:
    # ⌈700 ms · 59.7275/s / 16⌉ = 3 (Riemer et al. 2025, Question 4).
    scenario = Scenario("unstaggered", "1ms", steps=3600, learning_time="700ms", learner_rule="round_robin")
    assert fewest_learners(LivePlan(scenario, "blocks"), 8, play=pretend).number == 3
    assert fewest_learners(LivePlan(scenario, "blocks"), 2, play=pretend).number is None
