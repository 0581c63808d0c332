"""What can be said of probabilities from branches: shares, and the p that explains how they fall with the delay.

Equation 4 (Riemer et al. 2025) charges 1 − p_minimax^k for a delay of k steps. Here the share m_k of what is still
predictable after k steps is measured, and the effective p is the one whose powers add up to the same:

    Σ_k p^k = Σ_k m_k     over the delays measured,

which has one solution in 0..1, is exact where m_k = p^k, and is 1 only if every share is (ours).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtsim.intervals import Interval, fraction_ci95, mean_interval

Floats = NDArray[np.float64]

#: Halvings of 0..1 in which the effective p is found.
HALVINGS = 60


class Share(NamedTuple):
    """A share of branches, from below, and from above.

    Attributes
    ----------
    value : float
        Mean over the visited states of :func:`predicted_share`.
    ci95 : (float, float) or None
        Of that mean, over the visited states.
    upper : float
        Mean over the visited states of :func:`largest_share`; the true mean lies between the two expectations.
    """

    value: float
    ci95: Interval | None
    upper: float


class Effective(NamedTuple):
    """An effective p, and its 95 % interval by the jackknife; ``value`` is None where there is none."""

    value: float | None
    ci95: Interval | None


def predicted_share(fits: ArrayLike) -> float:
    """How often what fits the most of the other branches fits a branch too.

    From each branch the others foretell what fits best; ties share the vote. As the forecast does not know the
    branch, the expectation is at most the probability of the likeliest outcome, and tends to it with many
    branches. It is 1 exactly if one outcome fits all.

    Parameters
    ----------
    fits : array_like of bool, shape (branches, outcomes)
        Which outcomes fit a branch: the one that happened, or all actions that are best in it. At least two branches.

    >>> predicted_share([[1, 0], [1, 0], [1, 0], [0, 1]])
    0.75
    >>> predicted_share([[1, 0], [0, 1]])
    0.0
    """
    fit = np.asarray(fits, dtype=np.int64)
    others = fit.sum(axis=0) - fit
    leads = others == others.max(axis=1, keepdims=True)
    return float(((fit * leads).sum(axis=1) / leads.sum(axis=1)).mean())


def largest_share(fits: ArrayLike) -> float:
    """Share of branches that the outcome fits which fits the most: too large on average, by chance's favourites.

    >>> largest_share([[1, 0], [0, 1]])
    0.5
    """
    fit = np.asarray(fits, dtype=np.float64)
    return float(fit.mean(axis=0).max())


def share(values: Floats, upper: Floats) -> Share:
    """Shares at visited states, shape (states,), as one with its interval.

    Where every state has the same share 1, the others that might have come say how sure that is: with n
    independent states the probability of such a state is at least 0.05^(1/n), at 95 % (and likewise for 0).

    >>> share(np.ones(20), np.ones(20)).ci95 == (0.05 ** (1 / 20), 1.0)
    True
    """
    mean, interval = fraction_ci95(values.tolist())
    sure = 0.05 ** (1 / len(values))
    if (values == 1).all():
        interval = (sure, 1.0)
    elif (values == 0).all():
        interval = (0.0, 1 - sure)
    return Share(mean, interval, float(upper.mean()))


def effective_p(shares: ArrayLike, delays: ArrayLike) -> Floats:
    """The p in 0..1 whose powers add up to the shares; see the module.

    Parameters
    ----------
    shares : array_like, shape (..., K)
        In 0..1.
    delays : array_like, shape (K,)
        Steps, >= 1.

    Returns
    -------
    float64, shape (...)

    >>> delays = np.array([1, 2, 4])
    >>> effective_p([0.9**delays, [1, 1, 1]], delays).round(12)
    array([0.9, 1. ])
    """
    wanted = np.asarray(shares, dtype=np.float64)
    steps = np.asarray(delays, dtype=np.float64)
    total = wanted.sum(axis=-1)
    low, high = np.zeros_like(total), np.ones_like(total)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        less = (middle[..., None] ** steps).sum(axis=-1) < total
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return np.where(total >= len(steps), 1.0, high)


def effective_of_states(values: Floats, delays: ArrayLike) -> Effective:
    """The effective p of shares at independent visited states, shape (states, K).

    >>> effective_of_states(np.ones((20, 3)), [1, 2, 4]).ci95 == (0.05 ** (1 / 80), 1.0)
    True
    """
    found = float(effective_p(values.mean(axis=0), delays))
    if (values == 1).all():
        # The longest delay tells the most: p^k >= 0.05^(1/states); see share().
        return Effective(found, (float(0.05 ** (1 / len(values) / np.max(delays))), 1.0))
    return Effective(found, _jackknifed(found, effective_p(_left_out(values), delays)))


def surviving_advantage(rewards: Floats) -> Floats | None:
    """What a delay leaves of the advantage over the default policy, in 0..1; None if there is none to lose.

    (R(k) − R(default)) / (R(0) − R(default)). Where the default policy earns nothing and the best
    earns 1 at every step, as in the proof of Equation 4, this is the reward per step itself.

    Parameters
    ----------
    rewards : float64, shape (..., K + 2)
        Reward per step: at delay 0, at each delay, and of the default policy alone.

    Returns
    -------
    float64, shape (..., K), or None

    >>> surviving_advantage(np.array([3.0, 2.0, 0.5, 1.0]))
    array([0.5, 0. ])
    """
    advantage = rewards[..., 0] - rewards[..., -1]
    if (advantage <= 0).any():
        return None
    kept = (rewards[..., 1:-1] - rewards[..., -1:]) / advantage[..., None]
    return np.asarray(kept.clip(0.0, 1.0))


def effective_of_runs(rewards: Floats, delays: ArrayLike) -> Effective:
    """The effective p of rewards per step in independent runs, shape (runs, K + 2).

    None unless the 95 % interval of the advantage over the default policy lies above zero: there is none to lose then.

    >>> late = np.array([1.0, 0.9, 0.81, 0.0])
    >>> round(effective_of_runs(np.stack([late, late * 1.1]), [1, 2]).value, 9)
    0.9
    """
    _, advantage = mean_interval((rewards[:, 0] - rewards[:, -1]).tolist())
    kept, without = surviving_advantage(rewards.mean(axis=0)), surviving_advantage(_left_out(rewards))
    # Where the interval lies above zero, the advantage is positive without any one run, too.
    if advantage is None or advantage[0] <= 0 or kept is None or without is None:
        return Effective(None, None)
    found = float(effective_p(kept, delays))
    return Effective(found, _jackknifed(found, effective_p(without, delays)))


def _left_out(values: Floats) -> Floats:
    """Means over the first axis without each of its n items, shape (n, ...)."""
    return np.asarray((values.sum(axis=0) - values) / (len(values) - 1))


def _jackknifed(found: float, without: Floats) -> Interval:
    """The 95 % interval of an estimate, from those without each of n items: Student's t of Tukey's pseudo-values.

    Better than the percentiles of a bootstrap, which are too narrow for as few items as there are here (Efron &
    Tibshirani 1993, Chapters 11 and 14).
    """
    pseudo = len(without) * found - (len(without) - 1) * without
    mean, (low, high) = mean_interval(pseudo.tolist())  # type: ignore[misc] # at least two
    # The mean of pseudo-values may lie beyond 0..1; an interval around it might not reach back.
    centre, half = min(max(mean, 0.0), 1.0), (high - low) / 2
    return max(centre - half, 0.0), min(centre + half, 1.0)
