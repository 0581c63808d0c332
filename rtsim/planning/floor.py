"""The regret that no rule can beat: the capacity limit's inaction, and each action's own age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsim import theory
from rtsim.planning.environment import Environment, Measured
from rtsim.scenario import Scenario
from rtsim.timing import Law


@dataclass(frozen=True)
class Floor:
    """Least regret with so many workers, reward per second.

    Attributes
    ----------
    workers : int
    regret_per_s, inaction_per_s, delay_per_s : float
    inaction_fraction : float
        The capacity limit.
    delay_steps_mean : float
        Mean of the least delays.
    source : str
        "closed form", or "numerical" where the environment's charges are.
    uncertain_per_s : float or None
        Half width of the 95 % interval that a measured delay curve leaves on it.
    """

    workers: int
    regret_per_s: float
    inaction_per_s: float
    delay_per_s: float
    inaction_fraction: float
    delay_steps_mean: float
    source: str
    uncertain_per_s: float | None = None


def floor(base: Scenario, environment: Environment, workers: int, chunk: int = 1) -> Floor:
    """What is left if every inference ends up in an action, the youngest first, none a step older than it must be.

    Steps beyond the capacity limit are the default policy's; the others use actions ⌈τ_θ/τ_M⌉ steps old
    (:func:`rtsim.theory.youngest`), charged what the environment charges at least.

    Parameters
    ----------
    base : Scenario
        Times.
    environment : Environment
    workers : int
    chunk : int
        Most actions per inference.

    >>> from rtsim.planning.environment import WorstCase
    >>> base = Scenario("max_time", "100ms", step_time=0.05)
    >>> found = floor(base, WorstCase(0.9), 1)  # every other step, two steps late
    >>> round(found.inaction_fraction, 6), round(found.regret_per_s, 6), round((0.5 + 0.5 * (1 - 0.9**2)) / 0.05, 6)
    (0.5, 11.9, 11.9)
    """
    law, step = base.inference_time, base.step_mean
    shares = theory.youngest(law, step, workers, chunk)
    # Where times change, or steps are random, how many steps an inference lasts at least is not known.
    if law.least_mean < law.mean or isinstance(base.step_time, Law):
        shares = np.array([1.0 - theory.capacity_limit(workers * chunk, step, law.least_mean)])
    acted = float(shares.sum())
    least, unsure = environment.least(shares), None
    if isinstance(environment, Measured):
        unsure = environment.uncertainty(environment.weights(1.0 - acted, shares / max(acted, 1e-300)))
    return Floor(
        workers=workers,
        regret_per_s=least.total / step,
        inaction_per_s=least.inaction / step,
        delay_per_s=least.delay / step,
        inaction_fraction=max(1.0 - acted, 0.0),
        delay_steps_mean=float(shares @ np.arange(len(shares))) / acted if acted > 0 else 0.0,
        source=environment.source,
        uncertain_per_s=None if unsure is None else unsure / step,
    )
