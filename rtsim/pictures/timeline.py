"""Who computed what when, and which step used it: one lane per worker, learners, and the environment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsim.pictures import style
from rtsim.pictures.spans import DROPPED, OVERWRITTEN, check_window, fates, need_spans, step_edges, sublanes
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Lanes drawn of each kind; the picture says how many there are.
MAX_LANES = 24
#: Steps in a window chosen by us, unless a single inference is longer.
MAX_STEPS = 200

#: What names an inference, in spans and in steps.
_INFERENCE = ("worker", "inference")

Box = tuple[float, float, float, float]  # left, right (axis units), bottom, top


def default_steps(schedule: Schedule) -> int:
    """Steps enough to see about three inferences of each worker, at most about 200."""
    spans = need_spans(schedule, "a timeline")
    edges = step_edges(schedule)
    step = float(edges[-1] - edges[0]) / len(schedule)
    cycle = 0.0
    if len(spans["start_ns"]):
        cycle = float(np.median(spans["end_ns"] - spans["start_ns"]))
        starts = np.sort(spans["start_ns"][spans["worker"] == spans["worker"][0]])
        if len(starts) > 1:
            cycle = max(cycle, float(np.median(np.diff(starts))))
    wanted = math.ceil(3.2 * cycle / step)
    return min(max(wanted, 16), max(MAX_STEPS, math.ceil(1.5 * cycle / step)), len(schedule))


def timeline_rows(schedule: Schedule, *, first_step: int = 0, steps: int | None = None) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_timeline`, one row per inference, update and step; times in seconds.

    ``actor`` is the worker of an inference, the learner of an update, and the worker whose
    action a step used (empty: the default policy acted).
    """
    view = _view(schedule, first_step, steps)
    found: list[dict[str, Any]] = []
    for row in range(len(view.spans["worker"])):
        span = {name: column[row].item() for name, column in view.spans.items()}
        times = {
            f"{name}_s": span[f"{name}_ns"] / 1e9 for name in ("start", "end", "release") if span[f"{name}_ns"] >= 0
        }
        which = {name: span[name] for name in ("inference", "observation", "fate")}
        found.append({"what": "inference", "actor": span["worker"], **times, **which})
    for row in range(len(view.updates["learner"])):
        update = {name: column[row].item() for name, column in view.updates.items()}
        times = {"start_s": update["start_ns"] / 1e9, "end_s": update["end_ns"] / 1e9}
        landing = {"release_s": update["land_ns"] / 1e9, "version": update["version"]}
        found.append({"what": "update", "actor": update["learner"], **times, **landing})
    for index in range(view.count):
        step = {name: column[view.first + index].item() for name, column in schedule.steps.items()}
        times = {"start_s": int(view.edges[index]) / 1e9, "end_s": int(view.edges[index + 1]) / 1e9}
        row_of_step: dict[str, Any] = {"what": "step", "step": view.first + index, **times}
        if step["worker"] >= 0:
            used = {name: step[name] for name in ("inference", "observation", "chunk_index", "version")}
            row_of_step.update(actor=step["worker"], **used)
        found.append(row_of_step)
    return found


def _view(schedule: Schedule, first_step: int, steps: int | None) -> _View:
    need_spans(schedule, "a timeline")
    wanted = default_steps(schedule) if steps is None else steps
    check_window(schedule, first_step, wanted)
    return _View(schedule, first_step, min(wanted, len(schedule) - first_step))


@dataclass(frozen=True)
class _View:
    """What lies in the window, and where it is drawn."""

    schedule: Schedule
    first: int
    count: int

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Starts of the window's steps and its end, ns."""
        return step_edges(self.schedule)[self.first : self.first + self.count + 1]

    @cached_property
    def spans(self) -> dict[str, NDArray[Any]]:
        """Spans that overlap the window or are used in it, with their fate and sub-lane, of the workers drawn."""
        spans = need_spans(self.schedule, "a timeline")
        until = np.maximum(spans["end_ns"], spans["release_ns"])
        lane = np.zeros(len(until), dtype=np.int64)
        users = {name: self.schedule.steps[name][self.first : self.first + self.count] for name in _INFERENCE}
        used = set(zip(*(users[name].tolist() for name in _INFERENCE), strict=True))
        keys = zip(*(spans[name].tolist() for name in _INFERENCE), strict=True)
        shown = np.array([key in used for key in keys], dtype=bool)
        shown |= (until >= self.edges[0]) & (spans["start_ns"] < self.edges[-1])
        shown &= spans["worker"] < MAX_LANES
        for worker in range(self.workers):
            mine = np.flatnonzero(shown & (spans["worker"] == worker))
            lane[mine] = sublanes(spans["start_ns"][mine], until[mine])[0]
        columns = {**spans, "lane": lane, "fate": np.array(fates(self.schedule), dtype=np.str_)}
        return {name: column[shown] for name, column in columns.items()}

    @property
    def workers(self) -> int:
        return min(len(self.schedule.busy_ns), MAX_LANES)

    @cached_property
    def depth(self) -> int:
        """Sub-lanes in each worker's lane."""
        return int(self.spans["lane"].max(initial=0)) + 1

    @property
    def learners(self) -> int:
        """Learner lanes: one for all where they learn one update together."""
        count = len(self.schedule.learner_busy_ns)
        return min(count, 1 if self.merged else MAX_LANES)

    @property
    def merged(self) -> bool:
        return self.schedule.settings.get("learner_rule") == "parallel"

    @cached_property
    def updates(self) -> dict[str, NDArray[Any]]:
        """Updates that overlap the window."""
        updates = self.schedule.updates
        shown = (updates["land_ns"] >= self.edges[0]) & (updates["start_ns"] < self.edges[-1])
        if not self.merged:
            shown &= updates["learner"] < MAX_LANES
        return {name: column[shown] for name, column in updates.items()}

    @cached_property
    def height(self) -> float:
        """Height of a worker's lane; an environment or learner lane is 1 high."""
        return max(1.0, 0.5 * self.depth)

    def worker_box(self, worker: int, lane: int) -> tuple[float, float]:
        """(bottom, top) of a sub-lane; worker 0 is the highest."""
        bottom = 1.3 + self.learners + (self.workers - 1 - worker) * self.height
        each = (self.height - 0.2) / self.depth
        top = bottom + self.height - 0.1 - lane * each
        return top - each * 0.94, top

    def learner_box(self, learner: int) -> tuple[float, float]:
        row = self.learners - 1 - (0 if self.merged else learner)
        return 1.15 + row + 0.1, 1.15 + row + 0.9


def plot_timeline(schedule: Schedule, *, first_step: int = 0, steps: int | None = None, ax: Axes | None = None) -> Axes:
    """A Schedule as bars over time: workers above, then learners, the environment at the bottom.

    A bar is an inference, its pale continuation the time its action is held before release;
    a thin line leads from the release to every step that used it. A cross is an action that
    was overwritten, a crossed circle one that was dropped. Grey hatched steps are the default
    policy's.

    Parameters
    ----------
    schedule : Schedule
        Made with spans.
    first_step : int
        Where the window begins.
    steps : int, optional
        How many steps it shows; by default enough for about three inferences of each worker.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If the Schedule has no spans, or the window is empty.
    """
    view = _view(schedule, first_step, steps)
    top = 1.3 + view.learners + view.workers * view.height
    if ax is None:
        ax = style.new_axes(11.0, min(14.0, max(2.6, 1.5 + 0.3 * top)))
    scale, unit = style.time_unit(float(view.edges[-1]) / 1e9)
    scale /= 1e9
    colour = style.colour(style.rule_name(str(schedule.settings["rule"])))
    _draw_workers(ax, view, scale, colour)
    _draw_updates(ax, view, scale)
    _draw_environment(ax, view, scale, colour)
    _draw_links(ax, view, scale, colour)
    _label_axes(ax, view, scale, unit, top)
    style.plain(ax, grid="x")
    return ax


def _boxes(ax: Axes, boxes: list[Box], label: str, **look: Any) -> None:
    """Rectangles as one collection; those of no width stay visible through their edge."""
    if not boxes:
        return
    from matplotlib.collections import PolyCollection

    corners = [[(a, low), (b, low), (b, high), (a, high)] for a, b, low, high in boxes]
    ax.add_collection(PolyCollection(corners, label=label, **look), autolim=False)


def _draw_workers(ax: Axes, view: _View, scale: float, colour: str) -> None:
    spans = view.spans
    bars: list[Box] = []
    none: list[Box] = []
    held: list[Box] = []
    crossed: dict[str, list[tuple[float, float]]] = {OVERWRITTEN: [], DROPPED: []}
    for row in range(len(spans["worker"])):
        low, high = view.worker_box(int(spans["worker"][row]), int(spans["lane"][row]))
        start, end, release = (int(spans[name][row]) * scale for name in ("start_ns", "end_ns", "release_ns"))
        (bars if end > start else none).append((start, end, low, high))
        if release > end:
            held.append((end, release, low, high))
        if spans["fate"][row] in crossed:
            crossed[spans["fate"][row]].append((max(release, end), (low + high) / 2))
    edge = 0.7 if len(bars) < 400 else 0.3
    _boxes(ax, bars, "inference", facecolor=colour, edgecolor="white", linewidth=edge, zorder=2)
    _boxes(ax, held, "action held", facecolor=colour, alpha=0.3, edgecolor="none", zorder=2)
    _boxes(ax, none, "inference of no length", facecolor=colour, edgecolor=colour, linewidth=1.5, zorder=2)
    for (fate, at), marker in zip(crossed.items(), ("x", r"$\otimes$"), strict=True):
        inside = [(x, y) for x, y in at if view.edges[0] * scale <= x <= view.edges[-1] * scale]
        if inside:
            ax.scatter(
                [x for x, _ in inside],
                [y for _, y in inside],
                marker=marker,
                s=34,
                color="black",
                linewidth=1.3 if marker == "x" else 0.3,
                label=f"{fate} ({len(inside)})",
                zorder=4,
                path_effects=style.halo(3.0 if marker == "x" else 1.5),
            )


def _draw_updates(ax: Axes, view: _View, scale: float) -> None:
    updates = view.updates
    learning, waiting = [], []
    for row in range(len(updates["learner"])):
        low, high = view.learner_box(int(updates["learner"][row]))
        start, end, land = (int(updates[name][row]) * scale for name in ("start_ns", "end_ns", "land_ns"))
        learning.append((start, end, low, high))
        if land > end:
            waiting.append((end, land, low, high))
    _boxes(ax, learning, "update", facecolor=style.LEARNER, edgecolor="white", linewidth=0.7, zorder=2)
    _boxes(ax, waiting, "gradient waits", facecolor=style.LEARNER, alpha=0.3, edgecolor="none", zorder=2)


def _draw_environment(ax: Axes, view: _View, scale: float, colour: str) -> None:
    acted = view.schedule.acted[view.first : view.first + view.count]
    at = view.edges * scale
    agent: list[Box] = [(at[i], at[i + 1], 0.1, 1.0) for i in range(view.count) if acted[i]]
    default: list[Box] = [(at[i], at[i + 1], 0.1, 1.0) for i in range(view.count) if not acted[i]]
    # Steps too narrow for an outline keep none; the agent's then get one of their own colour, so as not to vanish.
    wide = view.count <= 150
    hatched = {"facecolor": "#EFEFEF", "edgecolor": style.DEFAULT_POLICY, "hatch": "/////"}
    _boxes(ax, default, "step: default policy", linewidth=0.3 if wide else 0.0, zorder=2, **hatched)
    _boxes(ax, agent, "step: agent", facecolor=colour, edgecolor="white" if wide else colour, linewidth=0.6, zorder=2)


def _links(view: _View) -> Iterator[tuple[int, int]]:
    """(row of the span, step that used it), also for every later action of a chunk."""
    rows = {
        (int(worker), int(inference)): row
        for row, (worker, inference) in enumerate(zip(view.spans["worker"], view.spans["inference"], strict=True))
    }
    for step in range(view.first, view.first + view.count):
        key = (int(view.schedule.steps["worker"][step]), int(view.schedule.steps["inference"][step]))
        if key in rows:
            yield rows[key], step


def _draw_links(ax: Axes, view: _View, scale: float, colour: str) -> None:
    from matplotlib.collections import LineCollection

    lines = []
    for row, step in _links(view):
        low, _ = view.worker_box(int(view.spans["worker"][row]), int(view.spans["lane"][row]))
        release = max(int(view.spans["release_ns"][row]), int(view.spans["end_ns"][row]))
        begin, end = (int(edge) for edge in view.edges[step - view.first : step - view.first + 2])
        lines.append([(release * scale, low), ((begin + (end - begin) * 0.15) * scale, 1.0)])
    if lines:
        links = LineCollection(lines, colors="#333333", linewidths=0.7, label="action used", zorder=3)
        links.set_path_effects(style.halo())
        ax.add_collection(links, autolim=False)


def _label_axes(ax: Axes, view: _View, scale: float, unit: str, top: float) -> None:
    schedule = view.schedule
    total = len(schedule.busy_ns)
    centres = {"environment": 0.55}
    for learner in range(view.learners):
        name = f"{len(schedule.learner_busy_ns)} learners" if view.merged else f"learner {learner}"
        centres[name] = sum(view.learner_box(learner)) / 2
    for worker in range(view.workers):
        _, high = view.worker_box(worker, 0)
        centres[f"worker {worker}"] = high + 0.1 - view.height / 2
    ax.set_yticks(list(centres.values()), list(centres), fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(0.0, top)
    ax.set_xlim(float(view.edges[0]) * scale, float(view.edges[-1]) * scale)
    ax.ticklabel_format(axis="x", useOffset=False, style="plain")
    ax.set_xlabel(f"time ({unit})")
    every = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**3, 10**4, 10**5, 10**6) if n * 16 >= view.count)
    marked = [i for i in range(view.first, view.first + view.count) if i % every == 0]
    above = ax.secondary_xaxis("top")
    above.set_xticks([float(view.edges[i - view.first]) * scale for i in marked], [str(i) for i in marked])
    above.set_xlabel("environment step", fontsize="small")
    above.tick_params(labelsize="small")
    above.spines["top"].set_visible(False)
    ax.set_title(style.headline(schedule.settings, total, view.workers), loc="left", fontsize="small")
