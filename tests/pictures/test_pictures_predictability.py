"""Shares and rewards against delay, with the p that explains them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from rtsim.delay_curve import DelayCurve, Point
from rtsim.experiments.branches import Effort
from rtsim.experiments.effective_p import Effective, Share
from rtsim.experiments.predictability import Ahead, Predictability
from rtsim.pictures import plot_predictability, predictability_rows, save_figure

DELAYS = (1, 4)


def found(rewards: float | None = 0.8) -> Predictability:
    """By hand: shares fall as powers of 0.9 and 0.95 but for the first, whose interval is wide."""
    points = [
        Ahead(under, k, Share(0.9**k, (0.9**k - 0.1, 0.9**k + 0.05), 1.0), Share(0.95**k, None, 1.0), 0.0)
        for under in ("default", "policy")
        for k in DELAYS
    ]
    curve = DelayCurve((Point(0, 3.0, 0.1), Point(1, 2.6, 0.2), Point(4, 1.9, 0.2)), "game", 60.0, 1.0, 0.1)
    nine, more = Effective(0.9, (0.85, 0.95)), Effective(0.95, (0.9, 1.0))
    return Predictability(
        "game",
        60.0,
        Effort(delays=DELAYS),
        32,
        16,
        tuple(points),
        {"default": nine, "policy": nine},
        {"default": more, "policy": more},
        Effective(rewards, None if rewards is None else (0.7, 0.9)),
        curve,
    )


def bars(ax: Any) -> dict[str, ErrorbarContainer]:
    return {str(c.get_label()): c for c in ax.containers if isinstance(c, ErrorbarContainer)}


def test_markers_stand_at_the_shares_and_lines_are_powers_of_p() -> None:
    left, right = plot_predictability(found()).axes
    drawn = bars(left)
    assert len(drawn) == 4
    label = "same observation, default policy: p = 0.9"
    assert drawn[label][0].get_ydata().tolist() == pytest.approx([0.9, 0.9**4])
    # Markers stand side by side, within a tenth of a step per step of the longest delay.
    for container in drawn.values():
        assert np.abs(np.asarray(container[0].get_xdata()) - DELAYS).max() < 0.1
    lines = {line.get_gid(): line for line in [*left.lines, *right.lines] if line.get_gid()}
    for name, p in (("fit observation policy", 0.9), ("fit best_action default", 0.95)):
        x, y = lines[name].get_data()
        assert np.allclose(y, p ** np.asarray(x))
    x, y = lines["fit rewards"].get_data()
    assert np.allclose(y, 1 + 2 * 0.8 ** np.asarray(x))  # from 3 down towards the default policy's 1
    (late,) = bars(right).values()
    assert late[0].get_ydata().tolist() == [3.0, 2.6, 1.9]


def test_without_an_advantage_there_is_no_line_of_rewards() -> None:
    figure = plot_predictability(found(rewards=None), title="costs $5")
    assert "fit rewards" not in {line.get_gid() for line in figure.axes[1].lines}
    assert all(row["fit"] is None for row in predictability_rows(found(rewards=None)) if "reward" in row["what"])


def test_rows_are_what_is_drawn_and_are_saved_beside_it(tmp_path: Path) -> None:
    rows = predictability_rows(found())
    assert len(rows) == 4 * len(DELAYS) + 3
    assert rows[1]["fit"] == pytest.approx(0.9**4)
    assert (rows[0]["ci95_low"], rows[0]["ci95_high"]) == (pytest.approx(0.8), pytest.approx(0.95))
    assert save_figure(plot_predictability(found()), tmp_path / "a.svg", rows)[1].read_text().count("\n") == 12
