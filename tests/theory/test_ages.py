"""Delays in closed form against the SimPy clock, and against each other."""

from __future__ import annotations

import numpy as np
import pytest

from rtsim import theory
from rtsim.clocks import simulate
from rtsim.scenario import Scenario
from rtsim.timing import law


def shares(scenario: Scenario, begin: int) -> np.ndarray:
    delays = simulate(scenario, engine="simpy").delay_steps
    return np.bincount(delays[begin:]) / len(delays[begin:])


def close(found: np.ndarray, expected: np.ndarray, by: float) -> None:
    size = max(len(found), len(expected))
    gap = np.pad(found, (0, size - len(found))) - np.pad(expected, (0, size - len(expected)))
    assert np.abs(gap).max() <= by, (found, expected)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_free_workers_delays_are_those_of_a_long_run(workers: int):
    # 12,000 steps with neighbours alike for an inference: six standard errors of a share of a half are about 0.06.
    text = "gamma(mean=60ms, cv=0.5)"
    run = Scenario("unstaggered", text, workers=workers, step_time=0.02, steps=12_000, seed=3)
    close(shares(run, 500), theory.free_delays(law(text), 0.02, workers), 0.06)


@pytest.mark.parametrize("time", ["47ms", "60ms", "33ms"])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_held_delays_are_those_of_constant_times(time: str, workers: int):
    run = Scenario(f"max_time(initial_max={time})", time, workers=workers, step_time=0.02, steps=8_192)
    # The start differs, and nothing else: one action per worker.
    close(shares(run, 10), theory.held_delays(law(time).mean, 0.02, workers), 0.002)


def test_fresh_starts_take_whole_steps_and_that_share_of_them():
    text = "uniform(5ms, 65ms)"
    run = simulate(Scenario("one_step_lag", text, step_time=0.02, steps=12_000), engine="simpy")
    weights = theory.steps_of(law(text), 0.02)
    np.testing.assert_allclose(weights, [0, 0.25, 1 / 3, 1 / 3, 1 / 12], atol=1e-3)
    assert 1 - run.acted.mean() == pytest.approx(theory.fresh_inaction(law(text), 0.02), abs=0.01)
    close(np.bincount(run.delay_steps) / len(run.delay_steps), weights, 0.04)


def test_youngest_add_up_to_the_capacity_and_get_no_older_with_workers():
    times = law("lognorm(mean=90ms, cv=0.6)")
    means = []
    for workers in range(1, 12):
        found = theory.youngest(times, 0.02, workers)
        assert found.sum() == pytest.approx(1 - theory.capacity_limit(workers, 0.02, 0.09), abs=1e-9)
        assert (found >= -1e-15).all()
        means.append(float(found @ np.arange(len(found)) / found.sum()))
    assert all(b <= a + 1e-9 for a, b in zip(means, means[1:], strict=False))


def test_youngest_of_chunks_are_one_step_older_each():
    # One worker, 50 ms and 20 ms steps: 0.4 inferences a step, whose actions are 3, 4 and 5 steps late.
    np.testing.assert_allclose(theory.youngest(law("50ms"), 0.02, 1, 3), [0, 0, 0, 0.4, 0.4, 0.2])


def test_variation_of_laws_that_know_theirs():
    assert theory.variation(law("exp(mean=1s)")) == pytest.approx(1.0, abs=2e-3)
    assert theory.variation(law("uniform(60ms, 100ms)")) == pytest.approx(40 / 12**0.5 / 80, abs=1e-4)
