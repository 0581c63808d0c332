"""How old actions are when they are used: the distribution of delays where it has a closed form.

A delay is the step an action is used on minus the step of the observation it was computed from. It has three parts:
the inference itself, what it is held back for, and the wait for the next step.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.theory.inaction import capacity_limit
from rtsim.theory.inputs import count, positive
from rtsim.timing.laws import Law

Floats = NDArray[np.float64]

#: Longest inference that delays are told of, steps.
LONGEST = 1_000_000
#: Equally likely parts that a law is cut into, moments within a step, and steps that a fixed grid is looked at for.
PARTS, MOMENTS, STEPS = 20_000, 64, 8_192


@lru_cache(maxsize=64)
def _sorted_times(law: Law) -> Floats:
    """One time from the middle of each of :data:`PARTS` equally likely parts, ascending, s."""
    found = np.sort(law.draw((np.arange(PARTS) + 0.5) / PARTS))
    found.flags.writeable = False
    return found


def variation(law: Law) -> float:
    """Coefficient of variation of a law, to about three digits; 0 for a constant time.

    >>> from rtsim.timing import law
    >>> round(variation(law("lognorm(mean=84ms, cv=0.3)")), 2), variation(law("84ms"))
    (0.3, 0.0)
    """
    times = _sorted_times(law)
    spread = float(np.ptp(times))
    return float(times.std() / times.mean()) if spread > 0 else 0.0


def well_cut(law: Law) -> bool:
    """Whether :data:`PARTS` parts tell a law's mean to 1 %, as they do not of one whose variance is infinite.

    >>> from rtsim.timing import law
    >>> well_cut(law("exp(mean=84ms)")), well_cut(law("pareto(mean=84ms, alpha=1.2)"))
    (True, False)
    """
    return bool(abs(_sorted_times(law).mean() - law.mean) <= 0.01 * law.mean)


def steps_of(law: Law, step: float) -> Floats:
    """Probabilities that an inference takes 0, 1, 2, … steps, rounded up: ⌈τ_θ/τ_M⌉ (Riemer et al. 2025, Eq. 4).

    The delay of an action that starts on a fresh observation and is used at the first step after its end; no action is
    younger. To 1 part in 20,000.

    Parameters
    ----------
    law : Law
        Inference time, dispatch included.
    step : float
        Step time, seconds.

    Returns
    -------
    float64, shape (longest + 1,)

    >>> from rtsim.timing import law
    >>> steps_of(law("uniform(5ms, 25ms)"), 0.01)
    array([0.  , 0.25, 0.5 , 0.25])
    """
    positive(step=step)
    times = _sorted_times(law)
    _check_length(times, step)
    found = np.ceil(times / step * (1 - 1e-12)).astype(np.int64)
    return np.bincount(found) / len(found)


def fresh_inaction(law: Law, step: float) -> float:
    """Inaction fraction of one process that starts on fresh observations only: 1 − 1/E⌈τ_θ/τ_M⌉.

    One action comes of every ⌈τ_θ/τ_M⌉ steps (Riemer et al. 2025, Remark 1, for variable times; ours). For
    ``one_step_lag`` and ``sequential(wait_observation=true)`` without learning.

    >>> from rtsim.timing import law
    >>> fresh_inaction(law("25ms"), 0.01), fresh_inaction(law("uniform(5ms, 25ms)"), 0.01)
    (0.6666666666666667, 0.5)
    """
    weights = steps_of(law, step)
    return 1.0 - 1.0 / max(float(weights @ np.arange(len(weights))), 1.0)


def free_delays(law: Law, step: float, workers: int) -> Floats:
    """Delays of N workers with independent offsets: probabilities of 0, 1, 2, … steps on steps with an action (ours).

    Seen from a step, the newest action is u old with density N (1 − F(u))/τ̄ · (1 − L(u)/τ̄)^(N−1), where L(u) = ∫₀^u
    (1 − F); its inference took τ ~ F, whatever u is, since of a renewal process the time before an event and the time
    since are independent. The delay is ⌈(u + τ)/τ_M⌉. Holds where :func:`rtsim.theory.unsynchronised_inaction` does.

    Parameters
    ----------
    law : Law
    step : float
        Seconds.
    workers : int
        N.

    Returns
    -------
    float64, shape (longest + 1,)

    >>> from rtsim.timing import law
    >>> free_delays(law("uniform(20ms, 30ms)"), 0.01, 1).round(3)  # u is uniform in a step, τ in the third
    array([0. , 0. , 0. , 0.5, 0.5])
    """
    positive(step=step)
    workers = count(workers, "workers")
    times = _sorted_times(law)
    if times[-1] <= 0:
        return np.ones(1)
    edges = np.linspace(0.0, step, MOMENTS + 1)
    sums = np.concatenate([[0.0], np.cumsum(times)])
    shorter = np.searchsorted(times, edges, side="right")
    limited = (sums[shorter] + (PARTS - shorter) * edges) / PARTS
    # Chance that none of the workers has ended an inference so recently; its falls are the density above.
    older = np.maximum(1.0 - limited / times.mean(), 0.0) ** workers
    return _in_steps(times, (edges[:-1] + edges[1:]) / 2, -np.diff(older) / (1.0 - older[-1]), step)


def spread_delays(law: Law, step: float) -> Floats:
    """Delays of actions that end at any moment within a step alike: ⌈(u + τ)/τ_M⌉ with u uniform in a step (ours).

    Of one process whose cycle, learning included, is longer than a step and keeps no step with the environment.

    >>> from rtsim.timing import law
    >>> spread_delays(law("uniform(20ms, 30ms)"), 0.01).round(3)
    array([0. , 0. , 0. , 0.5, 0.5])
    """
    positive(step=step)
    ages = (np.arange(MOMENTS) + 0.5) / MOMENTS * step
    return _in_steps(_sorted_times(law), ages, np.full(MOMENTS, 1 / MOMENTS), step)


def held_delays(maximum: float, step: float, workers: int) -> Floats:
    """Delays of N workers that hold every action for τ_θ^max and start τ_θ^max/N apart (ours).

    All releases are known, w τ_θ^max/N after whole multiples of τ_θ^max; those of 8,192 steps are looked up, which
    also covers ratios of small whole numbers. Holds where :func:`rtsim.theory.held_inaction` does, and for
    constant times.

    Parameters
    ----------
    maximum, step : float
        Seconds.
    workers : int
        N.

    Returns
    -------
    float64, shape (longest + 1,)

    Releases at 27, 54, 81, … ms lie 3, 6, 9, 2, 5, 8, 1, 4, 7 or 0 ms before a step; up to 3 ms fit into three steps.

    >>> held_delays(0.027, 0.01, 1).round(3), held_delays(0.03, 0.01, 3)
    (array([0. , 0. , 0. , 0.4, 0.6]), array([0., 0., 0., 1.]))
    """
    positive(step=step)
    workers = count(workers, "workers")
    if maximum <= 0:
        return np.ones(1)
    # Whole nanoseconds, as the rules count: releases and steps that coincide must do so here.
    _check_length(np.array([maximum]), step)
    cycle, share = round(maximum * 1e9), -(-round(maximum * 1e9) // workers)
    starts = np.rint(np.arange(STEPS + 1) * (step * 1e9)).astype(np.int64)
    into = starts % cycle
    age = into - np.minimum(into // share, workers - 1) * share
    observed = np.searchsorted(starts, starts - age - cycle, side="right") - 1
    lengths = np.diff(starts, prepend=starts[0] - round(step * 1e9))
    usable = (age < lengths) & (starts >= age + cycle)
    delays = (np.arange(STEPS + 1) - observed)[usable]
    return np.bincount(delays) / max(len(delays), 1) if len(delays) else np.ones(1)


def youngest(law: Law, step: float, workers: int, chunk: int = 1) -> Floats:
    """Delays that no rule can better: shares of all steps, by age, of the youngest actions N workers can make.

    N workers finish at most N τ_M/τ̄_θ inferences a step, each used once (:func:`rtsim.theory.capacity_limit`) and
    ⌈τ_θ/τ_M⌉ steps late or more; of more than one a step only the shortest are used. With chunks, each inference
    gives k actions, one step older each. What is missing to 1 is left to the default policy (ours).

    Parameters
    ----------
    law : Law
    step : float
        Seconds.
    workers : int
        N.
    chunk : int
        k.

    Returns
    -------
    float64, shape (longest + 1,), adding up to 1 − the capacity limit

    >>> from rtsim.timing import law
    >>> youngest(law("25ms"), 0.01, 2), youngest(law("uniform(5ms, 25ms)"), 0.01, 3)
    (array([0. , 0. , 0. , 0.8]), array([0. , 0.5, 0.5, 0. ]))
    """
    own = steps_of(law, step)
    chunk = count(chunk, "chunk")
    made = np.sum([np.pad(own, (late, chunk - 1 - late)) for late in range(chunk)], axis=0)
    if law.mean > 0:
        made *= workers * step / law.mean
    total = 1.0 - capacity_limit(count(workers, "workers") * chunk, step, law.mean)
    return np.asarray(np.diff(np.minimum(np.cumsum(made), total), prepend=0.0))


def _check_length(times: Floats, step: float) -> None:
    if not times[-1] <= LONGEST * step:
        raise InvalidValue(
            f"inference times reach {times[-1]:.3g} s, more than {LONGEST} steps of {step:.3g} s; give longer steps"
        )


def _in_steps(times: Floats, ages: Floats, weights: Floats, step: float) -> Floats:
    """Probabilities of ⌈(u + τ)/τ_M⌉ for τ one of ``times``, ascending, and u one of ``ages`` with ``weights``."""
    _check_length(times, step)
    longest = int(np.ceil((times[-1] + ages[-1]) / step))
    edges = np.arange(longest + 1) * step
    within = sum(
        weight * np.searchsorted(times, edges - age, side="right") for age, weight in zip(ages, weights, strict=True)
    )
    return np.asarray(np.diff(within / PARTS, prepend=0.0))
