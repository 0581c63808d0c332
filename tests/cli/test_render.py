"""Numbers in tables."""

from __future__ import annotations

import pytest

from rtsim.cli import plan_tables, render, replay
from rtsim.intervals import mean_ci95


def test_interval_of_runs_that_differ_by_rounding_alone_is_zero():
    mean, interval = mean_ci95([0.1 + 0.2, 0.3, 0.3])
    assert interval is not None
    assert 0 < interval[1] - interval[0] < 1e-15
    assert plan_tables._half(interval) == " ± 0"
    assert replay._value(mean, interval) == "0.3 ± 0"
    # Of times in whole ns, in ms: the means of two runs differ by less than one.
    mean, interval = mean_ci95([33.3333333, 33.3333330])
    assert replay._value(mean, interval) == "33.33 ± 0"


@pytest.mark.parametrize(("half", "mean"), [(1e-4, 33.33), (1e-9, 0.0), (2e-7, 1.0), (0.4, -7.558)])
def test_interval_that_is_more_than_rounding_keeps_its_digits(half: float, mean: float):
    assert render.plus_minus(half, mean) == f" ± {half:.2g}"
