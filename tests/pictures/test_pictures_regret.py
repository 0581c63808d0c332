"""Regret against time: what is drawn is what was computed."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from rtsim import agents, mdps, theory
from rtsim.errors import InvalidValue
from rtsim.experiments import late_schedule
from rtsim.pictures import plot_regret, plot_regrets, regret_rows, regrets_rows, save_figure
from rtsim.pictures.regret import PART_LOOKS
from rtsim.regret import RegretOverSeeds, regret_over_seeds
from rtsim.rollout import undelayed


@pytest.fixture(scope="module")
def lost() -> RegretOverSeeds:
    """Two steps late on a random world, learning: all parts are there, inaction at the beginning only."""
    learner = agents.UCRL2(scale=0.3, every_step=True)
    return regret_over_seeds(mdps.of("jump(n=3, p=0.8)"), learner, late_schedule(2, 3_000, 0.1), 4, points=30)


def lines(ax: Axes) -> dict[str, Any]:
    return {str(line.get_gid()): line for line in ax.get_lines() if line.get_gid() in PART_LOOKS}


def references(ax: Axes) -> list[Any]:
    return [line for line in ax.get_lines() if line.get_gid() == "reference"]


@pytest.mark.parametrize("part", PART_LOOKS)
def test_lines_are_means_over_seeds_where_these_are_positive(lost: RegretOverSeeds, part: str) -> None:
    line = lines(plot_regret(lost))[part]
    mean = np.mean([getattr(curve, part) for curve in lost.curves], axis=0)
    assert np.array_equal(line.get_xdata(), lost.curves[0].seconds)
    drawn = np.asarray(line.get_ydata())
    assert np.array_equal(np.isnan(drawn), mean <= 0)
    assert drawn[mean > 0] == pytest.approx(mean[mean > 0], rel=1e-12)


def test_bands_are_the_95_percent_intervals(lost: RegretOverSeeds) -> None:
    ax = plot_regret(lost)
    (band,) = [c for c in ax.collections if c.get_gid() == "learn band"]
    low, high = lost.curve("learn")[1][-1]
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    last = corners[corners[:, 0] == lost.curves[0].seconds[-1], 1]
    assert (last.min(), last.max()) == pytest.approx((low, high))


def test_axes_are_logarithmic_with_units(lost: RegretOverSeeds) -> None:
    ax = plot_regret(lost, title="two steps late")
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel().endswith("(s)")
    assert "units of reward" in ax.get_ylabel()
    assert ax.get_title(loc="left").splitlines() == ["two steps late", "mean over 4 seeds, bands: 95 % interval"]


def test_reference_lines_are_dashed_black_with_slopes_one_and_one_half(lost: RegretOverSeeds) -> None:
    found = references(plot_regret(lost))
    assert {to_hex(line.get_color()) for line in found} == {"#000000"}
    for line, slope in zip(found, (1.0, 0.5), strict=True):
        x, y = np.log(line.get_xdata()), np.log(line.get_ydata())
        assert np.diff(y) / np.diff(x) == pytest.approx(np.full(len(x) - 1, slope))
    ends = [line.get_ydata()[-1] for line in found]
    means = {part: mean for part, (mean, _) in lost.means.items()}
    assert ends == pytest.approx([2 * (means["inaction"] + means["delay"]), 2 * means["learn"]])


def test_bound_given_is_drawn_as_it_is(lost: RegretOverSeeds) -> None:
    bound = partial(theory.realtime_regret, interaction_time=0.1, step=0.1, p_minimax=0.8, delay=2)
    linear, root = references(plot_regret(lost, bound=bound))
    assert linear.get_ydata()[-1] == pytest.approx(300 / 0.1 * (1 - 0.8**2))
    assert root.get_ydata()[-1] == pytest.approx((300 / 0.1) ** 0.5)


def test_part_that_is_rounding_only_stands_in_the_legend_as_none() -> None:
    # A sum of gaps that are zero but for rounding is no regret; on this MDP it comes out negative.
    policy = agents.Tabular([0, 0])
    found = regret_over_seeds(mdps.of("jao"), policy, late_schedule(4, 20_000), 2, best=policy, points=20)
    assert 0 < abs(found.means["delay"][0]) < 1e-9
    tiny = replace(found, curves=tuple(replace(curve, delay=np.abs(curve.delay)) for curve in found.curves))
    for rounded in (found, tiny):
        labels = {line.get_gid(): line.get_label() for line in lines(plot_regret(rounded)).values()}
        assert labels["delay"].endswith(": none")
        assert labels["learn"].endswith(": none")
        assert not labels["inaction"].endswith(": none")


def test_interrupted_lines_and_slopes_without_height_are_explained() -> None:
    policy = agents.Tabular([1, 0])  # the worse action: what it loses is soon less than the luck of the rewards
    found = regret_over_seeds(mdps.of("jao(epsilon=0.01)"), policy, late_schedule(0, 2_000), 1, points=60)
    total = found.curves[0].total
    assert (total > 0).any()
    assert (total[np.argmax(total > 0) :] <= 0).any()
    ax = plot_regret(found)
    labels = {line.get_gid(): line.get_label() for line in lines(ax).values()}
    assert "not drawn where ≤ 0" in labels["total"]
    assert "not drawn" not in labels["learn"]
    assert all("no bound" in str(line.get_label()) for line in references(ax))


def test_one_seed_has_no_bands() -> None:
    policy = agents.Tabular([0, 0])
    found = regret_over_seeds(mdps.of("inaction"), policy, late_schedule(4, 100), 1, best=policy, points=20)
    ax = plot_regret(found)
    assert not ax.collections
    assert ax.get_title(loc="left") == "1 seed"
    assert regret_rows(found)[0]["total_ci95_low"] is None


def test_numbers_beside_the_picture_are_those_of_the_curves(lost: RegretOverSeeds, tmp_path: Any) -> None:
    bound = partial(theory.realtime_regret, interaction_time=0.1, step=0.1, p_minimax=0.8, delay=2)
    _, table = save_figure(plot_regret(lost).figure, tmp_path / "regret.svg", regret_rows(lost, bound=bound))
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(lost.curves[0].steps)
    last = {name: float(value) for name, value in rows[-1].items()}
    for part, (mean, (low, high)) in ((p, lost.means[p]) for p in (*PART_LOOKS, "boundary", "noise")):
        assert (last[part], last[f"{part}_ci95_low"], last[f"{part}_ci95_high"]) == pytest.approx((mean, low, high))
    parts, rest = ("inaction", "delay", "learn"), ("total", "boundary", "noise")
    assert sum(last[p] for p in parts) == pytest.approx(sum(last[p] for p in rest))
    assert last["bound_delay"] == pytest.approx(300 / 0.1 * (1 - 0.8**2))


def test_nothing_to_draw_is_a_clear_error(lost: RegretOverSeeds) -> None:
    policy = agents.Tabular([0, 0])
    for points, schedule, message in (
        (1, late_schedule(2, 50), "one point in time"),
        (9, late_schedule(0, 50), "nothing to draw"),
    ):
        found = regret_over_seeds(mdps.of("inaction"), policy, schedule, 2, best=policy, points=points)
        with pytest.raises(InvalidValue, match=message):
            plot_regret(found)


def test_several_regrets_share_a_scale_and_keep_their_numbers(lost: RegretOverSeeds) -> None:
    policy = agents.Tabular([0, 0])
    idle = regret_over_seeds(mdps.of("inaction"), policy, undelayed(50), 2, best=policy, points=5)
    more = regret_over_seeds(mdps.of("inaction"), policy, late_schedule(4, 9_000), 2, best=policy, points=20)
    regrets = {"a learner": lost, "nothing": idle, "late": more}
    first, second, third = plot_regrets(regrets).axes
    assert first.get_xlim() == third.get_xlim()
    assert first.get_ylim() == third.get_ylim()
    assert first.get_title(loc="left").startswith("a learner\n")
    assert second.get_title(loc="left") == "nothing: no regret at any time"
    assert not second.get_lines()
    rows = regrets_rows(regrets)
    assert [row["total"] for row in rows if row["panel"] == "late"] == [row["total"] for row in regret_rows(more)]
    with pytest.raises(InvalidValue, match="no regret to draw"):
        plot_regrets({})
