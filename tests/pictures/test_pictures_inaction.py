"""The inaction plot: its data, its limits, its words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from rtsim.errors import InvalidValue
from rtsim.pictures import figure_of, inaction_rows, plot_inaction, style


def bars(ax: Axes) -> dict[str, ErrorbarContainer]:
    """Error bars by the algorithm's key."""
    return {c.get_label().split(" (")[0]: c for c in ax.containers if isinstance(c, ErrorbarContainer)}


def labelled(ax: Axes, start: str) -> list[Any]:
    return [line for line in ax.get_lines() if str(line.get_label()).startswith(start)]


def test_plot_inaction_lines_are_the_rows(comparison: Any) -> None:
    ax = plot_inaction(comparison)
    drawn = bars(ax)
    assert set(drawn) == {row.key for row in comparison.rows}
    for key, container in drawn.items():
        rows = [row for row in comparison.rows if row.key == key]
        np.testing.assert_array_equal(container[0].get_xdata(), [row.workers for row in rows])
        np.testing.assert_array_equal(container[0].get_ydata(), [row.inaction_fraction for row in rows])
        assert to_hex(container[0].get_color()).upper() == style.colour(rows[0].alg)


def test_plot_inaction_error_bars_are_the_intervals(comparison: Any) -> None:
    segments = bars(plot_inaction(comparison))["exp_time"][2][0].get_segments()
    expected = [row.inaction_fraction_ci95 for row in comparison.rows if row.key == "exp_time"]
    np.testing.assert_allclose([(low[1], high[1]) for low, high in segments], expected, atol=1e-12)


def test_plot_inaction_shading_is_the_capacity_curve(comparison: Any) -> None:
    (region,) = [c for c in plot_inaction(comparison).collections if str(c.get_label()).startswith("unreachable")]
    corners = region.get_paths()[0].vertices
    upper = {float(x): float(corners[corners[:, 0] == x, 1].max()) for x in corners[:, 0]}
    # τ_M / mean τ_θ = 10 ms / 200 ms, so that the limit reaches 0 at 20 workers.
    for workers in range(1, 21):
        assert upper[workers] == pytest.approx(1 - workers / 20, abs=1e-12)
    assert max(upper) == 20


def test_plot_inaction_theory_is_black_dashed_and_drawn_once_where_equal(comparison: Any) -> None:
    theory = labelled(plot_inaction(comparison), "theory")
    assert {to_hex(line.get_color()) for line in theory} == {"#000000"}
    assert all(line.get_linestyle() == "--" for line in theory)
    labels = sorted(str(line.get_label()) for line in theory)
    # The one point of sequential lies on the line of max_time.
    assert labels == ["theory of exp_time", "theory of max_time"]
    assert len({str(line._dash_pattern) for line in theory if "point" not in str(line.get_label())}) == 2
    (line,) = [line for line in theory if line.get_label() == "theory of max_time"]
    np.testing.assert_array_equal(line.get_ydata(), [0.95, 0.5, 0.0, 0.0])


def test_plot_inaction_variants_of_a_rule_share_colour_not_marker(comparison: Any) -> None:
    drawn = bars(plot_inaction(comparison))
    one, other = drawn["max_time"][0], drawn["max_time(printed=true)"][0]
    assert one.get_color() == other.get_color()
    assert one.get_marker() != other.get_marker()
    assert one.get_linestyle() != other.get_linestyle()


def test_plot_inaction_variants_with_theories_of_their_own_are_named_in_full(comparison: Any) -> None:
    rows = [
        replace(row, theory_inaction_fraction=0.5 * row.capacity_limit) if row.key == "max_time(printed=true)" else row
        for row in comparison.rows
    ]
    labels = {line.get_label() for line in labelled(plot_inaction(replace(comparison, rows=rows)), "theory")}
    assert labels == {"theory of exp_time", "theory of max_time", "theory of max_time(printed=true)"}


def test_plot_inaction_without_a_search_does_not_speak_of_required_workers(comparison: Any) -> None:
    assert "N_I^*" in plot_inaction(comparison).get_title(loc="left")
    assert "N_I^*" not in plot_inaction(replace(comparison, required_workers={})).get_title(loc="left")


def test_plot_inaction_required_workers_marked_where_found(comparison: Any) -> None:
    ax = plot_inaction(comparison)
    strokes = {line.get_gid(): line for line in ax.get_lines() if str(line.get_gid()).startswith("required")}
    assert set(strokes) == {"required max_time"}
    np.testing.assert_array_equal(strokes["required max_time"].get_xdata(), [24, 24])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "max_time ($N_I^*$ = 24)" in texts
    assert "exp_time ($N_I^*$: none found)" in texts


def test_plot_inaction_axes_are_labelled_and_conditions_told(comparison: Any) -> None:
    ax = plot_inaction(comparison)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("inference workers $N_I$", "inaction fraction")
    assert ax.get_title(loc="left") == (
        "inference time lognorm(mean=200ms, cv=0.3), step time 10 ms (100 fps), mailbox latest\n"
        "2000 steps; 3 seeds, bars: 95 % interval; $N_I^*$: inaction ≤ 0.01"
    )
    low, high = ax.get_ylim()
    assert -0.05 < low < 0 < 1 < high < 1.05


def test_plot_inaction_reaches_as_high_as_what_it_shows(comparison: Any) -> None:
    last = max(row.workers for row in comparison.rows)
    rows = [row for row in comparison.rows if row.workers == last and not row.capacity_limit]
    low = [
        replace(row, inaction_fraction=0.1, inaction_fraction_ci95=(0.05, 0.2), theory_inaction_fraction=None)
        for row in rows
    ]
    bottom, top = plot_inaction(replace(comparison, rows=low)).get_ylim()
    assert (bottom, top) == (pytest.approx(-0.004), pytest.approx(0.212))
    nothing = [replace(row, inaction_fraction=0.0, inaction_fraction_ci95=None) for row in low]
    assert plot_inaction(replace(comparison, rows=nothing)).get_ylim()[1] > 1


def test_plot_inaction_stroke_between_the_ticks_has_one_of_its_own(comparison: Any) -> None:
    found = {**comparison.required_workers, "max_time": replace(comparison.required_workers["max_time"], workers=7)}
    ax = plot_inaction(replace(comparison, required_workers=found))
    assert 7 in ax.xaxis.get_minorticklocs()
    assert any("stroke" in text.get_text() for text in ax.get_legend().get_texts())


def test_plot_inaction_legend_lies_outside_the_data(comparison: Any) -> None:
    ax = plot_inaction(comparison)
    figure = figure_of(ax)
    figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
    assert ax.get_legend().get_window_extent().x1 <= figure.bbox.x1


def test_plot_inaction_one_number_of_workers_stands_side_by_side(comparison: Any) -> None:
    only = replace(comparison, rows=[row for row in comparison.rows if row.workers == 1])
    ax = plot_inaction(only)
    places = [float(container[0].get_xdata()[0]) for container in bars(ax).values()]
    assert len(set(places)) == 4
    assert all(abs(place - 1) < 0.5 for place in places)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1"]
    (region,) = [c for c in ax.collections if str(c.get_label()).startswith("unreachable")]
    assert region.get_paths()[0].vertices[:, 1].max() == pytest.approx(0.95, abs=1e-12)


def test_plot_inaction_several_actions_per_inference_have_their_own_limit(comparison: Any) -> None:
    chunks = [
        replace(row, alg="chunking", key="chunking", actions=4, inaction_fraction=row.capacity_limit)
        for row in comparison.rows
        if row.key == "max_time"
    ]
    ax = plot_inaction(replace(comparison, rows=comparison.rows + chunks))
    (line,) = labelled(ax, "limit of chunking")
    np.testing.assert_allclose(line.get_ydata(), [0.8, 0, 0, 0], atol=1e-12)
    ax = plot_inaction(replace(comparison, rows=chunks))
    assert not [c for c in ax.collections if str(c.get_label()).startswith("unreachable")]


def test_plot_inaction_given_axes_draws_there_and_returns_them(comparison: Any) -> None:
    axes = Figure(layout="constrained").subplots(1, 2)
    assert plot_inaction(comparison, ax=axes[1]) is axes[1]
    assert not axes[0].get_lines()


def test_plot_inaction_no_rows_says_so(comparison: Any) -> None:
    with pytest.raises(InvalidValue, match="no rows"):
        plot_inaction(replace(comparison, rows=[]))


def test_inaction_rows_has_one_row_per_point_with_its_interval(comparison: Any) -> None:
    rows = inaction_rows(comparison)
    assert len(rows) == len(comparison.rows)
    first = rows[1]
    assert first["key"] == "max_time"
    assert (first["inaction_fraction_ci95_low"], first["inaction_fraction_ci95_high"]) == (
        comparison.rows[1].inaction_fraction_ci95
    )
    assert (first["required_workers"], first["required_workers_paper_formula"]) == (24, 20)
    assert rows[2]["inaction_fraction_ci95_low"] is None
