"""Closed forms against special cases worked by hand and against independent numerics."""

from __future__ import annotations

import math

import pytest
from scipy import integrate

from rtsim import theory
from rtsim.timing import law


def test_unsynchronised_inaction_of_long_inferences_is_a_power():
    # All inferences longer than a step: 1 − F = 1 on [0, τ_M], so (1 − τ_M/τ̄)^N.
    found = theory.unsynchronised_inaction(law("uniform(150ms, 250ms)"), 0.01, 20)
    assert found == pytest.approx((1 - 0.01 / 0.2) ** 20, rel=1e-12)


def test_unsynchronised_inaction_of_memoryless_times_is_poisson():
    # N independent Poisson streams of rate 1/τ̄: no release in a step with probability exp(−N τ_M/τ̄).
    found = theory.unsynchronised_inaction(law("exp(mean=30ms)"), 0.01, 4)
    assert found == pytest.approx(math.exp(-4 * 0.01 / 0.03), rel=1e-12)


@pytest.mark.parametrize(
    "text", ["gamma(mean=12ms, cv=0.8)", "lognorm(mean=9ms, cv=1.2)", "mixture(0.5: 1ms, 0.5: 84ms)"]
)
def test_unsynchronised_inaction_of_short_inferences_integrates_the_survival_function(text):
    times, step = law(text), 0.01
    parts = [(0.0, 0.001), (0.001, step)]  # the mixture's distribution jumps at 1 ms
    integral = sum(integrate.quad(lambda u: 1 - times.cdf(u), a, b, epsabs=1e-13)[0] for a, b in parts)
    assert theory.unsynchronised_inaction(times, step, 3) == pytest.approx((1 - integral / times.mean) ** 3, rel=1e-8)


def test_capacity_limit_matches_the_design_example():
    assert theory.capacity_limit(9, 1.0, 20.0) == pytest.approx(0.55)
    assert theory.capacity_limit(25, 1.0, 20.0) == 0.0


@pytest.mark.parametrize(
    "tau, step, expected", [(0.9, 0.3, 3), (0.7, 0.1, 7), (0.6, 0.2, 3), (0.0, 0.1, 1), (0.31, 0.1, 4)]
)
def test_ceil_ratio_is_not_fooled_by_floating_point(tau, step, expected):
    assert theory.ceil_ratio(tau, step) == expected


def test_required_learners_of_the_papers_times():
    # τ_L = 1.7 s at batch 16 and 59.7275 frames/s: 1.7 · 59.7275 / 16 = 6.35.
    assert theory.required_learners(1.7, 16, 1 / 59.7275) == 7


def test_pipeline_inaction_counts_environment_steps():
    # δ = 2 steps: one action in two steps. Proposition 3 counts t(δ − 1) over interactions.
    assert theory.pipeline_inaction(0.08, 4, 0.01) == pytest.approx((2 - 1) / 2)
    assert theory.pipeline_inaction(0.03, 4, 0.01) == 0.0
