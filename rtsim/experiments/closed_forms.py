"""Which closed form of :mod:`rtsim.theory` speaks about which rule, and when its premises are met."""

from __future__ import annotations

import math

from rtsim import theory
from rtsim.scenario import Scenario
from rtsim.timing import Law


def largest_inference(scenario: Scenario, longest: float) -> float:
    """τ_θ^max in seconds: the bound of the law, or the largest draw of the run for an unbounded one."""
    bound = scenario.duration_law.upper + (scenario.dispatch_time.upper if scenario.dispatch_time else 0.0)
    return bound if math.isfinite(bound) else longest


def paper_formula(scenario: Scenario, longest: float) -> int | None:
    """Workers the first paper says are enough: ⌈τ_θ^max/τ_M⌉ or ⌈τ̄_θ/τ_M⌉; None for other rules.

    Parameters
    ----------
    scenario : Scenario
    longest : float
        Largest draw of the run, seconds.
    """
    if scenario.rule.name == "max_time":
        return theory.required_workers_max_time(largest_inference(scenario, longest), scenario.step_mean)
    if scenario.rule.name == "exp_time":
        return theory.required_workers_exp_time(scenario.inference_mean, scenario.step_mean)
    return None


def inaction_fraction(scenario: Scenario, longest: float) -> float | None:
    """The closed form of this scenario's inaction fraction, or None where there is none.

    ``exp_time`` and ``unstaggered`` are taken to have independent offsets, ``max_time`` and
    ``phase_locked`` equal ones; that is the condition each line in a picture carries.
    """
    simple = (
        scenario.dispatch_time is None
        and str(scenario.mailbox) == "latest"
        and scenario.duration_law.spells is None
        and not isinstance(scenario.step_time, Law)
    )
    if not simple:
        return None
    name, options, step = scenario.rule.name, scenario.rule.options, scenario.step_mean
    law = scenario.duration_law
    constant = law.upper <= law.quantile(0.0)
    if law.least_mean < law.mean:
        return None  # the law changes over time
    if name == "unstaggered":
        # Constant times never drift apart: all workers act as one.
        return theory.unsynchronised_inaction(law, step, 1 if constant else scenario.workers)
    if name == "exp_time":
        # Constant times are spaced once, by their mean, and stay so.
        if constant:
            return theory.held_inaction(law.mean, step, scenario.workers)
        return theory.unsynchronised_inaction(law, step, scenario.workers)
    if name in ("max_time", "phase_locked") and options["window"] is None and options["quantile"] is None:
        if not math.isfinite(law.upper) and longest <= 0:
            return None  # no inference has ended, and no bound is known
        start = options["initial_max"]
        warm = 0.0 if start is None else scenario.setting().ns(start, "initial_max") / 1e9
        return theory.held_inaction(max(largest_inference(scenario, longest), warm), step, scenario.workers)
    if name == "sequential":
        return _sequential(scenario, law, step, constant)
    if name == "pipeline" and (constant or options["skip"]):
        return theory.unsynchronised_inaction(law.scaled(1 / scenario.rule.inferences_in_flight), step, 1)
    return None


def interaction_time(scenario: Scenario, inaction: float | None) -> float | None:
    """Mean time between agent steps where this share of the steps is the default policy's, s; None where there is none.

    >>> interaction_time(Scenario("max_time", "84ms", step_time=0.01), 0.75)
    0.04
    """
    return None if inaction is None or inaction >= 1 else scenario.step_mean / (1 - inaction)


def _sequential(scenario: Scenario, law: Law, step: float, constant: bool) -> float | None:
    learning = scenario.learning_time
    if learning is not None and (scenario.learning_starts > 0 or learning.least_mean < learning.mean):
        return None
    if scenario.rule.options["wait_observation"]:
        if not constant or (learning is not None and learning.upper > learning.quantile(0.0)):
            return None
        total = law.mean + (learning.mean if learning else 0.0)
        return 1 - step / theory.sequential_interaction_time(total, 0.0, step, wait_observation=True)
    if learning is None:
        return theory.unsynchronised_inaction(law, step, 1)
    if law.quantile(0.0) + learning.quantile(0.0) < step:
        return None  # several actions in one step: the mean interaction time is not that of the loop
    return 1 - step / theory.sequential_interaction_time(law.mean, learning.mean, step)
