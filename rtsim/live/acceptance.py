"""When simulation and life agree: the limits, and the verdict on one plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtsim.live.agreement import Agreement
from rtsim.live.rows import Row, half_width

#: Least share of steps with the same source, simulated from the recorded durations, in every run.
IDENTICAL = 0.999
#: Largest difference of the inaction fractions, unless the runs themselves differ more.
INACTION = 0.01
#: Largest relative differences of the mean interaction time and of the mean delay.
INTERACTION_TIME, DELAY = 0.02, 0.03

#: With a single run, what is off by more than this is named.
FAR = 0.1

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
        _difference(inaction, inaction.error, max(INACTION, _half(inaction))),
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


def in_words(found: Agreement) -> list[str]:
    """What an agreement report comes to, a sentence each: the recorded durations, then without them."""
    least = min(one.share for one in found.identities)
    same = "came out the same" if least == 1 else f"came out the same in at least {100 * least:.3f} % of the steps"
    enough = "" if least == 1 else ", which is enough" if least >= IDENTICAL else f", fewer than {100 * IDENTICAL:g} %"
    told = [f"Simulated with the recorded durations: {'the run' if found.runs == 1 else 'every run'} {same}{enough}."]
    rows = [row for row in found.rows if row.error is not None]
    if not rows:
        return [*told, "Simulated without them: the agent never acted, so there is nothing to compare."]
    if found.runs == 1:
        off = [f"{row.quantity} ({_off(row)})" for row in rows if _far(row)]
        what = (
            f"off by more than {100 * FAR:g} %: {', '.join(off)}"
            if off
            else f"nothing is off by more than {100 * FAR:g} %"
        )
        return [*told, f"Simulated without them: one run: no spread to compare with; {what}."]
    groups = {
        "within the 99 % interval of the runs": [row.quantity for row in rows if row.tells and row.within],
        "outside of it": [f"{row.quantity} ({_off(row)})" for row in rows if row.tells and not row.within],
        "too few or too different runs to tell": [row.quantity for row in rows if not row.tells],
    }
    parts = [f"{name}: {', '.join(quantities)}" for name, quantities in groups.items() if quantities]
    return [*told, f"Simulated without them: {'; '.join(parts)}."]


def _far(row: Row) -> bool:
    """A fraction near 0 doubles easily: it is far off by more than one in a hundred besides."""
    assert row.error is not None
    relative = row.relative_error is None or abs(row.relative_error) > FAR
    return row.error != 0 and relative and (bool(row.unit) or abs(row.error) > INACTION)


def _off(row: Row) -> str:
    return (
        f"{row.error:+.3g} {row.unit}".strip() if row.relative_error is None else f"{100 * row.relative_error:+.1f} %"
    )


def _half(row: Row) -> float:
    return 0.0 if row.live is None else half_width(row.live, row.live_ci99)


def _relative(row: Row, limit: float) -> Check:
    scale = abs(row.live) if row.live else None
    return _difference(row, row.relative_error, limit, scale)


def _difference(row: Row, error: float | None, limit: float, scale: float | None = 1.0) -> Check:
    if error is None or scale is None:
        return Check(row.quantity, error, limit, None if row.live is None and row.simulated is None else False)
    holds = abs(error) <= limit
    within = None if holds or row.live_ci99 is None else abs(error) <= _half(row) / scale
    return Check(row.quantity, error, limit, holds, within)
