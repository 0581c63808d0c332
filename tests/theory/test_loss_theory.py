"""Loss of time_triggered: Palm's formula, chains of other kinds, and the simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtsim import Scenario, simulate, theory
from rtsim.errors import InvalidValue
from rtsim.theory import loss
from rtsim.timing import law

STEP = 0.01


@pytest.mark.parametrize("workers", [1, 2, 5, 20])
@pytest.mark.parametrize("mean", [0.005, 0.02, 0.2])
def test_exponential_blocking_is_palms_formula(workers, mean):
    # GI/M/N/N (Takács 1962, Chapter 4): 1/B = Σ_j C(N, j) Π_{i<=j} (1 − φ(i))/φ(i), φ(i) = E e^(−i μ A),
    # which for arrivals every τ_M is e^(−i τ_M/τ̄).
    phi = np.exp(-np.arange(1, workers + 1) * STEP / mean)
    terms = np.concatenate([[1.0], np.cumprod((1 - phi) / phi)])
    expected = 1 / sum(math.comb(workers, j) * t for j, t in enumerate(terms))
    found = theory.blocking(law(f"exp(mean={mean}s)"), STEP, workers)
    assert found.exact
    assert found.upper == found.lower == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_chain_of_residual_times_agrees_with_the_memoryless_one(workers):
    # Exponential times in whole steps are geometric; cut where less than 1e-9 is left.
    ratio = 1.5
    survival = np.exp(-ratio * np.arange(1, 14))
    lengths = -np.diff(np.concatenate([[1.0], survival, [0.0]]))
    found = loss._residual_blocking(lengths, workers)
    assert found == pytest.approx(loss._exponential_blocking(ratio, workers), abs=1e-7)


def test_one_worker_is_renewal():
    # A single worker starts on the first step after it is done: blocked 1 − 1/E[⌈τ/τ_M⌉] of the steps.
    for text in ("uniform(5ms, 45ms)", "mixture(0.3: 5ms, 0.7: 35ms)", "lognorm(mean=20ms, cv=0.3)"):
        times = law(text)
        mean = 1 + sum(1 - times.cdf(d * STEP) for d in range(1, 1000))
        found = theory.blocking(times, STEP, 1)
        assert found.exact
        assert found.upper == pytest.approx(1 - 1 / mean, abs=1e-9)


def test_constant_times_serve_n_of_every_s_slots():
    assert theory.blocking(law("75ms"), STEP, 3).upper == pytest.approx(1 - 3 / 8)
    assert theory.blocking(law("75ms"), STEP, 8).upper == 0.0
    assert theory.blocking(law("7ms"), STEP, 1).upper == 0.0


def test_exact_blocking_lies_between_the_bounds(monkeypatch):
    times = law("uniform(5ms, 65ms)")
    for workers in (1, 2, 3, 4):
        exact = theory.blocking(times, STEP, workers)
        with monkeypatch.context() as patch:
            patch.setattr(loss, "MAX_CHAIN", 0)
            bounds = theory.blocking(times, STEP, workers)
        assert exact.exact
        assert not bounds.exact
        assert bounds.lower <= exact.lower <= bounds.upper


def test_bound_covers_the_established_simulation_and_erlang_does_not_apply():
    # 0.00035 simulated for a lognormal with c.v. 0.3 at N = 26, mean 20 steps; Erlang's B would be 0.037.
    found = theory.blocking(law("lognorm(mean=200ms, cv=0.3)"), STEP, 26)
    assert 0.00035 < found.upper < 0.001
    assert found.lower == 0.0


def batches(schedule, count=50):
    """Inaction fraction over equal parts of a run, and the standard error of their mean."""
    default = schedule.steps["observation"] < 0
    parts = np.array_split(default[len(default) // 20 :], count)
    shares = np.array([part.mean() for part in parts])
    return shares.mean(), shares.std(ddof=1) / math.sqrt(count)


@pytest.mark.parametrize(
    ("text", "workers", "deadline"),
    [
        ("exp(mean=50ms)", 6, 20),
        ("exp(mean=50ms)", 4, 8),
        ("uniform(5ms, 45ms)", 3, 4),
        ("lognorm(mean=20ms, cv=0.3)", 2, 3),
    ],
)
def test_time_triggered_inaction_is_what_the_simulator_shows(text, workers, deadline):
    # 100,000 steps, seed 0, 50 batches: 6.5 standard errors of Student's t with 49 degrees of freedom are 4e-8.
    scenario = Scenario(
        f"time_triggered(deadline={deadline}steps)", text, workers=workers, step_time=STEP, steps=100_000, seed=0
    )
    share, error = batches(simulate(scenario))
    expected = theory.time_triggered_inaction(law(text), STEP, workers, deadline)
    assert expected.exact
    assert abs(share - expected.upper) < 6.5 * error


def test_late_probability_is_the_tail():
    assert theory.late_probability(law("exp(mean=50ms)"), STEP, 10) == pytest.approx(math.exp(-2))
    assert theory.late_probability(law("50ms"), STEP, 5) == 0.0


def test_faults_are_named():
    with pytest.raises(InvalidValue, match="workers 0 must be a whole number"):
        theory.blocking(law("50ms"), STEP, 0)
    with pytest.raises(InvalidValue, match="has too long a tail"):
        theory.blocking(law("pareto(mean=50ms, alpha=1.2)"), 0.0001, 3)
