"""Required workers and learners as pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from rtsim.errors import InvalidValue
from rtsim.pictures import plot_scaling, save_figure, scaling_rows, style


@dataclass(frozen=True)
class Point:
    series: str
    time_s: float
    parameters: int | None
    median: int | None
    low: int | None = None
    high: int | None = None
    formula: int | None = None
    measure: str = "required_workers"
    family: str = "profile:epyc#resnet15-k*"
    law: str = "84ms"
    step_time_s: float = 0.01
    batch: int = 16
    target: float | None = 0.01
    seeds: int = 3
    not_found: int = 0


@pytest.fixture
def points() -> list[Point]:
    return [
        Point("exp_time", 0.1, 10**6, 11, 10, 13, 10),
        Point("exp_time", 1.0, 10**7, 120, 110, None, 100, not_found=1),
        Point("exp_time", 10.0, 10**8, None, None, None, 1000, not_found=3),
        Point("max_time", 0.1, 10**6, 12, 12, 12, 11),
        Point("max_time", 1.0, 10**7, 110, 110, 110, 110),
        Point("max_time", 10.0, 10**8, 1100, 1100, 1100, 1100),
    ]


def bars(ax: Axes) -> dict[str, ErrorbarContainer]:
    return {str(c.get_label()): c for c in ax.containers if isinstance(c, ErrorbarContainer)}


def test_lines_are_the_medians_and_break_where_none_was_found(points: list[Any]) -> None:
    left, right = plot_scaling(points).axes
    for ax, across in ((left, [0.1, 1.0, 10.0]), (right, [1e6, 1e7, 1e8])):
        line = bars(ax)["exp_time"][0]
        np.testing.assert_array_equal(line.get_xdata(), across)
        np.testing.assert_array_equal(np.asarray(line.get_ydata(), dtype=float), [11, 120, np.nan])
        assert to_hex(line.get_color()).upper() == style.colour("exp_time")
        segments = bars(ax)["exp_time"][2][0].get_segments()
        assert [(low[1], high[1]) for low, high in segments[:2]] == [(10, 13), (110, 120)]


def test_an_arrow_stands_where_no_number_was_enough(points: list[Any]) -> None:
    for ax, places in zip(plot_scaling(points).axes, ([1.0, 10.0], [1e7, 1e8]), strict=True):
        arrows = [line for line in ax.get_lines() if line.get_gid() == "none found"]
        assert [float(arrow.get_xdata()[0]) for arrow in arrows] == places
        assert {to_hex(arrow.get_color()).upper() for arrow in arrows} == {style.colour("exp_time")}


def test_formulas_are_dashed_black_and_named(points: list[Any]) -> None:
    ax = plot_scaling(points).axes[0]
    lines = {str(line.get_label()): line for line in ax.get_lines() if str(line.get_label()).startswith("formula")}
    assert set(lines) == {"formula of exp_time", "formula of max_time"}
    assert list(lines["formula of exp_time"].get_ydata()) == [10, 100, 1000]
    assert {to_hex(line.get_color()) for line in lines.values()} == {"#000000"}


def test_shading_is_what_capacity_forbids(points: list[Any]) -> None:
    ax = plot_scaling(points).axes[0]
    (region,) = [c for c in ax.collections if str(c.get_label()).startswith("unreachable")]
    corners = region.get_paths()[0].vertices
    for time in (0.1, 1.0, 10.0):
        assert corners[corners[:, 0] == time, 1].max() == pytest.approx(0.99 * time / 0.01)


def test_each_family_has_a_row_of_axes_and_sizes_only_where_known(points: list[Any]) -> None:
    assert len(plot_scaling([*points, replace(points[0], family="mixture(0.5: 1us, ...)")]).axes) == 4
    assert len(plot_scaling([replace(point, parameters=None) for point in points]).axes) == 1


def test_learners_have_no_region_and_a_line_for_each_batch() -> None:
    points = [
        Point(f"round_robin, batch {b}", 0.1 * b, 10**6, b, b, b, b, "required_learners", target=None) for b in (16, 32)
    ]
    ax = plot_scaling(points).axes[0]
    assert set(bars(ax)) == {"round_robin, batch 16", "round_robin, batch 32"}
    assert not [c for c in ax.collections if str(c.get_label()).startswith("unreachable")]
    assert "learners" in ax.get_ylabel()


def test_the_numbers_stand_beside_the_picture(points: list[Any], tmp_path: Any) -> None:
    _, table = save_figure(plot_scaling(points), tmp_path / "figure.svg", scaling_rows(points))
    lines = table.read_text().splitlines()
    assert lines[0].startswith("measure,series,law,mean_time_s,parameters")
    assert len(lines) == 7


def test_nothing_to_plot_is_a_clear_error() -> None:
    with pytest.raises(InvalidValue, match="no finished searches"):
        plot_scaling([])


def test_laws_of_one_mean_stand_side_by_side(points: list[Any]) -> None:
    shapes = [replace(points[0], family=f"gamma(mean=*, cv={i})", law=f"gamma(mean=84ms, cv={i})") for i in range(3)]
    (ax,) = plot_scaling(shapes).axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [point.law for point in shapes]
    assert list(bars(ax)["exp_time"][0].get_xdata()) == [1, 2, 3]


def test_many_families_are_not_all_drawn_and_times_of_zero_not_at_all(points: list[Any]) -> None:
    shapes = [replace(point, family=f"gamma(mean=*, cv={i})") for i in range(40) for point in points[:2]]
    figure = plot_scaling(shapes)
    assert len(figure.axes) == 24
    assert "first 12 of 40" in figure.axes[0].get_title(loc="left")
    with pytest.raises(InvalidValue, match="no finished searches"):
        plot_scaling([replace(points[0], time_s=0.0)])
