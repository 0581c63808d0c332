"""The papers' worst cases simulated, against theory that has not counted what it predicts.

Statistical tests compare means of independent batches with a prediction by Student's t; each raises a
false alarm with probability 1e-6 at most.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rtsim import Scenario, mdps, simulate, theory
from rtsim.agents import Tabular
from rtsim.experiments.closed_forms import inaction_fraction
from rtsim.regret import reference, step_gaps
from rtsim.rollout import rollout

FALSE_ALARM = 1e-6
STEP = 1 / 59.7275


def agrees(values: np.ndarray, expected: float) -> None:
    """Independent, equally distributed values have this mean, or we were unlucky once in a million."""
    distance = abs(values.mean() - expected)
    spread = values.std(ddof=1) / math.sqrt(len(values))
    assert distance <= stats.t.ppf(1 - FALSE_ALARM / 2, len(values) - 1) * spread + 1e-12


def interaction_time(scenario: Scenario) -> float:
    """Mean time between agent steps as theory has it: nothing is simulated."""
    law, step, options = scenario.duration_law, scenario.step_mean, scenario.rule.options
    found = inaction_fraction(scenario, math.inf)
    if scenario.rule.name == "time_triggered":
        lost = theory.time_triggered_inaction(law, step, scenario.workers, options["deadline"].count)
        assert lost.exact
        found = lost.upper
    elif scenario.rule.name == "chunking":
        found = theory.chunking_inaction(scenario.inference_time.mean, step, options["size"], options["growth"])
    elif scenario.rule.name == "one_step_lag":
        found = 1 - step / theory.sequential_interaction_time(law.mean, 0.0, step, wait_observation=True)
    assert found is not None
    return step / (1 - found)


STOCHASTIC = [
    ("unstaggered", "gamma(mean=84ms, cv=0.5)", 4, {}),
    ("unstaggered", "exp(mean=84ms)", 7, {}),
    ("unstaggered", "mixture(0.5: 1us, 0.5: lognorm(mean=84ms, cv=0.3))", 3, {}),
    ("exp_time", "gamma(mean=84ms, cv=0.5)", 6, {}),
    ("sequential", "lognorm(mean=84ms, cv=0.2)", 1, {}),
    ("sequential", "uniform(60ms, 100ms)", 1, {"learning_time": "uniform(30ms, 50ms)"}),
    ("pipeline(layers=4, skip=true)", "gamma(mean=200ms, cv=0.3)", 1, {}),
    ("time_triggered(deadline=7steps)", "exp(mean=50ms)", 4, {}),
    ("time_triggered(deadline=5steps)", "uniform(60ms, 100ms)", 4, {}),
]


@pytest.mark.parametrize("rule, law, workers, more", STOCHASTIC)
def test_inaction_worst_case_loses_what_equation_3_says_of_the_predicted_interaction_time(rule, law, workers, more):
    steps, warmup, batches = 4_000, 2_000, 60
    lost = []
    for seed in range(batches):
        scenario = Scenario(rule, law, workers=workers, steps=warmup + steps, seed=seed, **more)
        run = rollout(mdps.of("inaction"), Tabular([0, 0]), simulate(scenario, engine="compiled"), seed)
        lost.append(step_gaps(mdps.of("inaction"), run)[warmup:].sum())
    predicted = theory.inaction_regret(steps * STEP, interaction_time(scenario), STEP)
    agrees(np.array(lost), predicted)


#: Constant times, or times that a rule holds to their bound: nothing of what is counted is random.
CONSTANT = [
    ("max_time(initial_max=p100)", "uniform(60ms, 100ms)", 4, {}),
    ("phase_locked(initial_max=p100)", "uniform(60ms, 100ms)", 4, {}),
    ("max_time", "84ms", 3, {}),
    ("phase_locked", "84ms", 5, {}),
    ("exp_time", "500ms", 20, {}),
    ("unstaggered", "84ms", 4, {}),
    ("sequential", "84ms", 1, {}),
    ("sequential", "40ms", 1, {"learning_time": "44ms"}),
    ("sequential(wait_observation=true)", "84ms", 1, {}),
    ("pipeline(layers=3)", "84ms", 1, {}),
    ("one_step_lag", "84ms", 1, {}),
    ("chunking(size=3)", "84ms", 1, {}),
    ("chunking(size=4, growth=0.05)", "84ms", 1, {}),
    ("time_triggered(deadline=6steps)", "84ms", 4, {}),
]


@pytest.mark.parametrize("rule, law, workers, more", CONSTANT)
def test_inaction_worst_case_with_constant_times_loses_it_to_a_step_per_worker(rule, law, workers, more):
    steps = 20_000
    scenario = Scenario(rule, law, workers=workers, steps=steps, **more)
    run = rollout(mdps.of("inaction"), Tabular([0, 0]), simulate(scenario, engine="compiled"), 0)
    lost = step_gaps(mdps.of("inaction"), run).sum()
    predicted = theory.inaction_regret(steps * STEP, interaction_time(scenario), STEP)
    # Before the first action nobody acts; then every worker's releases are a sequence of equal spaces.
    first = math.ceil(scenario.duration_law.upper / STEP) + 1
    assert abs(lost - predicted) <= first + workers + 1


@pytest.mark.parametrize("n", [3, 10, 100])
@pytest.mark.parametrize("k", [1, 2, 5, 20])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind, exact", [("delay", theory.cycle_delay_regret), ("jump", theory.jump_delay_regret)])
def test_delay_worst_case_loses_the_exact_regret_and_not_always_the_papers(kind, exact, n, k, p):
    mdp = mdps.of(kind, n=n, p=p)
    batches, length = 40, 50 * k  # batches are long against the k steps that neighbours have in common
    rule = f"time_triggered(deadline={k}steps)"
    schedule = simulate(Scenario(rule, k - 0.5, workers=k, step_time=1.0, steps=2 * k + batches * length))
    assert set(schedule.delay_steps[k:]) == {k}
    best = reference(mdp, schedule)
    assert best.exact
    policy = best.policy
    lost = step_gaps(mdp, rollout(mdp, policy, schedule, seed=n + k))[2 * k :].reshape(batches, length).mean(axis=1)
    expected = exact(n, p, k)
    agrees(lost, expected)
    assert 1 - theory.delayed_gain(mdp, policy.table, k) == pytest.approx(expected, abs=1e-9)
    paper = theory.delay_regret_per_action(p, k)
    if kind == "delay" and k < n:
        # The mode of a binomial beats "the same state" as soon as (k + 1)(1 - p) > 1.
        assert (expected < paper - 1e-12) is ((k + 1) * (1 - p) > 1 + 1e-9)
    if kind == "jump":
        # P(same after k) is at least p^k, and more by at most the ways back.
        assert paper - 1 / (n - 1) <= expected <= paper + 1e-12 or p < 1 / n + (1 - p)
