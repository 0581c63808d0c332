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
    (found,) = trends(find(5), table(0.7, 5.0))
    assert (found.reference, found.no_delay, found.delays) == (1.0, 10.0, (5, 596))
    assert found.sequential == pytest.approx((6.0, 0.7))
    assert found.staggered == pytest.approx((9.0, 5.0))
    # Paired differences at 596 are 4.5, 4.3, 4.1: the interval is 4.3027 · 0.2/√3 wide to either side.
    low, high = found.ahead[1].ci95
    assert (high - low) / 2 == pytest.approx(4.3027 * 0.2 / 3**0.5, rel=1e-4)
    assert (found.falls, found.stays, found.wins) == (True, True, (5, 596))


def test_what_the_interval_does_not_tell_is_no_trend() -> None:
    # Both about twice the reference, but with half widths of 1.24.
    (found,) = trends(find(5), table(2.0, 2.1, spread=0.5))
    assert (found.falls, found.stays) == (None, None)
    assert 596 not in found.wins
    (below,) = trends(find(5), table(0.5, 0.6, spread=0.01))
    assert (below.falls, below.stays) == (True, False)
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
    rows = [replace(row, panel=easier) for row in table(1.0, 8.2)] + [
        replace(row, panel=harder, score=(row.score or 0.0) * 2) for row in table(1.0, 5.5)
    ]
    (found,) = extras(trends(find(5), rows))
    assert (found.panel, found.than, found.method, found.delays) == (harder, easier, "max_time", (5, 596))
    # Above the reference there are 9 and 18 without delay: of them 1/9 is lost at 5 steps in both, and 0.2 and 0.5 at
    # 596, with the same noise by seed.
    assert [lost.mean for lost in found.lost] == pytest.approx([0.0, 0.3], abs=1e-12)
    assert found.costlier == (596,)


@pytest.mark.parametrize("undelayed", [1.0, -3.0, None])
def test_where_nobody_is_better_than_the_references_nobody_knows_what_delay_costs(undelayed: float | None) -> None:
    harder, easier = next(iter(LESS_PREDICTABLE.items()))
    rows = [replace(row, panel=panel) for panel in (harder, easier) for row in table(1.0, 5.0)]
    others = [row for row in rows if row.method != "no delay"]
    late = [replace(row, score=undelayed) for row in rows if row.method == "no delay" and undelayed is not None]
    assert extras(trends(find(5), [*others, *late])) == []
    assert extras(trends(find(5), [row for row in rows if row.panel == harder])) == []


def test_delays_at_which_nothing_ever_acts_are_named() -> None:
    rows = [replace(row, step=100, default_steps=100 if row.delay_steps == 596 else 60) for row in table(1.0, 5.0)]
    (found,) = trends(find(5), rows)
    assert found.silent == (596,)
