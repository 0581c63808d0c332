"""Regret rate against inference time, and delay regret against delay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from rtsim.errors import InvalidValue
from rtsim.experiments import DelayLoss, RegretRate
from rtsim.pictures import (
    delay_regret_rows,
    plot_delay_regret,
    plot_regret_rate,
    regret_rate_rows,
    save_figure,
    style,
)


@pytest.fixture
def rates() -> list[RegretRate]:
    """Numbers of Remarks 1 and 2 for steps of 0.1 s; the measured ones a little above."""
    found = []
    for time in (1.0, 0.2):
        rate = 10 - 1 / time
        found.append(RegretRate("one", "sequential", 1, time, 0.1, 500, 3, rate + 0.1, (rate, rate + 0.3), rate))
        found.append(RegretRate("many", "max_time(initial_max=1s)", 10, time, 0.1, 500, 3, 0.02, None, 0.0))
    found.append(RegretRate("other", "earliest_deadline", 10, 0.5, 0.1, 500, 3, 0.5, (0.4, 0.6), None))
    return found


@pytest.fixture
def losses() -> list[DelayLoss]:
    found = []
    for family, less in (("delay", 0.1), ("jump", 0.0)):
        for p in (0.9, 0.5):
            for k in (3, 1):
                bound = 1 - p**k
                exact = bound - less
                interval = (exact - 0.02, exact + 0.05)
                found.append(
                    DelayLoss(f"{family}(p={p})", family, 10, p, k, bound, exact, True, exact + 0.01, interval, 500, 4)
                )
    return found


def bars(ax: Axes) -> dict[str, ErrorbarContainer]:
    return {str(c.get_label()).replace("\n", " "): c for c in ax.containers if isinstance(c, ErrorbarContainer)}


def test_rates_are_markers_with_intervals_in_their_rules_colour(rates: list[RegretRate]) -> None:
    ax = plot_regret_rate(rates)
    found = bars(ax)
    assert set(found) == {"one", "many", "other"}
    line, _, (segments,) = found["one"].lines
    assert to_hex(line.get_color()) == style.COLOURS["sequential"].lower()
    assert list(line.get_xdata()) == pytest.approx([200, 1000])
    assert list(line.get_ydata()) == pytest.approx([5.1, 9.1])
    assert segments.get_segments()[0][:, 1] == pytest.approx([5.0, 5.3])


def test_rates_theory_is_dashed_black_and_absent_where_there_is_none(rates: list[RegretRate]) -> None:
    ax = plot_regret_rate(rates)
    theory = {str(line.get_gid()): line for line in ax.get_lines() if line.get_gid() in ("one", "many", "other")}
    assert set(theory) == {"one", "many"}
    assert list(theory["one"].get_ydata()) == pytest.approx([5.0, 9.0])
    assert {to_hex(line.get_color()) for line in theory.values()} == {"#000000"}


def test_rates_axes_have_units_and_reach_what_an_idle_agent_loses(rates: list[RegretRate]) -> None:
    ax = plot_regret_rate(rates)
    assert ax.get_xlabel().endswith("(ms)")
    assert "reward / s" in ax.get_ylabel()
    (most,) = [line for line in ax.get_lines() if line.get_gid() == "most"]
    assert set(most.get_ydata()) == {10.0}
    assert ax.get_ylim()[1] > 10
    legend = ax.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert len(labels) == len(set(labels)) == 6


def test_delay_every_family_has_a_panel_and_every_p_a_colour(losses: list[DelayLoss]) -> None:
    figure = plot_delay_regret(losses)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["MDP delay, 10 states", "MDP jump, 10 states"]
    for ax, less in zip(figure.axes, (0.1, 0.0), strict=True):
        lines = {str(line.get_gid()): line for line in ax.get_lines()}
        for p in (0.5, 0.9):
            assert list(lines[f"bound {p:g}"].get_xdata()) == [1, 3]
            assert lines[f"bound {p:g}"].get_ydata() == pytest.approx([1 - p, 1 - p**3])
            assert lines[f"exact {p:g}"].get_ydata() == pytest.approx([1 - p - less, 1 - p**3 - less])
            assert lines[f"bound {p:g}"].get_color() == lines[f"exact {p:g}"].get_color()
            assert lines[f"bound {p:g}"].get_linestyle() == "--"
        assert lines["exact 0.5"].get_color() != lines["exact 0.9"].get_color()
        assert len(bars(ax)) == 2
    assert figure.axes[0].get_xlabel() == "delay $k$ (steps)"
    assert "units of reward" in figure.axes[0].get_ylabel()


def test_delay_simulation_is_markers_with_intervals(losses: list[DelayLoss]) -> None:
    (container,) = [c for name, c in bars(plot_delay_regret(losses).axes[0]).items() if name.endswith("0.9")]
    line, _, (segments,) = container.lines
    assert line.get_linestyle() == "None"
    assert list(line.get_ydata()) == pytest.approx([0.01, 0.181])
    assert np.array(segments.get_segments())[:, :, 1] == pytest.approx(np.array([[-0.02, 0.05], [0.151, 0.221]]))


def test_delay_best_policy_found_is_not_called_exact(losses: list[DelayLoss]) -> None:
    found = plot_delay_regret([replace(loss, proved=False) for loss in losses])
    texts = [text.get_text() for text in found.legends[0].get_texts()]
    assert any(text.startswith("best policy found") for text in texts)
    assert not any(text.startswith("exact") for text in texts)


def test_numbers_stand_beside_the_pictures(rates: Any, losses: Any, tmp_path: Any) -> None:
    figures = (
        (plot_regret_rate(rates).figure, regret_rate_rows(rates), 5),
        (plot_delay_regret(losses), delay_regret_rows(losses), 8),
    )
    for figure, rows, count in figures:
        _, table = save_figure(figure, tmp_path / "figure.svg", rows)
        assert len(table.read_text().splitlines()) == count + 1
    assert regret_rate_rows(rates)[0]["inaction_per_s_ci95_high"] == pytest.approx(9.3)
    assert delay_regret_rows(losses)[0]["measured_ci95_low"] == pytest.approx(1 - 0.9**3 - 0.12)


def test_nothing_and_too_much_to_plot_are_clear_errors(losses: list[DelayLoss]) -> None:
    with pytest.raises(InvalidValue, match="no regret rates"):
        plot_regret_rate([])
    with pytest.raises(InvalidValue, match="no delay losses"):
        plot_delay_regret([])
    with pytest.raises(InvalidValue, match="5 families"):
        plot_delay_regret([replace(losses[0], states=n) for n in range(2, 7)])
