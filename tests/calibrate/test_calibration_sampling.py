"""When sampling stops, on a clock that only the operation moves; and how precise a mean is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy.signal import lfilter

from rtsim.calibrate import relative_precision
from rtsim.calibrate.sampling import Limits, sample
from rtsim.timing.profiles import Samples
from rtsim.timing.units import NS

MS = NS // 1000


class Bench:
    """An operation of given durations, and the clock that it moves."""

    def __init__(self, durations: Iterable[int]) -> None:
        self.now = 0
        self.durations = iter(durations)
        self.reports: list[tuple[str, int, float, float | None]] = []

    def run(self) -> int:
        duration = next(self.durations)
        self.now += duration
        return duration

    def sample(self, goal: float = 0.01, limit_s: float = 60.0, least: int = 10, most: int = 1000) -> Samples:
        return sample(
            self.run,
            Limits(goal, limit_s, least, most),
            report=lambda *report: self.reports.append(report),
            clock=lambda: self.now,
        )


def test_sample_constant_time_stops_at_min_samples() -> None:
    result = Bench(itertools.repeat(5 * MS)).sample(least=10)
    assert result.samples_ns == (5 * MS,) * 10
    assert result.warmup_ns == (5 * MS,) * 10
    assert result.note == "stopped at the precision goal; mean ±0 % (95 %, batch means), goal 1 %"


def test_sample_slow_operation_keeps_three_after_two_warmups() -> None:
    result = Bench(itertools.count(100 * NS, NS)).sample(limit_s=60.0)
    assert result.warmup_ns == (100 * NS, 101 * NS)
    assert result.samples_ns == (102 * NS, 103 * NS, 104 * NS)
    assert result.note.startswith("stopped at the time limit of 60 s; mean ±")


def test_sample_time_limit_counts_the_warmup() -> None:
    # 10 s of limit, 1 s a run: 2 warm-ups (a tenth is used by the first), then 8 samples.
    result = Bench(itertools.cycle([NS, NS, NS // 2, 3 * NS // 2])).sample(limit_s=10.0, least=100)
    assert (len(result.warmup_ns), len(result.samples_ns)) == (2, 8)


def test_sample_warmup_stops_at_a_tenth_of_the_limit() -> None:
    assert len(Bench(itertools.repeat(10 * MS)).sample(limit_s=0.5).warmup_ns) == 5


def test_sample_noisy_operation_stops_at_max_samples() -> None:
    result = Bench(itertools.cycle([MS, 9 * MS])).sample(goal=1e-6, most=39, least=3)
    assert len(result.samples_ns) == 39
    assert "max_samples 39" in result.note


def test_sample_settling_operation_stops_between_looks_a_tenth_apart() -> None:
    # Alternating 1 and 3 ms: s = 1 ms and mean 2 ms, so t·s/(mean·√n) <= 0.2 first at n = 28 of
    # single samples (t(27) = 2.052); looks are at 11, 13, 15, 17, 19, 21, 24, 27, 30.
    result = Bench(itertools.cycle([MS, 3 * MS])).sample(goal=0.2, least=11)
    assert len(result.samples_ns) == 30


def test_sample_reports_at_most_ten_a_second_and_the_end() -> None:
    bench = Bench(itertools.repeat(MS))
    result = bench.sample(goal=1e-9, least=500, most=500)
    times = [elapsed for _, _, elapsed, _ in bench.reports]
    assert len(times) <= 2 + 10 * times[-1]
    assert bench.reports[0] == ("warm-up", 0, 0.0, None)
    assert bench.reports[-1] == ("done", len(result.samples_ns), 0.51, 0.0)
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in itertools.pairwise(times[:-1]))


def test_sample_interrupt_passes_through() -> None:
    def broken() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(broken, Limits(0.01, 1.0, 3, 10))


def test_relative_precision_three_samples_is_the_textbook_interval() -> None:
    # Student's t(0.975; 2) = 4.302653 (table); s = 10; 4.302653 · 10/√3 / 100.
    assert relative_precision([90, 100, 110]) == pytest.approx(0.2484138, rel=1e-6)


def test_relative_precision_sixty_samples_uses_twenty_batches() -> None:
    # Batches of three with means 90 and 110 in turn: s = 10·√(20/19), t(0.975; 19) = 2.093024.
    samples = [x for i in range(20) for x in ([80, 90, 100] if i % 2 else [100, 110, 120])]
    expected = 2.093024 * 10 * math.sqrt(20 / 19) / math.sqrt(20) / 100
    assert relative_precision(samples) == pytest.approx(expected, rel=1e-6)
    # Left-over first samples do not move the batches.
    assert relative_precision([1, 10**6, *samples]) == pytest.approx(expected, rel=1e-6)


def test_relative_precision_one_sample_is_infinite() -> None:
    assert relative_precision([5]) == math.inf


def test_relative_precision_correlated_samples_covers_the_mean() -> None:
    """95 % intervals hold the true mean nearly that often though samples are correlated.

    AR(1) with coefficient 0.9, 2000 samples, 500 series, seed 0. Batches of 100 have means of
    correlation about 0.05, so true coverage is at least 0.92; below 0.85 has a probability under
    1e-6 (binomial, 5.8 standard deviations). Treating samples as independent covers 0.35.
    """
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(500, 2200))
    series = 100 + lfilter([1.0], [1.0, -0.9], noise, axis=1)[:, 200:]
    inside = [abs(x.mean() - 100) <= relative_precision(list(x)) * x.mean() for x in series]
    assert np.mean(inside) > 0.85
