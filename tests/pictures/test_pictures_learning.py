"""Learning figures as pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from rtsim.errors import InvalidValue
from rtsim.pictures import learning_rows, plot_progress, plot_scores, save_figure, style


@dataclass(frozen=True)
class Point:
    panel: str
    method: str
    delay_steps: int = 0
    score: float | None = 1.0
    score_ci95: tuple[float, float] | None = None
    parameters: int = 0
    depth: int = 15
    budget_steps: int = 1000
    step: int = 1000
    seeds: int = 3
    seconds: float = 20.0
    actions: float = 500.0
    reward: float = 10.0
    reward_ci95: tuple[float, float] | None = None


SIZES = {5: 10**6, 70: 10**8, 29: 10**6}


def late(method: str, delay: int, score: float | None, depth: int = 15) -> Point:
    interval = None if score is None else (score - 1, score + 2)
    return Point("blocks", method, delay, score, interval, SIZES[delay], depth)


@pytest.fixture
def scores() -> list[Point]:
    return [
        Point("blocks", "noop", score=0.5),
        Point("blocks", "random", score=1.5),
        Point("blocks", "no delay", score=9.0),
        late("sequential", 5, 4.0),
        late("max_time", 5, 8.0),
        late("sequential", 70, 1.0),
        late("max_time", 70, 6.0),
        late("max_time", 29, 7.0, depth=30),
        Point("mdp:inaction", "sequential", 5, 0.2, None, 10**6),
    ]


def test_scores_stand_over_their_sizes_and_begin_without_delay(scores) -> None:
    figure = plot_scores(scores, units={"blocks": "lines"}, human={"blocks": 12.0})
    left, right = figure.axes
    found = {str(c.get_label()): c for c in left.containers if isinstance(c, ErrorbarContainer)}
    assert list(found) == ["no delay", "sequential", "max_time", "max_time,\n30 convolutions"]
    undelayed = found.pop("no delay")[0]  # one training: one marker, at which the lines begin
    assert (list(undelayed.get_xdata()), list(undelayed.get_ydata())) == ([0], [9.0])
    assert {tuple(bars[0].get_xydata()[0]) for bars in found.values()} == {(0.0, 9.0)}
    assert all(bars[0].get_markevery() == slice(1, None) for bars in found.values())
    line = found["sequential"][0]
    np.testing.assert_array_equal(np.round(np.asarray(line.get_xdata(), float)), [0, 1, 2])
    np.testing.assert_array_equal(line.get_ydata(), [9, 4, 1])
    assert line.get_color() == style.colour("sequential")
    low, high = found["max_time"][2][0].get_segments()[2][:, 1]
    assert (low, high) == (5.0, 8.0)
    np.testing.assert_array_equal(
        np.round(np.asarray(found["max_time,\n30 convolutions"][0].get_xdata(), float)), [0, 1]
    )
    # Side by side, in any order that does not hide one behind the other.
    assert len({bars[0].get_xdata()[1] for bars in found.values()}) == 3
    assert [text.get_text() for text in left.get_xticklabels()] == ["no delay\n0", "1M\n5 / 29", "100M\n70"]
    across = {
        str(ax_line.get_label()): ax_line.get_ydata()[0]
        for ax_line in left.get_lines()
        if len(ax_line.get_xdata()) == 2
    }
    assert {name: across[name] for name in ("noop", "random", "people")} == {"noop": 0.5, "random": 1.5, "people": 12.0}
    assert left.get_ylabel() == "lines"
    assert right.get_title(loc="left").startswith("mdp:inaction")


def test_places_without_a_panel_stay_empty(scores) -> None:
    figure = plot_scores([*scores, replace(scores[-1], panel="mdp:jump")])
    assert [ax.get_visible() for ax in figure.axes] == [True, True, True, False]


def test_optimum_is_drawn_where_the_delays_are(scores) -> None:
    figure = plot_scores(scores, optimum={"mdp:inaction": {"optimum, sequential": [(0, 1.0), (5, 0.2)]}})
    line = next(line for line in figure.axes[1].get_lines() if line.get_label() == "optimum, sequential")
    np.testing.assert_array_equal(line.get_xdata(), [0, 1])
    assert line.get_color() == "black"


def test_last_step_counts_and_missing_scores_leave_no_mark(scores) -> None:
    early = replace(scores[3], step=10, score=100.0)
    none = late("exp_time", 5, None)
    figure = plot_scores([early, *scores, none])
    found = {str(c.get_label()): c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)}
    assert found["sequential"][0].get_ydata()[1] == 4.0
    assert "exp_time" not in found


@pytest.mark.parametrize("over, end", [("time", 20.0), ("actions", 500.0)])
def test_progress_begins_at_nothing_and_has_bands(over: str, end: float) -> None:
    points = [
        replace(
            Point("walk", method),
            step=step,
            seconds=step / 50,
            actions=step / 2,
            reward=step / k,
            reward_ci95=(0, step),
        )
        for k, method in enumerate(("noop", "sequential", "max_time, parallel learning"), 1)
        for step in (500, 1000)
    ]
    (ax,) = plot_progress(points, over=over).axes
    lines = {str(line.get_label()): line for line in ax.get_lines()}
    assert ("noop" in lines) == (over == "time")
    np.testing.assert_array_equal(lines["sequential"].get_xdata(), [0, end / 2, end])
    np.testing.assert_array_equal(lines["sequential"].get_ydata(), [0, 250, 500])
    assert len(ax.collections) == 2
    with pytest.raises(InvalidValue, match="over 'steps' must be 'time' or 'actions'"):
        plot_progress(points, over="steps")


def test_rows_are_what_is_drawn_and_nothing_is_an_error(scores, tmp_path) -> None:
    rows = learning_rows(scores)
    assert rows[3]["score"] == 4.0
    assert (rows[3]["score_ci95_low"], rows[3]["score_ci95_high"]) == (3.0, 6.0)
    picture, table = save_figure(plot_scores(scores, title="Figure $5"), tmp_path / "scores.png", rows)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert len(table.read_text().splitlines()) == 1 + len(scores)
    for plot in (plot_scores, plot_progress):
        with pytest.raises(InvalidValue, match="no results to draw"):
            plot([])
