"""What ``time_triggered`` loses: slots that find all workers busy, and actions that come too late.

Every step starts an inference if a worker is idle; else the step's slot is lost. With one arrival per step, N workers
and no waiting room this is a D/G/N/N loss system. Erlang's formula, which needs Poisson arrivals, overstates its loss
by far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.theory.inputs import count, positive
from rtsim.timing.laws import Exponential, Law

Floats = NDArray[np.float64]

#: Most states of the chain of residual times; the tail probability that is neglected, and most steps until there.
MAX_CHAIN, NEGLIGIBLE, MAX_STEPS = 20_000, 1e-12, 20_000


@dataclass(frozen=True)
class Loss:
    """Bounds of a probability; equal, but for rounding, if ``exact``."""

    lower: float
    upper: float
    exact: bool


def late_probability(law: Law, step: float, deadline: int) -> float:
    """P(τ_θ > D τ_M): the share of inferences that miss a deadline of D steps (ours; exact).

    Parameters
    ----------
    law : Law
        Inference time, dispatch included.
    step : float
        Step time, seconds.
    deadline : int
        D, steps.

    >>> from rtsim.timing import law
    >>> round(late_probability(law("exp(mean=100ms)"), 0.1, 3), 6)
    0.049787
    """
    positive(step=step)
    return 1.0 - law.cdf(count(deadline, "deadline", 0) * step)


def blocking(law: Law, step: float, workers: int) -> Loss:
    """Share of steps on which ``time_triggered`` finds all its workers busy.

    Exact for exponential times, by the chain of busy workers seen at the start of each step; exact for bounded times
    that last few steps, by the chain of residual times; else between two bounds (all ours). An inference takes
    ⌈τ_θ/τ_M⌉ steps of its worker, S on average: from below, N workers serve at most N/S of the steps. From above,
    were workers never to run out, the number busy would be a sum of independent indicators of τ_θ > d τ_M for d = 1,
    2, …; with N workers, which serve some of the same inferences and no others, no more are busy than that, so the
    blocking is at most the probability that this sum reaches N.

    Parameters
    ----------
    law : Law
        Inference time, dispatch included.
    step : float
        Step time, seconds.
    workers : int
        N.

    Returns
    -------
    Loss

    >>> from rtsim.timing import law
    >>> blocking(law("exp(mean=100ms)"), 0.1, 1).upper.__round__(6)  # finished within a step, or not
    0.367879
    >>> found = blocking(law("250ms"), 0.1, 2)  # two of three slots are served
    >>> round(found.upper, 12), found.exact
    (0.333333333333, True)
    """
    positive(step=step)
    workers = count(workers, "workers")
    if isinstance(law, Exponential):
        found = _exponential_blocking(step / law.mean, workers)
        return Loss(found, found, True)
    survival = _survival(law, step)
    if len(survival) == 0:
        return Loss(0.0, 0.0, True)
    lower = max(0.0, 1.0 - workers / (1.0 + float(survival.sum())))
    steps = len(survival) + 1
    if (survival == 1.0).all():  # constant: after N slots in a row, none until the first of them is done
        return Loss(lower, lower, True)
    if workers >= steps:
        return Loss(0.0, 0.0, True)
    if math.comb(steps - 1 + workers, workers) <= MAX_CHAIN:
        found = _residual_blocking(-np.diff(np.concatenate([[1.0], survival, [0.0]])), workers)
        return Loss(found, found, True)
    busy = np.zeros(workers)
    busy[0] = 1.0
    for chance in survival:
        # The last place would be N and above, which is what 1 − the sum leaves.
        busy = busy * (1.0 - chance) + np.concatenate([[0.0], busy[:-1]]) * chance
    return Loss(lower, max(lower, 1.0 - float(busy.sum())), False)


def time_triggered_inaction(law: Law, step: float, workers: int, deadline: int) -> Loss:
    """Inaction fraction of ``time_triggered``: 1 − (1 − blocking)(1 − late) (ours).

    Whether an inference is late does not depend on whether its slot was blocked, since that was decided
    by earlier ones. For late actions dropped, fixed step times and mailbox ``latest``.

    Parameters
    ----------
    law : Law
        Inference time, dispatch included.
    step : float
        Step time, seconds.
    workers : int
        N.
    deadline : int
        D, steps, at least 1.

    Returns
    -------
    Loss

    >>> from rtsim.timing import law
    >>> time_triggered_inaction(law("95ms"), 0.01, 10, 10)
    Loss(lower=0.0, upper=0.0, exact=True)
    """
    blocked, on_time = blocking(law, step, workers), 1.0 - late_probability(law, step, deadline)
    return Loss(1.0 - (1.0 - blocked.lower) * on_time, 1.0 - (1.0 - blocked.upper) * on_time, blocked.exact)


@lru_cache(maxsize=64)
def _survival(law: Law, step: float) -> Floats:
    """P(τ_θ > d τ_M) for d = 1, 2, … as long as it is not negligible; read-only."""
    found: list[float] = []
    while (chance := 1.0 - law.cdf((len(found) + 1) * step)) > NEGLIGIBLE:
        found.append(chance)
        if len(found) > MAX_STEPS:
            raise InvalidValue(f"{law} has too long a tail, more than {MAX_STEPS} steps of {step:g} s; cut it off")
    result = np.array(found)
    result.flags.writeable = False
    return result


def _exponential_blocking(ratio: float, workers: int) -> float:
    """Blocking of D/M/N/N with ``ratio`` = τ_M/τ̄: the embedded chain of the number busy before each arrival.

    From j busy, min(j + 1, N) are busy after the arrival, and each of them still is a step later with probability
    e^(−ratio).
    """
    from scipy.stats import binom

    after = np.minimum(np.arange(workers + 1) + 1, workers)
    p = binom.pmf(np.arange(workers + 1)[None, :], after[:, None], math.exp(-ratio))
    from scipy import sparse

    from rtsim.theory.chains import frequencies

    return float(frequencies(sparse.csr_array(p), np.arange(workers + 1))[-1])


def _residual_blocking(lengths: Floats, workers: int) -> float:
    """Blocking where an inference takes d + 1 steps with probability lengths[d]: the chain of sorted residual times."""
    from scipy import sparse

    from rtsim.theory.chains import long_run_frequencies

    known: dict[tuple[int, ...], int] = {(0,) * workers: 0}
    waiting = [(0,) * workers]
    entries: list[tuple[int, int, float]] = []
    while waiting:
        residual = waiting.pop()
        starts = [(0, 1.0)] if residual[0] > 0 else [(d + 1, float(w)) for d, w in enumerate(lengths) if w > 0]
        for length, weight in starts:
            left = list(residual)
            if length:
                left[0] = length
            after = tuple(sorted(max(steps - 1, 0) for steps in left))
            if after not in known:
                known[after] = len(known)
                waiting.append(after)
            entries.append((known[residual], known[after], weight))
    rows, columns, data = zip(*entries, strict=True)
    chain = sparse.coo_array((data, (rows, columns)), shape=(len(known),) * 2).tocsr()
    idle = np.zeros(len(known))
    idle[0] = 1.0
    share = long_run_frequencies(chain, idle)
    full = np.array([residual[0] > 0 for residual in known])
    return float(share[full].sum())
