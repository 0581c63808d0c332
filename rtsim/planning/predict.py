"""Inaction and delays of a scenario: by closed form, by a numerical bound, else by simulation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtsim import theory
from rtsim.clocks import tally
from rtsim.errors import InvalidValue
from rtsim.experiments.closed_forms import inaction_fraction
from rtsim.planning.remembered import remembered
from rtsim.scenario import Scenario
from rtsim.schedulers.registry import BUILTIN
from rtsim.timing import Law

Floats = NDArray[np.float64]

#: Inferences of a worker, in units of 1/c.v.², after which its offset tells nothing of where it began.
DRIFT = 2.0
#: Most steps that may take; offsets that last longer are not taken for independent.
MOST_DRIFT = 20_000
#: How far the bounds of a numerical result may lie apart, as shares of the steps.
NARROW = 0.004


@dataclass(frozen=True)
class Prediction:
    """How often the default policy acts, and how late the actions are.

    Attributes
    ----------
    inaction : float
        Share of steps.
    delays : float64, shape (longest + 1,)
        Probabilities of 0, 1, … steps, on steps with an action; all 0 if there are none.
    source : {"closed form", "numerical", "simulated"}
    uncertain : float
        By how much ``inaction`` may be off, where it lies between numerical bounds.
    """

    inaction: float
    delays: Floats
    source: str
    uncertain: float = 0.0

    @property
    def delay_mean(self) -> float | None:
        """Mean delay, steps; None if no action is ever used."""
        return float(self.delays @ np.arange(len(self.delays))) if self.delays.any() else None


def closed_form(scenario: Scenario) -> Prediction | None:
    """What formulas say of a scenario in the long run, or None where they have conditions that it does not meet.

    Beyond those of :func:`rtsim.experiments.closed_forms.inaction_fraction`: offsets are taken for independent only
    where they become so within :func:`drift_steps`; for equal only if nothing disturbs them, so that ``max_time`` and
    ``phase_locked`` need constant times or a warm start (``initial_max``) that no inference exceeds.

    >>> found = closed_form(Scenario("unstaggered", "lognorm(mean=200ms, cv=0.3)", workers=20, step_time=0.01))
    >>> round(found.inaction, 3), round(found.delay_mean, 1)
    (0.358, 20.9)
    >>> closed_form(Scenario("max_time", "lognorm(mean=200ms, cv=0.3)", workers=20, step_time=0.01)) is None
    True
    """
    if not _plain(scenario):
        return None
    law, step, rule = scenario.duration_law, scenario.step_mean, scenario.rule
    constant, learns = law.upper <= law.quantile(0.0), scenario.learning_time is not None and rule.rule.learns_inline
    workers = scenario.workers
    if rule.name == "one_step_lag" or (rule.name == "sequential" and rule.options["wait_observation"] and not learns):
        return Prediction(theory.fresh_inaction(law, step), theory.steps_of(law, step), "closed form")
    if rule.name in ("max_time", "phase_locked"):
        held = _held(scenario, constant)
        if held is None:
            return None
        delays = theory.held_delays(held, step, workers)
        return Prediction(theory.held_inaction(held, step, workers), delays, "closed form")
    if rule.name not in ("sequential", "unstaggered", "exp_time") or rule.options.get("printed"):
        return None
    inaction = inaction_fraction(scenario, law.upper)
    if inaction is None:
        return None
    if learns:
        fits = rule.options["order"] == "act_learn" and not rule.options["wait_observation"] and not constant
        return Prediction(inaction, theory.spread_delays(law, step), "closed form") if fits else None
    if constant:
        delays = theory.held_delays(law.mean, step, workers if rule.name == "exp_time" else 1)
    elif rule.name != "sequential" and drift_steps(law, step) > MOST_DRIFT:
        return None
    else:
        delays = theory.free_delays(law, step, workers)
    return Prediction(inaction, delays, "closed form")


def numerical(scenario: Scenario) -> Prediction | None:
    """What the bounds of :func:`rtsim.theory.time_triggered_inaction` say where they are close together; else None.

    >>> found = numerical(Scenario("time_triggered", "lognorm(mean=84ms, cv=0.3)", workers=14, step_time="60fps"))
    >>> found.inaction < 0.004, found.delay_mean
    (True, 15.0)
    """
    options = scenario.rule.options
    if not _plain(scenario) or scenario.rule.name != "time_triggered" or options["late"] != "drop":
        return None
    deadline = scenario.setting().steps(options["deadline"], "deadline")  # type: ignore[arg-type]
    law, step = scenario.duration_law, scenario.step_mean
    try:
        blocked = _blocking(law, step, scenario.workers)
    except InvalidValue:  # too long a tail
        return None
    on_time = 1.0 - theory.late_probability(law, step, deadline)
    if not blocked.exact and blocked.upper - blocked.lower > NARROW:
        return None
    inaction = 1.0 - (1.0 - (blocked.lower + blocked.upper) / 2) * on_time
    return Prediction(inaction, np.eye(deadline + 1)[deadline], "numerical", (blocked.upper - blocked.lower) / 2)


def predictable(scenario: Scenario) -> bool:
    """Whether a formula or bounds tell something of this rule, for some number of workers."""
    return closed_form(scenario) is not None or (
        _plain(scenario) and scenario.rule.name == "time_triggered" and scenario.rule.options["late"] == "drop"
    )


def drift_steps(law: Law, step: float) -> int:
    """Steps until independent offsets are so, about 2/c.v.² inferences; 0 for constant times, which never drift.

    What n inferences add to an offset has a standard deviation of √n c.v. inference times; where that is one whole
    inference time, nothing is left of the beginning (ours).

    >>> from rtsim.timing import law
    >>> drift_steps(law("lognorm(mean=100ms, cv=0.1)"), 0.01) // 100
    20
    """
    cv = theory.variation(law)
    if cv == 0:
        return 0
    return min(math.ceil(DRIFT / cv**2 * max(law.mean / step, 1.0)), 10**9)


def warmup(scenario: Scenario) -> int:
    """Steps to leave out of a simulation of the long run."""
    least = scenario.settling_steps
    if scenario.rule.name in ("unstaggered", "exp_time"):
        least = max(least, min(drift_steps(scenario.duration_law, scenario.step_mean), MOST_DRIFT))
    return least


@dataclass(frozen=True)
class Run:
    """What one simulated run counts after its warm-up: the share of default steps, and the delays of the others.

    ``delays`` are probabilities of 0, 1, … steps, float64, shape (longest + 1,); all 0 if no action was used.
    """

    inaction: float
    delays: Floats


def runs(scenario: Scenario, seeds: Iterable[int], steps: int) -> list[Run]:
    """Simulate so many steps after the warm-up, once per seed; the same seeds under every rule are the same luck."""
    begin = warmup(scenario)
    scenario = scenario.with_(inference_time=remembered(scenario.inference_time))
    # A built-in rule is compiled already; another one costs seconds, which only long work is worth.
    engine = "compiled" if BUILTIN.get(scenario.rule.name) is scenario.rule.rule else "auto"
    found = []
    for seed in seeds:
        counted = tally(scenario.with_(seed=seed, steps=begin + steps), begin, engine=engine)
        delays = counted.delay_counts / max(counted.used, 1)
        found.append(Run(1.0 - counted.used / counted.steps, delays if len(delays) else np.zeros(1)))
    return found


def simulated(found: list[Run]) -> Prediction:
    """Runs as one prediction."""
    longest = max(len(run.delays) for run in found)
    weights = [1.0 - run.inaction for run in found]
    delays = sum(w * np.pad(run.delays, (0, longest - len(run.delays))) for w, run in zip(weights, found, strict=True))
    total = sum(weights)
    return Prediction(1.0 - total / len(found), np.asarray(delays) / max(total, 1e-300), "simulated")


def _plain(scenario: Scenario) -> bool:
    """Whether times are those the formulas are about."""
    law = scenario.duration_law
    return (
        scenario.dispatch_time is None
        and str(scenario.mailbox) == "latest"
        and not isinstance(scenario.step_time, Law)
        and law.spells is None
        and law.least_mean == law.mean > 0
        and theory.well_cut(law)
    )


def _held(scenario: Scenario, constant: bool) -> float | None:
    """For how long every action is held from its start, seconds, if that never changes."""
    law, options = scenario.duration_law, scenario.rule.options
    if any(options.get(name) for name in ("window", "quantile", "epsilon", "printed")):
        return None
    start = options["initial_max"]
    warm = 0.0 if start is None else scenario.setting().ns(start, "initial_max") / 1e9
    if constant or (math.isfinite(law.upper) and warm >= law.upper * (1 - 1e-12)):
        return max(warm, law.upper)
    return None


@lru_cache(maxsize=4096)
def _blocking(law: Law, step: float, workers: int) -> theory.Loss:
    """The same for every deadline."""
    return theory.blocking(law, step, workers)
