"""When simulation and life agree: the limits, and the verdict on one plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtsim.intervals import Interval
from rtsim.live.agreement import Agreement, Row

#: Least share of steps with the same source, simulated from the recorded durations, in every run.
IDENTICAL = 0.999
#: Largest difference of the inaction fractions, unless the runs themselves differ more.
INACTION = 0.01
#: Largest relative differences of the mean interaction time and of the mean delay.
INTERACTION_TIME, DELAY = 0.02, 0.03

AGREES, SPREAD, DIFFERS = "agrees", "within the spread", "differs"


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Attributes
    ----------
    name : str
    value : float or None
        What was found: a share, or a difference, simulated less live; None if there was nothing to measure.
    limit : float
        At least this share, or a difference of at most this size.
    holds : bool or None
        None where there was nothing to measure, neither live nor simulated: an agent that never acts has no delay.
    within_runs : bool or None
        Where a difference is too large: whether it is still no larger than half the 99 % interval of the
        mean of the live runs, so that these runs cannot tell.
    """

    name: str
    value: float | None
    limit: float
    holds: bool | None
    within_runs: bool | None = None


def checks(found: Agreement) -> tuple[Check, ...]:
    """What must hold of a plan: the same sources, inaction, mean interaction time and mean delay."""
    rows = {row.quantity: row for row in found.rows}
    least = min(one.share for one in found.identities)
    inaction = rows["inaction fraction"]
    return (
        Check("identical source", least, IDENTICAL, least >= IDENTICAL),
        _difference(inaction, inaction.error, max(INACTION, _half(inaction.live_ci99))),
        _relative(rows["interaction time, mean"], INTERACTION_TIME),
        _relative(rows["delay, mean"], DELAY),
    )


def verdict(found: Sequence[Check]) -> str:
    """All limits kept, or missed only by what the runs differ among themselves, or missed.

    >>> verdict([Check("a", 0.0, 0.1, True), Check("b", 0.2, 0.1, False, within_runs=True)])
    'within the spread'
    >>> verdict([Check("a", 0.5, 0.9, False)])
    'differs'
    """
    missed = [check for check in found if check.holds is False]
    if not missed:
        return AGREES
    return SPREAD if all(check.within_runs for check in missed) else DIFFERS


def _half(interval: Interval | None) -> float:
    return 0.0 if interval is None else (interval[1] - interval[0]) / 2


def _relative(row: Row, limit: float) -> Check:
    scale = abs(row.live) if row.live else None
    return _difference(row, row.relative_error, limit, scale)


def _difference(row: Row, error: float | None, limit: float, scale: float | None = 1.0) -> Check:
    if error is None or scale is None:
        return Check(row.quantity, error, limit, None if row.live is None and row.simulated is None else False)
    holds = abs(error) <= limit
    within = None if holds or row.live_ci99 is None else abs(error) <= _half(row.live_ci99) / scale
    return Check(row.quantity, error, limit, holds, within)
