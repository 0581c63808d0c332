"""Required workers and learners against mean time and size of the network (Riemer et al. 2025, Fig. 7 and 8)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Point(Protocol):
    """How many workers or learners one law needs; see :class:`rtsim.experiments.report.RequiredPoint`."""

    @property
    def measure(self) -> str: ...
    @property
    def series(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def law(self) -> str: ...
    @property
    def time_s(self) -> float: ...
    @property
    def parameters(self) -> int | None: ...
    @property
    def step_time_s(self) -> float: ...
    @property
    def batch(self) -> int: ...
    @property
    def target(self) -> float | None: ...
    @property
    def seeds(self) -> int: ...
    @property
    def not_found(self) -> int: ...
    @property
    def median(self) -> int | None: ...
    @property
    def low(self) -> int | None: ...
    @property
    def high(self) -> int | None: ...
    @property
    def formula(self) -> int | None: ...


WORKERS = "required_workers"
#: More rows of axes than these are no picture any more.
MOST_FAMILIES = 12
_UNREACHABLE = "unreachable: below"
#: Of learners' lines, which belong to no scheduler rule: dark to light with the batch.
BATCH_COLOURS = ("#404040", "#1A7F8E", "#C06A00", "#7A4FA3")


NONE_FOUND = r"$\uparrow$"


def scaling_rows(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_scaling`."""
    return [
        {
            "measure": p.measure,
            "series": p.series,
            "law": p.law,
            "mean_time_s": p.time_s,
            "parameters": p.parameters,
            "seeds": p.seeds,
            "not_found": p.not_found,
            "required_median": p.median,
            "required_low": p.low,
            "required_high": p.high,
            "paper_formula": p.formula,
            "target": p.target,
        }
        for p in points
    ]


def plot_scaling(points: Sequence[Point], *, live: Sequence[Point] = ()) -> Figure:
    """Required workers (or learners) against mean time, and against parameters where they are known; log-log.

    One row of axes for each family of laws (such as ε = 0 and ε = 0.5), one line for each rule,
    or learner rule and batch. Markers are medians over seeds, bars reach from the least to the most.
    An arrow at the upper edge says that for some seed no number tried was enough; without a marker below it, for
    most. Where workers are counted, the grey region is below (1 − target) τ̄_θ/τ_M, with which no rule with one action
    per inference can do; dashed lines are the papers' formulas.

    Parameters
    ----------
    points : sequence of Point
        All of one measure.
    live : sequence of Point
        The same, counted in real time: hollow squares of the colour of their series.

    Returns
    -------
    Figure

    Raises
    ------
    InvalidValue
        If there are no points.
    """
    points = [point for point in points if point.time_s > 0]  # a time of 0 has no place on such an axis
    if not points:
        raise InvalidValue("the run has no finished searches to plot; sweep with --measure required_workers")
    from matplotlib.figure import Figure

    families = list(dict.fromkeys(point.family for point in points))
    if len(families) > 1 and all(len({p.time_s for p in points if p.family == name}) == 1 for name in families):
        return _plot_laws(points)  # what varies is no time: laws side by side
    shown = families[:MOST_FAMILIES]
    sized = any(point.parameters is not None for point in points if point.family in shown)
    workers = points[0].measure == WORKERS
    looks = _looks(points, workers)
    figure = Figure(figsize=((9.0 if sized else 6.0) + _margin(looks), 0.9 + 3.3 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), 2 if sized else 1, squeeze=False, sharey="row")
    for row, name in zip(grid, shown, strict=True):
        here = [point for point in points if point.family == name]
        counted = [point for point in live if point.family == name]
        _draw(row[0], here, looks, workers, lambda point: point.time_s)
        _draw_live(row[0], counted, looks, lambda point: point.time_s)
        row[0].set_xlabel(f"mean {'inference' if workers else 'learning'} time (s)")
        row[0].set_title("\n".join(textwrap.wrap(name, 62)).replace("$", r"\$"), loc="left", fontsize="small")
        row[0].set_ylabel(_needed(workers))
        if sized:
            known = [point for point in here if point.parameters is not None]
            row[1].set_visible(bool(known))
            _draw(row[1], known, looks, workers, lambda point: float(point.parameters or 0))
            _draw_live(row[1], counted, looks, lambda point: float(point.parameters or 0))
            row[1].set_xlabel("parameters $|θ|$")
    _legend(figure, list(grid.flat))
    first = grid[0][0]
    more = f"\n(the first {len(shown)} of {len(families)} families of laws)" if len(families) > len(shown) else ""
    first.set_title(f"{_title(points, workers)}{more}\n{first.get_title(loc='left')}", loc="left", fontsize="small")
    return figure


def _plot_laws(points: Sequence[Point]) -> Figure:
    """Laws side by side, in the order of the sweep, where each has a shape of its own and one mean."""
    from matplotlib.figure import Figure

    laws = list(dict.fromkeys(point.law for point in points))
    place = {law: float(number) for number, law in enumerate(laws, 1)}
    workers = points[0].measure == WORKERS
    looks = _looks(points, workers)
    figure = Figure(figsize=(2.5 + 0.6 * min(len(laws), 20) + _margin(looks), 5.0), layout="constrained")
    ax = figure.add_subplot()
    _draw(ax, points, looks, workers, lambda point: place[point.law], log=False)
    ax.set_xticks(
        list(place.values()), [textwrap.shorten(law, 40) for law in laws], rotation=35, ha="right", fontsize="small"
    )
    ax.set_ylabel(_needed(workers))
    ax.set_title("\n".join(textwrap.wrap(_title(points, workers), 50)), loc="left", fontsize="small")
    _legend(figure, [ax])
    return figure


def _needed(workers: bool) -> str:
    return "required workers $N_I^*$" if workers else "required learners $N_L^*$"


def _margin(looks: Iterable[str]) -> float:
    """Inches that the legend needs: its own, so that the axes keep theirs, and the titles above them."""
    return 0.9 + 0.075 * max(len(part) for name in (*looks, _UNREACHABLE) for part in _wrapped(name).split("\n"))


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, 40, break_long_words=False, break_on_hyphens=False))


def _looks(points: Sequence[Point], workers: bool) -> dict[str, style.Look]:
    names = list(dict.fromkeys(point.series for point in points))
    if workers:
        return style.looks((name, style.rule_name(name)) for name in names)
    return {
        name: style.Look(BATCH_COLOURS[i % len(BATCH_COLOURS)], style.MARKERS[i % len(style.MARKERS)], "-")
        for i, name in enumerate(names)
    }


def _draw(
    ax: Axes,
    points: Sequence[Point],
    looks: dict[str, style.Look],
    workers: bool,
    across: Callable[[Point], float],
    log: bool = True,
) -> None:
    ax.set_yscale("log")
    if log:
        ax.set_xscale("log")
        if points:
            ax.set_xlim(min(map(across, points)) / 1.6, 1.6 * max(map(across, points)))
    series = style.grouped(points, lambda point: point.series, across)
    for name, look in looks.items():
        here = series.get(name, [])
        # No line runs across a point where none was found.
        median = [math.nan if point.median is None else point.median for point in here]
        low = [math.nan if point.low is None else point.low for point in here]
        high = [math.nan if point.high is None else point.high for point in here]
        ax.errorbar(
            [across(point) for point in here],
            median,
            yerr=[
                [m - x for m, x in zip(median, low, strict=True)],
                [0.0 if math.isnan(x) else x - m for m, x in zip(median, high, strict=True)],
            ],
            color=look.colour,
            linestyle=look.line,
            **look.marks(6),
            linewidth=1.2,
            capsize=2,
            label=_wrapped(name).replace("$", r"\$"),
        )
    _draw_lacking(ax, series, looks, across)
    _draw_formulas(ax, series, across)
    if workers and points:
        _draw_unreachable(ax, [point for here in series.values() for point in here], across)
    ax.set_ylim(bottom=0.8)
    style.plain(ax, legend=False, grid="both")
    _label_ticks(ax, log)


def _draw_live(
    ax: Axes, points: Sequence[Point], looks: dict[str, style.Look], across: Callable[[Point], float]
) -> None:
    """Hollow squares, a little larger for each series, so that those at one place can be told apart."""
    for number, (name, look) in enumerate(looks.items()):
        here = [point for point in points if point.series == name and point.median is not None]
        square = {**style.HARDWARE, "markersize": 10 + 4 * number, "markeredgecolor": look.colour, "zorder": 3}
        if here:
            ax.plot(
                [across(point) for point in here],
                [float(point.median or 0) for point in here],
                label=_wrapped(f"live, {name}").replace("$", r"\$"),
                **square,
            )


def _label_ticks(ax: Axes, both: bool) -> None:
    """Labels at powers of ten, and at 2 and 5 between them where there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    found = ((ax.yaxis, ax.get_ylim()), (ax.xaxis, ax.get_xlim()))
    for axis, (low, high) in found if both else found[:1]:
        axis.set_minor_formatter(NullFormatter())
        if low > 0 and high / low < 100:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, place: style.digits(value)))


def _draw_lacking(ax: Axes, series: dict[str, list[Point]], looks: dict[str, style.Look], across: Any) -> None:
    """Arrows at the upper edge, below one another, where no number tried was enough."""
    stacked: dict[float, int] = {}
    for name, look in looks.items():
        for x in (across(point) for point in series.get(name, []) if point.not_found):
            level = stacked.get(x, 0)
            stacked[x] = level + 1
            ax.plot(
                [x],
                [0.965 - 0.07 * level],
                transform=ax.get_xaxis_transform(),
                color=look.colour,
                marker=NONE_FOUND,
                markersize=9,
                linestyle="none",
                gid="none found",
            )


def _draw_formulas(ax: Axes, series: dict[str, list[Point]], across: Any) -> None:
    """The papers' formulas; series with the same one share a line."""
    groups: dict[tuple[tuple[float, int], ...], list[str]] = {}
    for name, points in series.items():
        line = tuple((across(point), point.formula) for point in points if point.formula is not None)
        if line:
            groups.setdefault(line, []).append(style.rule_name(name) if points[0].measure == WORKERS else "learners")
    for number, (line, names) in enumerate(groups.items()):
        dashes = {**style.THEORY, "linestyle": style.THEORY_DASHES[number % len(style.THEORY_DASHES)]}
        who = ",\n  ".join(dict.fromkeys(names))
        # Above the lines of simulation, so that dashes show where both agree.
        ax.plot([x for x, _ in line], [y for _, y in line], label=f"formula of {who}", **dashes, zorder=2.8)


def _draw_unreachable(ax: Axes, points: Sequence[Point], across: Any) -> None:
    """Shade below (1 − target) τ̄_θ/τ_M."""
    edge: dict[float, float] = {}
    for p in points:  # the least demanding of those at one place
        limit = (1 - (p.target or 0)) * p.time_s / p.step_time_s
        edge[across(p)] = min(edge.get(across(p), limit), limit)
    least = sorted(edge.items())
    ax.fill_between(
        [x for x, _ in least],
        [y for _, y in least],
        1e-9,
        color="#000000",
        alpha=0.10,
        linewidth=0,
        label=_UNREACHABLE + "\n$(1 - target)\\,\\bar{τ}_θ / τ_M$",
    )


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    from matplotlib.lines import Line2D

    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if any(line.get_gid() == "none found" for ax in axes for line in ax.get_lines()):
        found["for some seed none is enough"] = Line2D([], [], color="#404040", marker=NONE_FOUND, linestyle="none")
    figure.legend(found.values(), found.keys(), loc="outside right upper", frameon=False, fontsize="small")


def _title(points: Sequence[Point], workers: bool) -> str:
    seeds = sorted({point.seeds for point in points})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    runs = f"median over {count} seed{'s' if seeds[-1] > 1 else ''}" + (
        ", bars: least to most" if seeds[-1] > 1 else ""
    )
    if workers:
        targets = ", ".join(f"{100 * t:g} %" for t in sorted({p.target for p in points if p.target is not None}))
        return f"Inference workers for an inaction of {targets}; {runs}"
    return f"Learners that learn from every transition; {runs}"
