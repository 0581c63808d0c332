"""One quantity of live runs beside that of simulated ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsim.intervals import Interval, mean_interval

#: Half of the 99 % interval of live runs from which on they cannot tell: as a share of the mean, and for fractions.
WIDE, WIDE_FRACTION = 0.5, 0.1


@dataclass(frozen=True)
class Row:
    """One quantity, simulated without the recorded durations and live.

    Attributes
    ----------
    quantity, unit : str
        Fractions have no unit.
    live, simulated : float or None
        Mean over the runs; None if there was nothing to measure.
    live_ci99, simulated_ci99 : (float, float) or None
        99 % Student t interval of that mean, for fractions cut to 0..1; None for a single run.
    error : float or None
        Simulated minus live, in the unit.
    relative_error : float or None
    within : bool or None
        Whether the simulated mean lies in the interval of the live runs.
    unseen : tuple of (float or None)
        Simulated minus live in each half of the runs, simulated from the times of the other half; empty if there is
        but one run. Where the halves differ these differ in sign, and cancel in ``error``.
    """

    quantity: str
    unit: str
    live: float | None
    live_ci99: Interval | None
    simulated: float | None
    simulated_ci99: Interval | None
    error: float | None
    relative_error: float | None
    within: bool | None
    unseen: tuple[float | None, ...] = ()

    @property
    def tells(self) -> bool | None:
        """Whether the runs are alike enough to tell: nearly everything lies within a wide interval. None: one run."""
        if self.live is None or self.live_ci99 is None:
            return None
        return half_width(self.live, self.live_ci99) <= (WIDE * abs(self.live) if self.unit else WIDE_FRACTION)


def half_width(mean: float, interval: Interval | None) -> float:
    """Half of an interval around a mean, also where an end of it was cut off; 0 without an interval.

    >>> half_width(0.75, (0.5, 1.0)), half_width(0.25, (0.0, 0.75)), half_width(1.0, None)
    (0.25, 0.5, 0.0)
    """
    return 0.0 if interval is None else max(interval[1] - mean, mean - interval[0])


def row_of(quantity: str, unit: str, live: list[float], simulated: list[float]) -> Row:
    """The row of a quantity's values in each live and each simulated run; NaN where there was nothing to measure."""
    (real, there), (computed, here) = _mean99(live, unit), _mean99(simulated, unit)
    error = None if real is None or computed is None else computed - real
    return Row(
        quantity,
        unit,
        real,
        there,
        computed,
        here,
        error,
        relative_error=error / real if error is not None and real else None,
        within=None if there is None or computed is None else there[0] <= computed <= there[1],
    )


def _mean99(values: list[float], unit: str) -> tuple[float | None, Interval | None]:
    """A run in which the agent hardly acted has no interaction times, and is left out."""
    found = [value for value in values if np.isfinite(value)]
    if not found:
        return None, None
    mean, interval = mean_interval(found, 0.99)
    if interval is not None and not unit:
        interval = max(interval[0], 0.0), min(interval[1], 1.0)
    return mean, interval
