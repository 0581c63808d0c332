"""At which stochasticity a smaller, faster model wins over a larger, better one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.intervals import Interval, mean_interval
from rtsim.planning.candidates import worker_numbers
from rtsim.planning.plan import PlanDesign, Progress, predict
from rtsim.planning.predict import runs
from rtsim.planning.rows import TIE, Row

Floats = NDArray[np.float64]

#: Stochasticities at which models are compared before the break-even is narrowed down.
LEVELS = 401
#: Two models earn the same where they differ by no more than that share of what both earn.
ROUNDING = 1e-12


@dataclass(frozen=True)
class BreakEven:
    """The stochasticity at which one model takes over from another.

    Attributes
    ----------
    larger, smaller : str
        The model that is better above ``p_minimax``, where the world is more predictable, and that just below it.
    larger_row, smaller_row : Row
        How each is best used there.
    p_minimax : float or None
        The highest at which they change places; None if one of them is better at any.
    ci95 : (float, float) or None
        Student t interval over simulated seeds; None if they do not change places in each of these, ``p_minimax``
        then being the predicted one.
    always : str
        The model that is better at any p_minimax, if ``p_minimax`` is None.
    also : tuple of float
        Where else, below ``p_minimax``, they change places, as predicted; the highest first.
    """

    larger: str
    smaller: str
    larger_row: Row
    smaller_row: Row
    p_minimax: float | None
    ci95: Interval | None
    always: str = ""
    also: tuple[float, ...] = ()


def break_even(
    designs: Mapping[str, PlanDesign], scores: Mapping[str, float], *, on_progress: Progress | None = None
) -> list[BreakEven]:
    """At which p_minimax a smaller, faster model wins over a larger, better one, for each pair in order of score.

    A model of undelayed score V earns V (1 − q) E[p_minimax^k] per step (ours): a step left to the default policy earns
    nothing, and neither does an action k steps late unless the world did what was likeliest all the time, which is
    the worst case of Equations 3 and 4 of Riemer et al. 2025, in which a step earns 1 at most. Each model is used as is
    best for it at that p_minimax, with the fewest workers that earn within half a per cent of it. The one
    found is narrowed down on simulated runs of the two rows, seed by seed.

    Parameters
    ----------
    designs : mapping of str to PlanDesign
        By model; their environments are not used.
    scores : mapping of str to float
        Undelayed score of each model, in one unit, > 0.
    on_progress : callable(what, done, total), optional

    Raises
    ------
    InvalidValue
        If a score is missing, not above 0, or the only one.

    >>> from rtsim.planning.environment import WorstCase
    >>> from rtsim.scenario import Scenario
    >>> def of(time):
    ...     return PlanDesign(Scenario("max_time", time, step_time=0.02, steps=500), WorstCase(1.0), 1, seeds=2,
    ...         alg=("one_step_lag",))
    >>> found = break_even({"small": of("19ms"), "large": of("39ms")}, {"small": 0.45, "large": 1.0})[0]
    >>> round(found.p_minimax, 6)  # 0.45 p = 1.0 p²/2
    0.9
    """
    if set(designs) != set(scores) or len(scores) < 2:
        raise InvalidValue("the break-even needs a score of each of at least two models")
    for model, score in scores.items():
        if not 0 < score < np.inf:
            raise InvalidValue(f"score {score:g} of {model} must be > 0")
    tell = on_progress or (lambda what, done, total: None)
    rows: dict[str, list[Row]] = {}
    for number, (model, design) in enumerate(designs.items()):
        rows[model] = []
        for variant in design.variants:
            tell(f"{model}: {variant.key}", number, len(designs))
            numbers = worker_numbers(variant, design.base, design.max_workers)
            rows[model] += [predict(design, variant, workers) for workers in numbers]
    ranked = sorted(scores, key=lambda model: -scores[model])
    return [_pair(designs, rows, scores, *pair) for pair in zip(ranked, ranked[1:], strict=False)]


def _pair(
    designs: Mapping[str, PlanDesign],
    rows: Mapping[str, list[Row]],
    scores: Mapping[str, float],
    better: str,
    other: str,
) -> BreakEven:
    """The break-even of two models, the higher score first."""
    levels = np.linspace(0.0, 1.0, LEVELS)
    earned = {model: scores[model] * _earned(rows[model], levels) for model in (better, other)}
    first, second = (earned[model].max(axis=0) for model in (better, other))
    swaps = _swaps(first, second)
    at = swaps[-1][1] if swaps else LEVELS - 1
    best = {model: _fewest(rows[model], earned[model][:, at]) for model in (better, other)}
    # Where they never change places, the sum has the sign of all; at 1 alone, equal scores may earn the same.
    wins = (first - second)[at] if swaps else (first - second).sum()
    above, below = (better, other) if wins >= 0 else (other, better)
    if not swaps:
        return BreakEven(better, other, best[better], best[other], None, None, above)
    *also, last = (_between(first - second, levels, *swap) for swap in swaps)
    ways = {model: _runs(designs[model], best[model]) for model in (better, other)}
    found = [_crossing(scores[better] * a, scores[other] * b, levels) for a, b in zip(*ways.values(), strict=True)]
    known = [value for value in found if value is not None]
    mean, interval = mean_interval(known) if len(known) == len(found) else (last, None)
    return BreakEven(above, below, best[above], best[below], mean, interval, also=tuple(also[::-1]))


def _fewest(rows: Sequence[Row], earned: Floats) -> Row:
    """Of the rows that earn as much as the best, but for :data:`~rtsim.planning.rows.TIE`, the fewest workers' best."""
    alike = [(row.workers, -value, n) for n, (row, value) in enumerate(zip(rows, earned, strict=True))]
    return rows[min(each for each in alike if -each[1] >= (1.0 - TIE) * earned.max() - 1e-12)[-1]]


def _earned(rows: Sequence[Row], levels: Floats) -> Floats:
    """(1 − q) E[p^k] of each row at each level; shape (rows, levels)."""
    found = []
    for row in rows:
        assert row.prediction is not None
        found.append((1.0 - row.prediction.inaction) * _power_mean(row.prediction.delays, levels))
    return np.array(found)


def _power_mean(delays: Floats, levels: Floats | float) -> Floats:
    return np.asarray(np.polynomial.polynomial.polyval(levels, delays))


def _runs(design: PlanDesign, row: Row) -> list[Floats]:
    """Coefficients of (1 − q) E[p^k] in p, seed by seed."""
    assert row.variant is not None
    seeds = range(design.base.seed, design.base.seed + design.seeds)
    found = runs(row.variant.scenario(design.base, row.workers), seeds, design.base.steps)
    return [(1.0 - run.inaction) * run.delays for run in found]


def _crossing(first: Floats, second: Floats, levels: Floats) -> float | None:
    """The largest p in 0..1 at which two polynomials cross, or None."""
    from scipy.optimize import brentq

    swaps = _swaps(_power_mean(first, levels), _power_mean(second, levels))
    if not swaps:
        return None
    low, high = levels[[*swaps[-1]]]
    return float(brentq(lambda p: float(_power_mean(first, p) - _power_mean(second, p)), low, high))


def _between(ahead: Floats, levels: Floats, low: int, high: int) -> float:
    """Where a difference is 0 between two levels, on a straight line."""
    share = ahead[low] / (ahead[low] - ahead[high])
    return float(levels[low] + share * (levels[high] - levels[low]))


def _swaps(first: Floats, second: Floats) -> list[tuple[int, int]]:
    """Pairs of levels above 0, next to each other but for such as tell nothing, between which the sign changes."""
    ahead = first - second
    told = np.flatnonzero(np.abs(ahead) > ROUNDING * (first + second))
    told = told[told > 0].tolist()
    return [(low, high) for low, high in pairwise(told) if np.sign(ahead[low]) != np.sign(ahead[high])]
