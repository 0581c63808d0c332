"""Trends, computed from tables made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtsim.studies import find
from rtsim.studies.trends import LESS_PREDICTABLE, extras, trends
from tests.studies.test_tables import ROW


def table(sequential: float, staggered: float, spread: float = 0.1) -> list:
    rows = []
    for seed in range(3):
        for method, score in (("noop", 0.0), ("random", 1.0), ("no delay", 10.0)):
            rows.append(replace(ROW, method=method, delay_steps=0, seed=seed, score=score))
        for delay, low, high in ((5, 6.0, 9.0), (596, sequential, staggered)):
            noise = spread * (seed - 1)
            rows.append(replace(ROW, method="sequential", delay_steps=delay, seed=seed, score=low + noise))
            rows.append(replace(ROW, method="max_time", delay_steps=delay, seed=seed, score=high - noise))
    return rows


def test_sequential_falls_and_staggered_stays_where_the_numbers_say_so() -> None:
    (found,) = trends(find(5), table(1.05, 5.0))
    assert (found.reference, found.no_delay, found.delays) == (1.0, 10.0, (5, 596))
    assert found.sequential == pytest.approx((6.0, 1.05))
    assert found.staggered == pytest.approx((9.0, 5.0))
    # Paired differences at 596 are 4.15, 3.95, 3.75: the interval is 4.3027 · 0.2/√3 wide to either side.
    low, high = found.ahead[1].ci95
    assert (high - low) / 2 == pytest.approx(4.3027 * 0.2 / 3**0.5, rel=1e-4)
    assert (found.falls, found.stays, found.wins) == (True, True, (5, 596))


def test_what_the_interval_does_not_tell_is_no_trend() -> None:
    (found,) = trends(find(5), table(2.0, 2.1, spread=0.5))
    assert (found.falls, found.stays) == (True, False)
    assert found.wins == (5,) or 596 not in found.wins
    (apart,) = trends(find(5), table(3.0, 3.0))
    assert (apart.falls, apart.stays) == (False, True)
    one = [row for row in table(1.0, 5.0) if row.seed == 0]
    (alone,) = trends(find(5), one)
    assert (alone.falls, alone.stays, alone.wins) == (None, None, ())


def test_unfinished_panels_have_no_trend() -> None:
    rows = [row for row in table(1.0, 5.0) if row.method != "max_time"]
    assert trends(find(5), rows) == []
    assert trends(find(5), []) == []


def test_what_delay_costs_more_is_the_difference_of_the_shares_lost() -> None:
    harder, easier = next(iter(LESS_PREDICTABLE.items()))
    rows = [replace(row, panel=easier) for row in table(1.0, 8.0)] + [
        replace(row, panel=harder, score=(row.score or 0.0) * 2) for row in table(1.0, 5.0)
    ]
    (found,) = extras(trends(find(5), rows))
    assert (found.panel, found.than, found.delays) == (harder, easier, (5, 596))
    # Without delay 10 and 20: lost are 0.1 in both at 5 steps, 0.2 and 0.5 at 596, with the same noise by seed.
    assert [lost.mean for lost in found.lost] == pytest.approx([0.0, 0.3])
    assert found.costlier == (596,)


def test_without_trainings_that_are_not_late_nobody_knows_what_delay_costs() -> None:
    harder, easier = next(iter(LESS_PREDICTABLE.items()))
    rows = [replace(row, panel=panel) for panel in (harder, easier) for row in table(1.0, 5.0)]
    assert extras(trends(find(5), [row for row in rows if row.method != "no delay"])) == []
    assert extras(trends(find(5), [row for row in rows if row.panel == harder])) == []
