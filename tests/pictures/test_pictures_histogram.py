"""The histogram of interaction times."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from rtsim.errors import InvalidValue
from rtsim.pictures import figure_of, interaction_time_rows, plot_interaction_time, style
from rtsim.schedule import Schedule


def test_plot_interaction_time_bars_are_the_rows_and_agree_with_the_statistics(schedules: dict[str, Schedule]) -> None:
    schedule = schedules["latest"]
    ax = plot_interaction_time(schedule, warmup_steps=40)
    rows = interaction_time_rows(schedule, warmup_steps=40)
    bars = ax.containers[0].patches
    assert [bar.get_height() for bar in bars] == [row["count"] for row in rows]
    np.testing.assert_allclose(
        [bar.get_x() + bar.get_width() / 2 for bar in bars], [r["interaction_steps"] for r in rows]
    )
    mean = sum(row["interaction_steps"] * row["share"] for row in rows)
    statistics = schedule.statistics(40)
    assert mean == pytest.approx(statistics.interaction_steps)
    assert ax.get_lines()[0].get_xdata()[0] == pytest.approx(statistics.interaction_steps)


def test_plot_interaction_time_axes_are_labelled_in_steps_and_ms(schedules: dict[str, Schedule]) -> None:
    ax = plot_interaction_time(schedules["inline"])
    assert ax.get_xlabel() == "interaction time $τ_I$ (environment steps)"
    (top,) = ax.child_axes
    assert top.get_xlabel() == "interaction time $τ_I$ (ms)"
    figure_of(ax).draw_without_rendering()
    low, high = ax.get_xlim()
    # 59.7275 fps: one step is 16.7427 ms.
    np.testing.assert_allclose(top.get_xlim(), (low * 16.7427, high * 16.7427), rtol=1e-4)


def test_plot_interaction_time_theory_is_a_black_dashed_line(schedules: dict[str, Schedule]) -> None:
    line = plot_interaction_time(schedules["inline"], theory_s=0.134).get_lines()[-1]
    assert to_hex(line.get_color()) == "#000000"
    assert line.get_linestyle() == "--"
    assert line.get_xdata()[0] == pytest.approx(0.134 * 59.7275, rel=1e-4)


def _schedule_of_gaps(schedule: Schedule, gaps: list[int]) -> Schedule:
    """The schedule with the agent acting at these distances only."""
    steps = {name: np.resize(column, sum(gaps) + 1).copy() for name, column in schedule.steps.items()}
    steps["time_ns"] = np.arange(sum(gaps) + 1) * 10**7
    steps["worker"][:] = -1
    steps["worker"][np.cumsum([0, *gaps])] = 0
    return Schedule(schedule.header, steps, schedule.updates, schedule.busy_ns, schedule.learner_busy_ns)


@pytest.mark.parametrize(("gaps", "scale"), [([1] * 100 + [2], "linear"), ([1] * 101 + [2], "log")])
def test_plot_interaction_time_more_than_two_decades_are_logarithmic(
    schedules: dict[str, Schedule], gaps: list[int], scale: str
) -> None:
    assert plot_interaction_time(_schedule_of_gaps(schedules["latest"], gaps)).get_yscale() == scale


def test_plot_interaction_time_colour_is_the_rules(schedules: dict[str, Schedule]) -> None:
    bar = plot_interaction_time(schedules["latest"]).containers[0].patches[0]
    assert to_hex(bar.get_facecolor()).upper() == style.COLOURS["exp_time"]


def test_plot_interaction_time_fewer_than_two_actions_is_refused(schedules: dict[str, Schedule]) -> None:
    with pytest.raises(InvalidValue, match="acted on 1 of 1 steps"):
        plot_interaction_time(_schedule_of_gaps(schedules["latest"], []))


def test_plot_interaction_time_warmup_beyond_the_run_is_refused(schedules: dict[str, Schedule]) -> None:
    with pytest.raises(InvalidValue, match=r"0\.\.299"):
        plot_interaction_time(schedules["latest"], warmup_steps=300)
