"""Repeat one operation until its mean time is known precisely enough.

The precision is the 95 % half-width of the mean relative to the mean, from the means of 20
non-overlapping batches of successive samples (Schmeiser 1982; Law, *Simulation Modeling and
Analysis*, 5th ed., Sec. 9.5.3), which stays honest when successive times are correlated, as
they are on a machine that others use. It cannot see drifts longer than the measurement.

Looking after every sample and stopping at the first good look would stop too early too
often; the precision is looked at when the number of samples has grown by a tenth.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from rtsim.timing.profiles import Samples
from rtsim.timing.units import NS

#: Batches of successive samples; 10 to 30 are advised (Schmeiser 1982).
BATCHES = 20
#: Fewest samples that a measurement keeps, however slow the operation is.
FEWEST_SAMPLES = 3
#: Two runs, because the first learning step allocates the optimiser's state and the second is
#: the first of its kind; more while they cost less than a tenth of the time limit.
FEWEST_WARMUPS, MOST_WARMUPS = 2, 10
#: Seconds between two reports of progress.
REPORT_EVERY_S = 0.1


@dataclass(frozen=True)
class Limits:
    """When to stop; see the fields of the same names in ``CalibrationPlan``."""

    precision_goal: float
    time_limit_s: float
    min_samples: int
    max_samples: int


def relative_precision(samples_ns: Sequence[int]) -> float:
    """95 % half-width of the mean, as a fraction of the mean, by non-overlapping batch means.

    Parameters
    ----------
    samples_ns : sequence of int, shape (n,), nanoseconds, > 0
        In the order measured. The first ``n mod 20`` are left out, so that batches are equal;
        below 40 samples a batch is one sample.

    Returns
    -------
    float
        ``t(0.975; b - 1) · s / √b / mean`` for b batch means of standard deviation s;
        infinite for fewer than two samples.

    >>> relative_precision([100, 100, 100])
    0.0
    >>> round(relative_precision([90, 100, 110]), 3)
    0.248
    """
    n = len(samples_ns)
    if n < 2:
        return math.inf
    values = np.asarray(samples_ns, dtype=np.float64)
    if n >= 2 * BATCHES:
        size = n // BATCHES
        values = values[n - size * BATCHES :].reshape(BATCHES, size).mean(axis=1)
    count = len(values)
    half_width = float(stdtrit(count - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(count)
    return half_width / float(values.mean())


def sample(
    time_once: Callable[[], int],
    limits: Limits,
    *,
    report: Callable[[str, int, float, float | None], None] = lambda stage, n, elapsed_s, precision: None,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Samples:
    """Warm up, then sample until the precision goal, the time limit or ``max_samples``.

    Parameters
    ----------
    time_once : callable
        Runs the operation once and returns its duration, int nanoseconds, > 0.
    limits : Limits
        When to stop.
    report : callable, optional
        Gets the stage (``"warm-up"``, ``"measure"`` or ``"done"``), samples so far, elapsed seconds and
        the relative precision or None; called between runs, never inside one.
    clock : callable, optional
        Int nanoseconds, monotone; for the time limit only.

    Returns
    -------
    Samples
        Its note says why sampling stopped and the precision reached.
    """
    begin = clock()
    limit = int(limits.time_limit_s * NS)
    reporter = _Throttled(report, clock, begin)
    warmup: list[int] = []
    reporter("warm-up", 0, None)
    while len(warmup) < FEWEST_WARMUPS or (len(warmup) < MOST_WARMUPS and clock() - begin < limit // 10):
        warmup.append(time_once())
        reporter("warm-up", len(warmup), None)

    samples: list[int] = []
    look_at = limits.min_samples
    reason = ""
    while not reason:
        samples.append(time_once())
        n = len(samples)
        if n >= look_at:
            look_at = math.ceil(1.1 * n)
            if relative_precision(samples) <= limits.precision_goal:
                reason = "the precision goal"
        if not reason and n >= limits.max_samples:
            reason = f"max_samples {limits.max_samples}"
        if not reason and n >= FEWEST_SAMPLES and clock() - begin >= limit:
            reason = f"the time limit of {limits.time_limit_s:g} s"
        reporter("measure", n, samples)
    reporter("done", len(samples), samples, force=True)
    note = (
        f"stopped at {reason}; mean ±{100 * relative_precision(samples):.2g} % "
        f"(95 %, batch means), goal {100 * limits.precision_goal:g} %"
    )
    return Samples(tuple(samples), tuple(warmup), note)


class _Throttled:
    """Passes reports on at most every :data:`REPORT_EVERY_S`, so that they do not disturb."""

    def __init__(
        self,
        report: Callable[[str, int, float, float | None], None],
        clock: Callable[[], int],
        begin: int,
    ) -> None:
        self._report = report
        self._clock = clock
        self._begin = begin
        self._next = begin

    def __call__(self, stage: str, count: int, samples: Sequence[int] | None, *, force: bool = False) -> None:
        now = self._clock()
        if now < self._next and not force:
            return
        self._next = now + int(REPORT_EVERY_S * NS)
        precision = relative_precision(samples) if samples is not None and len(samples) > 1 else None
        self._report(stage, count, (now - self._begin) / NS, precision)
