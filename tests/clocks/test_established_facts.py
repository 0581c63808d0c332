"""Facts found by independent prototypes and closed forms, through the public interface.

Every interval is Student's, over independent runs (seeds 0, 1, 2, …) with two-sided
false-alarm rate 1e-6; where the fact is a rounded number, half its last digit is added.
The mean inference time is 20 steps throughout.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rtsim import Scenario, law, simulate

STEP = 0.02
ALARM = 1e-6


def inactions(rule: str, inference: str, workers: int, *, runs: int, steps: int, warm: int) -> np.ndarray:
    return np.array(
        [
            simulate(Scenario(rule, inference, workers=workers, step_time="20ms", steps=steps, seed=seed))
            .statistics(warm)
            .inaction_fraction
            for seed in range(runs)
        ]
    )


def interval(found: np.ndarray) -> tuple[float, float]:
    """Mean and half width."""
    half = stats.t.isf(ALARM / 2, len(found) - 1) * found.std(ddof=1) / math.sqrt(len(found))
    return float(found.mean()), float(half)


def lognormal(cv: float) -> str:
    return f"lognorm(mean=400ms, cv={cv})"


@pytest.mark.parametrize("rule", ["unstaggered", "exp_time"])
@pytest.mark.parametrize(
    ("inference", "workers"),
    [
        (lognormal(0.3), 20),
        # Laws with inferences shorter than a step, where it is not (1 − τ_M/τ̄)^N.
        ("exp(mean=40ms)", 3),
        ("mixture(0.5: uniform(1ms, 4ms), 0.5: lognorm(mean=100ms, cv=0.3))", 3),
        ("pareto(mean=60ms, alpha=2.5)", 4),
    ],
)
def test_inaction_of_drifting_workers_is_the_renewal_closed_form(rule: str, inference: str, workers: int) -> None:
    # P(a renewal process seen at a random time has no event in a step) = 1 − (1/τ̄) ∫₀^τ_M (1 − F).
    found = law(inference)
    expected = (1 - found.limited_mean(STEP) / found.mean) ** workers
    mean, half = interval(inactions(rule, inference, workers, runs=16, steps=7000, warm=2000))
    assert half < 0.015
    assert abs(mean - expected) < half
    if workers == 20:
        assert expected == pytest.approx(0.358, abs=0.0005)


def test_exp_time_constant_times_never_drift() -> None:
    assert inactions("exp_time", "400ms", 20, runs=1, steps=4000, warm=100)[0] == 0


def test_max_time_cold_start_freezes_uneven_offsets_and_a_warm_start_does_not() -> None:
    # 0.09 to 0.34 by seed, about 0.2, at N = 21 to 24 for c.v. 0.02: seeds 0 to 7 each.
    cold = {n: inactions("max_time", lognormal(0.02), n, runs=8, steps=8000, warm=2000) for n in (21, 24)}
    for values in cold.values():
        assert values.min() > 0.05
        assert values.max() < 0.4
        assert 0.15 < values.mean() < 0.25
    # A maximum that 16,000 inferences do not exceed, of 22 steps: exact.
    warm = inactions("max_time(initial_max=440ms)", lognormal(0.02), 22, runs=8, steps=8000, warm=50)
    assert warm.max() == 0


def test_max_time_cold_start_offsets_stay_as_they_are_once_the_maximum_does() -> None:
    schedule = simulate(Scenario("max_time", lognormal(0.02), workers=21, step_time="20ms", steps=8000), spans=True)
    spans = schedule.spans
    assert spans is not None
    times = spans["end_ns"] - spans["start_ns"]
    last = int(np.flatnonzero(times == np.maximum.accumulate(times))[-1])
    cycle = int(times[last])
    later = spans["start_ns"] > spans["end_ns"][last] + 2 * cycle
    for worker in range(21):
        mine = later & (spans["worker"] == worker)
        assert len(set((spans["release_ns"][mine] % cycle).tolist())) == 1


def test_phase_locked_cold_start_has_no_inaction_but_right_after_a_new_maximum() -> None:
    for seed in range(6):
        scenario = Scenario("phase_locked", lognormal(0.02), workers=22, step_time="20ms", steps=8000, seed=seed)
        schedule = simulate(scenario, spans=True)
        spans, starts = schedule.spans, schedule.steps["time_ns"]
        assert spans is not None
        times = spans["end_ns"] - spans["start_ns"]
        rises = np.flatnonzero(times == np.maximum.accumulate(times))
        assert times.max() < 440_000_000
        settled = starts > spans["end_ns"][0]
        for rise in rises.tolist():
            # The action that took longest missed its own slot, by less than two steps; everyone is
            # on the new grid after the release of what was in flight.
            end = spans["end_ns"][rise]
            settled &= (starts <= end - 40_000_000) | (starts > end + 3 * times[rise])
        assert settled.sum() > 7000
        assert schedule.acted[settled].all()
        # And hardly any before: a rise of δ shifts the grid by δ.
        assert schedule.statistics(500).inaction_fraction < 0.005


def test_time_triggered_far_quantile_needs_few_workers() -> None:
    # 0.0004 at N = 26 with D at the 0.99999 quantile, c.v. 0.3.
    rule = "time_triggered(deadline=p99.999)"
    mean, half = interval(inactions(rule, lognormal(0.3), 26, runs=32, steps=10_000, warm=500))
    assert half < 0.0004
    assert abs(mean - 0.0004) < half + 0.00005
    # Erlang's B would be 0.037: it is not insensitive here.
    assert mean + half < 0.001


@pytest.mark.parametrize(
    ("cv", "deadline", "expected", "digit"), [(0.3, 40, 0.0073, 1e-4), (0.3, 59, 0.0, 1e-4), (0.6, 65, 0.0099, 1e-4)]
)
def test_earliest_deadline_one_worker_above_the_limit_is_nearly_enough(
    cv: float, deadline: int, expected: float, digit: float
) -> None:
    rule = f"earliest_deadline(deadline={deadline}steps, give_up=p50)"
    mean, half = interval(inactions(rule, lognormal(cv), 21, runs=24, steps=8000, warm=1000))
    assert half < 0.005
    assert abs(mean - expected) < half + digit / 2


def test_earliest_deadline_below_capacity_give_up_at_the_median_wastes_work() -> None:
    rule = "earliest_deadline(deadline=40steps, give_up=p50)"
    mean, half = interval(inactions(rule, lognormal(0.3), 9, runs=16, steps=6000, warm=1000))
    assert abs(mean - 0.749) < half + 0.0005
    assert half < 0.02


@pytest.mark.parametrize("rule", ["earliest_deadline", "earliest_deadline(deadline=40steps)"])
def test_earliest_deadline_below_capacity_adaptive_give_up_comes_close_to_the_limit(rule: str) -> None:
    # The limit is 1 − 9/20 = 0.55; about one action in a hundred is late, 0.0045 of the steps.
    assert Scenario(rule, lognormal(0.3), workers=9, step_time="20ms").capacity_limit == pytest.approx(0.55)
    mean, half = interval(inactions(rule, lognormal(0.3), 9, runs=16, steps=8000, warm=2000))
    assert 0.55 - half < mean
    assert mean + half < 0.57


@pytest.mark.parametrize(
    "rule", ["unstaggered", "exp_time", "max_time", "phase_locked", "time_triggered", "earliest_deadline"]
)
@pytest.mark.parametrize("workers", [5, 15])
def test_inaction_of_every_rule_is_above_the_capacity_limit(rule: str, workers: int) -> None:
    found = inactions(rule, lognormal(0.3), workers, runs=8, steps=6000, warm=1000)
    limit = Scenario(rule, lognormal(0.3), workers=workers, step_time="20ms").capacity_limit
    # By the strong law the share of used actions is at most N τ_M/τ̄ in the long run; what N
    # renewal processes make in n = 5000 steps has standard deviation c.v. √(n N/20³) · √20 … < 12.
    # Twelve times that is 0.03 of the steps: by Chebyshev alone a rate of 1/144, by the central
    # limit theorem far below 1e-6.
    assert found.min() > limit - 0.03
    assert found.mean() > limit - 0.01


def test_inaction_under_contention_is_above_the_capacity_limit() -> None:
    # Half of the time ten times slower: 0.5/84 + 0.5/840 inferences per ms and worker, not 1/462.
    scenario = Scenario(
        "unstaggered", "contention(lognorm(mean=84ms, cv=0.1), factor=10, calm=1s, slow=1s)", workers=1, steps=60_000
    )
    found = simulate(scenario).statistics(1000).inaction_fraction
    assert found > scenario.capacity_limit - 0.02


def test_inaction_while_annealing_is_above_the_capacity_limit() -> None:
    # At first every inference is short; the mean is that of the final state.
    scenario = Scenario("unstaggered", "anneal(20ms, 400ms, start=1, end=0, over=2000)", step_time="20ms", steps=1500)
    found = simulate(scenario).statistics(10).inaction_fraction
    assert found > scenario.capacity_limit - 0.02
