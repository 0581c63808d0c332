"""Live and simulated statistics in one picture: what is drawn is what is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rtsim.errors import InvalidValue
from rtsim.pictures import agreement_rows, delays_rows, plot_agreement, plot_delays


def row(quantity: str, live: float | None, simulated: float | None) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "live": live,
        "live_ci99": None if live is None else [live - 0.05, live + 0.05],
        "simulated": simulated,
        "simulated_ci99": None if simulated is None else [simulated - 0.01, simulated + 0.01],
    }


def plan(name: str, group: str, inaction: float, delay: float | None) -> dict[str, Any]:
    rows = [row("inaction fraction", inaction, inaction + 0.02), row("delay, mean", delay, delay)]
    return {
        "name": name,
        "group": group,
        "rule": "max_time(initial_max=p99.9)",
        "rows": rows,
        "delay_distance": 0.1,
        "live_delays": [0, 0, 0.25, 0.75],
        "simulated_delays": [0, 0, 0.3, 0.6, 0.1],
    }


PLANS = [plan("a one", "a", 0.1, 5.0), plan("a two", "a", 0.3, 7.0), plan("b one", "b", 1.0, None)]


def test_agreement_shows_live_squares_and_simulated_lines_at_their_values() -> None:
    left, right = plot_agreement(PLANS).axes
    squares = [line for line in left.get_lines() if line.get_marker() == "s"]
    assert [line.get_xdata()[0] for line in squares] == [0.1, 0.3, 1.0]
    assert all(line.get_markerfacecolor() == "none" for line in squares)
    # The simulated mean is an upright stroke at the height of its square.
    strokes = [line for line in left.get_lines() if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 0]
    assert [line.get_xdata()[0] for line in strokes] == pytest.approx([0.12, 0.32, 1.02])
    assert [np.mean(line.get_ydata()) for line in strokes] == pytest.approx([line.get_ydata()[0] for line in squares])
    # A plan whose agent never acted has no delay.
    assert len([line for line in right.get_lines() if line.get_marker() == "s"]) == 2
    assert [label.get_text() for label in left.get_yticklabels()] == ["a one", "a two", "b one"]


def test_delays_show_every_step_that_occurs_in_either() -> None:
    (axes,) = plot_delays(PLANS[:1]).axes
    (live,) = [line for line in axes.get_lines() if line.get_marker() == "s"]
    assert list(live.get_xdata()) == [2, 3, 4]
    assert list(live.get_ydata()) == [0.25, 0.75, 0.0]
    (stairs,) = axes.patches
    assert list(stairs.get_data().values) == [0.3, 0.6, 0.1]


def test_rows_hold_what_is_drawn() -> None:
    assert [found["live"] for found in agreement_rows(PLANS)] == [0.1, 5.0, 0.3, 7.0, 1.0, None]
    assert delays_rows(PLANS[:1])[0] == {"plan": "a one", "delay_steps": 2, "live_share": 0.25, "simulated_share": 0.3}


@pytest.mark.parametrize("plot", [plot_agreement, plot_delays])
def test_nothing_to_draw_is_said(plot: Any) -> None:
    with pytest.raises(InvalidValue, match="no plans"):
        plot([])
