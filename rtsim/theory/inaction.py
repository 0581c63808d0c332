"""Closed forms for inaction, interaction time and how many processes they ask for.

No simulation here: each function is a formula with its source and the condition under which
it holds. Where simulation disagrees, the condition is what to look at first.
"""

from __future__ import annotations

import math

from rtsim.theory.inputs import count, not_negative, positive
from rtsim.timing.laws import Law


def ceil_ratio(time: float, step: float) -> int:
    """⌈time/step⌉ for two durations in seconds, at least 1.

    A ratio within 1e-9 of a whole number counts as whole: 0.9 s / 0.3 s is 3 steps, although
    in floating point it is a little more.

    >>> ceil_ratio(0.9, 0.3), ceil_ratio(0.84, 0.1), ceil_ratio(0.0, 0.1)
    (3, 9, 1)
    """
    not_negative(time=time)
    positive(step=step)
    ratio = time / step
    return max(math.ceil(ratio - 1e-9 * max(ratio, 1.0)), 1)


def capacity_limit(actions_in_flight: int, step: float, inference: float) -> float:
    """Least inaction fraction any rule can reach: max(0, 1 − N τ_M/τ̄_θ).

    Each of N processes finishes at most one inference per τ̄_θ in the long run, and every
    action serves one step (Little's law). Holds for every rule that makes one action per
    inference and aborts none; a chunk of k counts as k processes, a pipeline of L layers as L.

    Parameters
    ----------
    actions_in_flight : int
        N, or N·k, or L.
    step, inference : float
        Mean step time and mean inference time, seconds.

    >>> capacity_limit(9, 0.01, 0.2)
    0.55
    """
    positive(step=step)
    not_negative(inference=inference)
    if inference == 0:
        return 0.0
    return max(0.0, 1.0 - actions_in_flight * step / inference)


def unsynchronised_inaction(law: Law, step: float, workers: int) -> float:
    """Inaction fraction of N workers whose offsets are independent.

    (1 − (1/τ̄_θ) ∫₀^τ_M (1 − F(u)) du)^N (ours). A worker that runs freely is a renewal process; the
    chance that it releases nothing within one step, seen at a random time, is one minus the
    equilibrium distribution of its residual life at τ_M, and N independent workers must all
    miss. Where every inference is longer than a step it is (1 − τ_M/τ̄_θ)^N.

    Holds for ``unstaggered`` and, once its mean has converged, for ``exp_time`` (Algorithm 2),
    after many more than 1/c.v.² inferences per worker; never for constant times, whose
    offsets do not drift. Fixed step time; mailbox ``latest``.

    Parameters
    ----------
    law : Law
        Inference time, dispatch included.
    step : float
        Step time, seconds.
    workers : int

    >>> from rtsim.timing import law
    >>> round(unsynchronised_inaction(law("lognorm(mean=200ms, cv=0.1)"), 0.01, 20), 3)
    0.358
    """
    positive(step=step)
    workers = count(workers, "workers")
    if law.mean == 0:
        return 0.0
    return (1.0 - law.limited_mean(step) / law.mean) ** workers


def held_inaction(maximum: float, step: float, workers: int) -> float:
    """Inaction fraction of Algorithm 1 with equal offsets: max(0, 1 − N τ_M/τ_θ^max).

    Riemer et al. 2025, App. B.4: with N equally spaced processes that all hold their action
    until the maximum, one action is released every τ_θ^max/N. The condition is *equal
    offsets*, which a cold start loses for variable times.

    >>> held_inaction(0.2, 0.01, 10), held_inaction(0.2, 0.01, 20)
    (0.5, 0.0)
    """
    return capacity_limit(count(workers, "workers"), step, maximum)


def sequential_interaction_time(
    inference: float, learning: float, step: float, wait_observation: bool = False
) -> float:
    """Mean interaction time of the sequential loop for constant times, seconds.

    max(τ_M, τ_θ + τ_L) when it runs freely, ⌈(τ_θ + τ_L)/τ_M⌉ τ_M when it waits for fresh
    observations (Riemer et al. 2025, Remark 1, with learning added).

    >>> sequential_interaction_time(0.025, 0.0, 0.01), sequential_interaction_time(0.025, 0.0, 0.01, True)
    (0.025, 0.03)
    """
    not_negative(inference=inference, learning=learning)
    positive(step=step)
    if wait_observation:
        return ceil_ratio(inference + learning, step) * step
    return max(step, inference + learning)


def pipeline_inaction(inference: float, layers: int, step: float) -> float:
    """Inaction fraction of a pipeline per environment step: max(0, (δ − 1)/δ), δ = τ_θ/(L τ_M).

    Anokhin et al. 2025, Prop. 3, counts t in agent interactions, t(δ − 1); per environment
    step, of which there are δ to an interaction, that is (δ − 1)/δ.

    >>> pipeline_inaction(0.08, 4, 0.01)
    0.5
    """
    return capacity_limit(count(layers, "layers"), step, inference)


def required_workers_max_time(maximum: float, step: float) -> int:
    """N_I* of Algorithm 1 as printed: ⌈τ_θ^max/τ_M⌉ (Riemer et al. 2025, App. B.4).

    >>> required_workers_max_time(0.084, 1 / 59.7275)
    6
    """
    return ceil_ratio(maximum, step)


def required_workers_exp_time(mean: float, step: float) -> int:
    """N_I* of Algorithm 2 as printed: ⌈τ̄_θ/τ_M⌉ (Riemer et al. 2025, App. B.4); needs equal offsets.

    >>> required_workers_exp_time(0.2, 0.01)
    20
    """
    return ceil_ratio(mean, step)


def required_learners(learning: float, batch: int, step: float) -> int:
    """N_L* of round-robin learning: ⌈τ̄_L/(B τ_M)⌉, so that every transition is learned from once.

    Each learner takes in B transitions per τ̄_L, the environment makes one per τ_M (Riemer et
    al. 2025, Question 4; Langford et al. 2009). Two conditions (``theory/langford_scaling.py``): learning times are
    constant, or updates land as they finish, since in turn each waits for the slowest; and applying an update takes
    no longer than B steps, since no number of learners makes up for more.

    Parameters
    ----------
    learning : float
        τ̄_L, mean time of an update, with what it takes to apply it, seconds.
    batch : int
        B, transitions per update.
    step : float
        τ_M, seconds.

    >>> required_learners(1.7, 16, 1 / 59.7275)
    7
    """
    not_negative(learning=learning)
    return ceil_ratio(learning / count(batch, "batch"), step)
