"""One run, and the search for the fewest workers that reach a target."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsim import theory
from rtsim.clocks import tally
from rtsim.errors import InvalidValue
from rtsim.experiments.closed_forms import largest_inference, paper_formula
from rtsim.experiments.design import Design
from rtsim.scenario import MAX_WORKERS, Scenario
from rtsim.schedulers import RuleSpec
from rtsim.statistics import Statistics, Tally
from rtsim.theory import ceil_ratio
from rtsim.timing import units

#: From twice this number of workers on, not every number is tried at first: the strides grow with it.
STRIDE = 100


@dataclass(frozen=True)
class Outcome:
    """What one run leaves behind.

    Attributes
    ----------
    statistics : Statistics
    delay_counts : int64, shape (longest delay + 1,)
        Agent steps by delay.
    longest : float, seconds
        The longest inference that ended.
    """

    statistics: Statistics
    delay_counts: NDArray[np.int64]
    longest: float


def run_once(scenario: Scenario, warmup: int, engine: str = "auto") -> Outcome:
    """Simulate one scenario and keep its numbers only."""
    return outcome(tally(scenario, warmup, engine=engine))


def outcome(found: Tally) -> Outcome:
    """What a tally leaves behind."""
    return Outcome(found.statistics(), found.delay_counts, found.longest_inference_ns / units.NS)


@dataclass(frozen=True)
class Required:
    """Smallest number of workers tried that reaches the target, or why there is none.

    Attributes
    ----------
    target : float
        Inaction fraction.
    workers : int or None
    paper_formula : int or None
        What the paper's formula says, where it has one for the rule.
    reason : str or None
        Why there is none.
    inaction_fraction : float or None
        That of these workers.
    """

    target: float
    workers: int | None
    paper_formula: int | None
    reason: str | None = None
    inaction_fraction: float | None = None


def required_workers(
    design: Design, spec: RuleSpec, longest: float, on_progress: Callable[[int], None] | None = None
) -> Required:
    """Smallest number of workers whose mean inaction over the seeds reaches the target.

    Every number from the capacity limit upwards is tried, because more workers are not always
    better; above 200 in strides of 1 %, of which the one that reaches the target is searched in
    full. A number is given up early when a run of a tenth of the steps shows more than 2.5
    times the target, or the first seed alone more than 1.25 times.

    Parameters
    ----------
    design : Design
        Target, seeds, and where to give up.
    spec : RuleSpec
    longest : float
        Largest draw seen so far, seconds (for the paper's formula).
    on_progress : callable(workers), optional
    """
    base = design.base.with_(rule=spec)
    formula = paper_formula(base, longest)
    least = base.least_workers
    longest_steps = ceil_ratio(min(largest_inference(base, longest), 1e6), base.step_mean)
    # A quarter more than workers with independent offsets need; where some inferences are short, as
    # of an epsilon-greedy policy, that is more than ln(1/target) times the capacity limit's number.
    alone = theory.unsynchronised_inaction(base.duration_law, base.step_mean, 1)
    independent = math.log(design.target) / math.log(alone) if 0 < alone < 1 else 1.0
    enough = math.ceil(1.25 * max(independent, -math.log(design.target) * least))
    # Holding rules need the longest inference, unless a heavy tail makes that absurd.
    limit = design.max_workers or max(enough, min(2 * longest_steps, 10 * least)) + 8
    limit = 1 if spec.rule.single_worker else min(limit, MAX_WORKERS)
    tried: dict[int, float] = {}

    def reaches(number: int) -> bool:
        scenario = base.with_(workers=number)
        if scenario.capacity_limit > design.target:
            return False
        if on_progress:
            on_progress(number)
        tried[number] = _mean_inaction(design, scenario)
        return tried[number] <= design.target

    number, last = 1, 0
    while number <= limit:
        if reaches(number):
            number = next((skipped for skipped in range(last + 1, number) if reaches(skipped)), number)
            return Required(design.target, number, formula, None, tried[number])
        last, number = number, min(number + max(number // STRIDE, 1), max(limit, number + 1))
    best = min(((inaction, number) for number, inaction in tried.items()), default=(1.0, 1))
    if spec.rule.single_worker:
        reason = f"{spec.name} is one process by definition"
    elif best[0] == 1.0:
        reason = f"the capacity limit stays above the target up to {limit} workers"
    else:
        reason = f"none up to {limit} workers; the least inaction found in the search is {best[0]:.2%} at {best[1]}"
    return Required(design.target, None, formula, reason, None)


def _mean_inaction(design: Design, scenario: Scenario) -> float:
    short = design.warmup + max((scenario.steps - design.warmup) // 10, 1)
    if design.target >= 0.002 and scenario.steps >= 5000:
        quick = run_once(scenario.with_(steps=short), design.warmup, design.clock).statistics.inaction_fraction
        if quick > 2.5 * design.target:
            return quick
    values: list[float] = []
    for seed in range(design.base.seed, design.base.seed + design.seeds):
        values.append(run_once(scenario.with_(seed=seed), design.warmup, design.clock).statistics.inaction_fraction)
        if len(values) == 1 and values[0] > 1.25 * design.target:
            break
    return float(np.mean(values))


@dataclass(frozen=True)
class RequiredLearners:
    """Smallest number of learners that learns from every transition, or why there is none."""

    learners: int | None
    paper_formula: int
    reason: str | None
    transitions_per_step: float | None


def required_learners(scenario: Scenario, warmup: int, engine: str = "auto") -> RequiredLearners:
    """Smallest number of learning processes with at least one transition learned from per environment step.

    N_L* of the first paper's Question 4, by simulation: numbers are tried from the fewest that
    could do if no learner ever waited for another, up to twice the paper's ⌈τ̄_L/(B τ_M)⌉. How many updates
    of a learner fall into the steps counted is certain to one; so much may be missing.

    Raises
    ------
    InvalidValue
        If nobody learns, or the process that infers does.
    """
    learning = scenario.learning_time
    if learning is None or scenario.learner.inline:
        raise InvalidValue("required_learners needs a learning time and a rule that learns in other processes")
    formula = theory.required_learners(learning.mean, scenario.batch, scenario.step_mean)
    least = theory.required_learners(learning.least_mean, scenario.batch, scenario.step_mean)
    limit = min(2 * formula + 8, MAX_WORKERS)
    most = 0.0
    for number in range(max(least, 1), limit + 1):
        found = run_once(scenario.with_(learners=number), warmup, engine).statistics.transitions_per_step
        most = max(most, found)
        if found >= 1 - number * scenario.batch / (scenario.steps - warmup):
            return RequiredLearners(number, formula, None, found)
    return RequiredLearners(None, formula, f"none up to {limit} learners; most per step {most:.4f}", None)
