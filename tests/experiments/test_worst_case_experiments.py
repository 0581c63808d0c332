"""Regret on the worst cases: simulation against closed forms that it does not use."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from rtsim import agents, mdps, theory
from rtsim.errors import InvalidValue
from rtsim.experiments import delay_losses, late_schedule, regret_rates, worst_learning
from rtsim.scenario import Scenario


def wide(interval: tuple[float, float], seeds: int) -> tuple[float, float]:
    """The 95 % interval of so many seeds, widened to a false-alarm rate of 1e-6."""
    middle, half = sum(interval) / 2, (interval[1] - interval[0]) / 2
    factor = t.ppf(1 - 5e-7, seeds - 1) / t.ppf(0.975, seeds - 1)
    return middle - factor * half, middle + factor * half


def test_rates_of_sequential_interaction_are_those_of_remark_1():
    times = (0.15, 0.3, 0.7)
    made = [Scenario("sequential", f"uniform({0.8 * x}s, {1.2 * x}s)", step_time=0.1, steps=4_000) for x in times]
    # Riemer et al. 2025, Remark 1: (τ_θ − τ_M)/(τ_M τ_θ).
    for time, found in zip(times, regret_rates({"one": made}, seeds=8), strict=True):
        expected = (time - 0.1) / (0.1 * time)
        assert found.theory_per_s == pytest.approx(expected)
        low, high = wide(found.inaction_per_s_ci95, 8)
        assert low - 2 * time / 400 < expected < high  # before the first action a few steps more are lost


def test_rates_of_staggered_interaction_are_those_of_remark_2():
    rule = "max_time(initial_max=600ms)"
    made = [Scenario(rule, "uniform(400ms, 600ms)", workers=n, step_time=0.1, steps=3_000) for n in (2, 4, 6, 8)]
    # τ̄_I = max(τ_M, τ_θ^max/N) (ibid., App. B.4): 1 − N/6 of ten steps a second; no action for the first 6 steps.
    for n, found in zip((2, 4, 6, 8), regret_rates({"many": made}, seeds=3), strict=True):
        assert found.theory_per_s == pytest.approx(10 * max(0.0, 1 - n / 6))
        assert found.inaction_per_s == pytest.approx(found.theory_per_s, abs=7 / 300)


def test_rates_do_not_depend_on_how_many_are_asked_for():
    one, two = (Scenario("max_time", "gamma(mean=300ms, cv=0.2)", workers=3, step_time=0.1, steps=n) for n in (99, 999))
    both = regret_rates({"a": [one], "b": [two]}, seeds=2)
    assert [found.series for found in both] == ["a", "b"]
    assert both[1:] == regret_rates({"b": [two]}, seeds=2)


def test_rates_without_a_closed_form_say_so():
    made = [Scenario("earliest_deadline(deadline=9steps)", "300ms", workers=4, step_time=0.1, steps=200)]
    assert regret_rates({"x": made}, seeds=1)[0].theory_per_s is None


@pytest.mark.parametrize(("family", "closed"), [("delay", "cycle_delay_regret"), ("jump", "jump_delay_regret")])
@pytest.mark.parametrize("p", [0.5, 0.9])
def test_delay_losses_are_bound_closed_form_and_simulation(family: str, closed: str, p: float):
    delays = [0, 1, 2, 5]
    for found in delay_losses([f"{family}(n=10, p={p})"], delays, steps=4_000, seeds=16):
        k = found.delay
        assert (found.family, found.states, found.proved) == (family, 10, True)
        assert found.bound == pytest.approx(1 - p**k)
        assert found.exact == pytest.approx(getattr(theory, closed)(10, p, k) if k else 0.0)
        low, high = wide(found.measured_ci95, 16)
        assert low - 1e-12 <= found.exact <= high + 1e-12


def test_delay_losses_of_the_cycle_lie_below_the_bound_where_the_state_drifts():
    near, far = delay_losses(["delay(n=10, p=0.9)"], [8, 12], steps=100, seeds=2)
    # (k + 1)(1 − p) is 0.9 and 1.3.
    assert near.exact == pytest.approx(near.bound)
    assert far.exact < far.bound - 0.05


def test_delay_losses_are_per_action_of_the_agent():
    # Of 30 steps 10 are the agent's; the mean over 100 runs of them has a standard deviation below 0.03, and the
    # margin is eight of them. Per step of the environment it would be a third.
    (found,) = delay_losses(["jump(n=10, p=0.5)"], [20], steps=30, seeds=100)
    assert abs(found.measured - found.exact) < 0.25


@pytest.mark.parametrize("delay", [0, 1, 4, 30])
def test_late_schedule_acts_on_every_step_but_the_first_ones(delay: int):
    schedule = late_schedule(delay, 100, 1 / 59.7275)
    assert np.array_equal(schedule.acted, np.arange(100) >= delay)
    assert set(schedule.delay_steps.tolist()) == {delay}


def test_worst_learning_is_the_largest_mean_of_the_family():
    learner = agents.UCRL2(scale=0.1, every_step=True)
    both = worst_learning(learner, [2_000], [0.005, 0.1], seeds=3)[0]
    each = [worst_learning(learner, [2_000], [epsilon], seeds=3)[0] for epsilon in (0.005, 0.1)]
    assert both == max(each, key=lambda found: found.learn)
    assert both.seeds == 3


def test_faults_are_clear():
    with pytest.raises(InvalidValue, match="delay"):
        delay_losses([mdps.of("jump")], [-1])
    with pytest.raises(InvalidValue, match="seeds"):
        regret_rates({}, seeds=0)
