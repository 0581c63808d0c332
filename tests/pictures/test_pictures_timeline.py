"""Timelines and what became of every action."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection

from rtsim.clocks.simpy_clock import simulate
from rtsim.errors import InvalidValue
from rtsim.pictures import figure_of, plot_timeline, timeline_rows
from rtsim.pictures.spans import fates, step_edges, sublanes
from rtsim.scenario import Scenario
from rtsim.schedule import Schedule

NAMES = ("latest", "held", "late", "fifo", "inline", "learners", "merged", "chunks", "pipeline", "instant")


def boxes(ax: Axes, label: str) -> np.ndarray:
    """(left, right, bottom, top) of every rectangle with that label."""
    found = [c for c in ax.collections if isinstance(c, PolyCollection) and c.get_label() == label]
    corners = [path.vertices for c in found for path in c.get_paths()]
    return np.array([[*(v[:, 0].min(), v[:, 0].max()), *(v[:, 1].min(), v[:, 1].max())] for v in corners])


def links(ax: Axes) -> list[np.ndarray]:
    (lines,) = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_label() == "action used"]
    return lines.get_segments()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "chunks"])
def test_fates_counted_agree_with_the_steps(schedules: dict[str, Schedule], name: str) -> None:
    schedule = schedules[name]
    counts = Counter(fates(schedule))
    assert counts["used"] == int(schedule.acted.sum())
    assert counts["overwritten"] == int(schedule.steps["overwritten"].sum())
    assert counts["dropped"] == int(schedule.steps["dropped"].sum())
    held = int((schedule.spans["release_ns"] < 0).sum()) - (counts["dropped"] if name == "held" else 0)
    assert counts["waiting"] == schedule.totals["pending"] + held


@pytest.mark.parametrize("name", [*NAMES, "random_steps"])
def test_plot_timeline_every_kind_of_run_draws_without_warning(schedules: dict[str, Schedule], name: str) -> None:
    ax = plot_timeline(schedules[name], first_step=40)
    figure_of(ax).draw_without_rendering()
    assert ax.get_xlabel() in ("time (ms)", "time (s)")
    assert len(boxes(ax, "inference")) + len(boxes(ax, "inference of no length"))


def test_plot_timeline_bars_are_the_spans_in_the_window(schedules: dict[str, Schedule]) -> None:
    schedule = schedules["latest"]
    ax = plot_timeline(schedule, first_step=50, steps=40)
    begin, end = (int(schedule.steps["time_ns"][i]) for i in (50, 90))
    spans = schedule.spans
    inside = (spans["end_ns"] >= begin) & (spans["start_ns"] < end)
    inside |= (spans["used_step"] >= 50) & (spans["used_step"] < 90)
    bars = boxes(ax, "inference")
    expected = np.stack([spans["start_ns"][inside], spans["end_ns"][inside]], axis=1) / 1e6
    np.testing.assert_allclose(bars[:, :2], expected)
    np.testing.assert_allclose(ax.get_xlim(), (begin / 1e6, end / 1e6))


def test_plot_timeline_steps_are_the_agents_or_the_default_policys(schedules: dict[str, Schedule]) -> None:
    schedule = schedules["latest"]
    ax = plot_timeline(schedule, first_step=50, steps=40)
    acted = schedule.acted[50:90]
    edges = step_edges(schedule)[50:91] / 1e6
    np.testing.assert_allclose(boxes(ax, "step: agent")[:, 0], edges[:-1][acted])
    np.testing.assert_allclose(boxes(ax, "step: default policy")[:, 1], edges[1:][~acted])


def test_plot_timeline_links_lead_from_release_to_the_step_that_used_it(schedules: dict[str, Schedule]) -> None:
    schedule = schedules["held"]
    ax = plot_timeline(schedule, first_step=50, steps=40)
    acted = 50 + np.flatnonzero(schedule.acted[50:90])
    assert len(links(ax)) == len(acted)
    for (start, end), step in zip(links(ax), acted, strict=True):
        assert start[0] == pytest.approx(schedule.steps["release_ns"][step] / 1e6)
        at, after = step_edges(schedule)[step : step + 2] / 1e6
        assert at <= end[0] < after


def test_plot_timeline_chunk_is_linked_to_all_steps_that_used_it(schedules: dict[str, Schedule]) -> None:
    schedule = schedules["chunks"]
    assert len(links(plot_timeline(schedule, first_step=50, steps=40))) == int(schedule.acted[50:90].sum())


@pytest.mark.parametrize("name", NAMES)
def test_plot_timeline_bars_never_cover_each_other(schedules: dict[str, Schedule], name: str) -> None:
    ax = plot_timeline(schedules[name], steps=200)
    drawn = [boxes(ax, label) for label in ("inference", "action held", "update", "gradient waits")]
    drawn = np.concatenate([part for part in drawn if len(part)] or [np.empty((0, 4))])
    for row in drawn:
        overlap = (drawn[:, 0] < row[1] - 1e-9) & (drawn[:, 1] > row[0] + 1e-9)
        overlap &= (drawn[:, 2] < row[3] - 1e-9) & (drawn[:, 3] > row[2] + 1e-9)
        assert overlap.sum() == 1


@pytest.mark.parametrize(("name", "fate"), [("latest", "overwritten"), ("fifo", "dropped")])
def test_plot_timeline_wasted_actions_are_crossed_and_counted(
    schedules: dict[str, Schedule], name: str, fate: str
) -> None:
    schedule = schedules[name]
    ax = plot_timeline(schedule, first_step=50, steps=40)
    begin, end = (int(schedule.steps["time_ns"][i]) for i in (50, 90))
    at = np.maximum(schedule.spans["release_ns"], schedule.spans["end_ns"])
    count = sum(f == fate and begin <= t <= end for f, t in zip(fates(schedule), at.tolist(), strict=True))
    (marks,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert len(marks.get_offsets()) == count > 0
    assert marks.get_label() == f"{fate} ({count})"


def test_plot_timeline_lanes_name_workers_learners_and_environment(schedules: dict[str, Schedule]) -> None:
    def names(name: str) -> list[str]:
        return [text.get_text() for text in plot_timeline(schedules[name]).get_yticklabels()]

    workers = [f"worker {w}" for w in range(6)]
    assert names("learners") == ["environment", *(f"learner {k}" for k in range(3)), *workers]
    assert names("merged") == ["environment", "3 learners", *workers]
    assert names("inline") == ["environment", "learner 0", "worker 0"]


def test_plot_timeline_pipeline_stacks_its_layers(schedules: dict[str, Schedule]) -> None:
    assert len({tuple(box) for box in boxes(plot_timeline(schedules["pipeline"], steps=60), "inference")[:, 2:]}) == 5


def test_plot_timeline_many_workers_draws_the_first_24_and_says_so() -> None:
    schedule = simulate(Scenario("unstaggered", "84ms", workers=72, steps=40), spans=True)
    ax = plot_timeline(schedule)
    assert len(ax.get_yticks()) == 25
    assert "first 24 of 72 workers" in ax.get_title(loc="left")


@pytest.mark.parametrize(("inference_time", "steps"), [("84ms", 17), ("20s", 1792), (0.0, 16)])
def test_plot_timeline_default_window_shows_inferences(inference_time: str | float, steps: int) -> None:
    # 84 ms and 20 s are 5.02 and 1194.6 steps: 3.2 inferences, or 1.5 where three are above 200 steps; at least 16.
    schedule = simulate(Scenario("sequential", inference_time, steps=3000), spans=True)
    assert sum(row["what"] == "step" for row in timeline_rows(schedule)) == steps


def test_plot_timeline_without_spans_names_the_remedy(schedules: dict[str, Schedule]) -> None:
    with pytest.raises(InvalidValue, match="spans=True"):
        plot_timeline(replace(schedules["latest"], spans=None))


@pytest.mark.parametrize(("window", "words"), [({"first_step": 300}, r"0\.\.299"), ({"steps": 0}, "at least 1")])
def test_plot_timeline_empty_window_is_refused(
    schedules: dict[str, Schedule], window: dict[str, int], words: str
) -> None:
    with pytest.raises(InvalidValue, match=words):
        plot_timeline(schedules["latest"], **window)


def test_plot_timeline_single_step_run_draws() -> None:
    schedule = simulate(Scenario("max_time", "84ms", workers=2, steps=1), spans=True)
    figure_of(plot_timeline(schedule)).draw_without_rendering()


def test_sublanes_random_intervals_are_disjoint_and_as_few_as_possible() -> None:
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 1000, 200)
    ends = starts + rng.integers(0, 60, 200)
    lanes, count = sublanes(starts, ends)
    for lane in range(count):
        mine = np.sort(np.flatnonzero(lanes == lane))
        mine = mine[np.lexsort((ends[mine], starts[mine]))]
        assert (ends[mine][:-1] <= starts[mine][1:]).all()
    # Intervals need as many lanes as cover one point.
    assert count == max(int(((starts <= t) & (ends > t)).sum()) for t in range(1100))
