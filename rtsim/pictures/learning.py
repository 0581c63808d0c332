"""Learning figures: scores against the size of the network, and progress against time or actions."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Point(Protocol):
    """Means over seeds at a place of a curve; see :class:`rtsim.studies.Point`."""

    @property
    def panel(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def parameters(self) -> int: ...
    @property
    def delay_steps(self) -> int: ...
    @property
    def budget_steps(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def seeds(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def actions(self) -> float: ...
    @property
    def reward(self) -> float: ...
    @property
    def reward_ci95(self) -> tuple[float, float] | None: ...
    @property
    def score(self) -> float | None: ...
    @property
    def score_ci95(self) -> tuple[float, float] | None: ...


#: Lines across a panel; neither learns, nor is it ever late.
REFERENCES: dict[str, dict[str, Any]] = {
    "noop": {"color": style.DEFAULT_POLICY, "linestyle": "-", "linewidth": 1.2},
    "random": {"color": style.DEFAULT_POLICY, "linestyle": ":", "linewidth": 1.6},
}
NO_DELAY = "no delay"
#: One training, at which every method's line begins.
UNDELAYED: dict[str, Any] = {"marker": "*", "markersize": 11, "linestyle": "none", "zorder": 3}
#: Between the markers of two methods at one place, in places.
DODGE = 0.06
#: Every how many points of a curve there is a marker.
MARK_EVERY = 5
COLUMNS = 2


def learning_rows(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_scores` and :func:`plot_progress`."""
    names = ("panel", "method", "depth", "parameters", "delay_steps", "budget_steps", "step", "seeds")
    found = []
    for point in points:
        row: dict[str, Any] = {name: getattr(point, name) for name in (*names, "seconds", "actions")}
        for name in ("reward", "score"):
            low, high = getattr(point, f"{name}_ci95") or (None, None)
            row |= {name: getattr(point, name), f"{name}_ci95_low": low, f"{name}_ci95_high": high}
        found.append(row)
    return found


def plot_scores(
    points: Sequence[Point],
    *,
    title: str = "",
    units: dict[str, str] | None = None,
    human: dict[str, float | None] | None = None,
    optimum: dict[str, dict[str, Sequence[tuple[int, float]]]] | None = None,
) -> Figure:
    """Scores against the size of the network, whose delay stands below it; one panel for each environment.

    Markers are means over seeds with 95 % intervals, hollow ones of the deeper networks, side by side so that none
    hides another; bars may leave the picture. Every line begins at the training without delay. The grey lines neither
    learn nor are late.

    Parameters
    ----------
    points : sequence of Point
        Of several steps of one training the last one counts.
    title : str
    units : dict of str to str
        By panel: what a score is.
    human : dict of str to float
        By panel: the score of people.
    optimum : dict of panel to dict of label to sequence of (delay, score)
        What no policy exceeds that sees one old observation.

    Raises
    ------
    InvalidValue
        If there are no points.
    """
    last = _last(points)
    if not last:
        raise InvalidValue("there are no results to draw; run the figure first")
    sizes: dict[int, list[tuple[int, int]]] = {}
    for p in last:
        if p.delay_steps and (p.parameters, p.delay_steps) not in sizes.setdefault(p.depth, []):
            sizes[p.depth].append((p.parameters, p.delay_steps))
    ranks = {depth: {size[1]: rank for rank, size in enumerate(sorted(found), 1)} for depth, found in sizes.items()}
    figure, axes = _grid([p.panel for p in last])
    looks = _looks(last)
    for name, ax in axes.items():
        here = [p for p in last if p.panel == name]
        _references(ax, here, lambda p: p.score)
        if human and human.get(name) is not None:
            ax.axhline(float(human[name] or 0), label="people", **{**style.THEORY, "linestyle": (0, (1, 1.5))})
        for number, (label, line) in enumerate((optimum or {}).get(name, {}).items()):
            known = [(_rank(ranks, delay), value) for delay, value in line]
            dashes = {**style.THEORY, "linestyle": style.THEORY_DASHES[number % len(style.THEORY_DASHES)]}
            ax.plot(*zip(*known, strict=True), label=label, zorder=1.5, **dashes)
        start = next((p for p in here if p.method == NO_DELAY and p.score is not None), None)
        if start is not None:
            y, bars = _bars([start])
            ax.errorbar([0], y, yerr=bars, color=style.LEARNER, capsize=2, label=NO_DELAY, **UNDELAYED)
        for number, ((method, depth), look) in enumerate(looks.items()):
            own = [p for p in here if p.method == method and p.depth == depth and p.score is not None]
            own.sort(key=lambda p: p.delay_steps)
            aside = DODGE * (number - (len(looks) - 1) / 2)
            _errorbars(ax, start, own, ranks, look, _named(method, depth), aside)
        best = [value for line in (optimum or {}).get(name, {}).values() for _, value in line]
        _limit(ax, [p.score for p in here], (human or {}).get(name), *best)
        _size_axis(ax, {depth: sorted(found) for depth, found in sizes.items()})
        ax.set_ylabel((units or {}).get(name, "score"))
        ax.set_title(_heading(name, here), loc="left", fontsize="small")
        style.plain(ax, legend=False, grid="both")
    _finish(figure, axes, title)
    return figure


def plot_progress(points: Sequence[Point], *, over: str = "time", title: str = "") -> Figure:
    """Reward gathered until then, against environment time or actions; bands are 95 % intervals over seeds.

    Parameters
    ----------
    points : sequence of Point
    over : {"time", "actions"}
        Environment seconds, or environment steps on which the agent did something else than noop.
    title : str

    Raises
    ------
    InvalidValue
        If there are no points, or ``over`` is something else.
    """
    if over not in ("time", "actions"):
        raise InvalidValue(f"over {over!r} must be 'time' or 'actions'")
    if not points:
        raise InvalidValue("there are no results to draw; run the figure first")
    figure, axes = _grid([p.panel for p in points])
    looks = _looks(points)
    for name, ax in axes.items():
        here = [p for p in points if p.panel == name]
        for number, method in enumerate([*REFERENCES, *dict.fromkeys(method for method, _ in looks)]):
            if over == "actions" and method == "noop":
                continue  # it makes none
            own = sorted((p for p in here if p.method == method), key=lambda p: p.step)
            if not own:
                continue
            x = [0.0, *(p.seconds if over == "time" else p.actions for p in own)]
            if method in REFERENCES:
                ax.plot(x, [0.0, *(p.reward for p in own)], label=method, zorder=1.5, **REFERENCES[method])
                continue
            look = next(look for (known, _), look in looks.items() if known == method)
            ax.plot(
                x, [0.0, *(p.reward for p in own)], color=look.colour, linestyle=look.line, linewidth=1.4,
                markevery=(number % MARK_EVERY, MARK_EVERY), label=_named(method, 15), **look.marks(5),
            )  # fmt: skip
            if all(p.reward_ci95 for p in own):
                low, high = zip((0.0, 0.0), *(p.reward_ci95 or (0.0, 0.0) for p in own), strict=True)
                ax.fill_between(x, low, high, color=look.colour, alpha=0.08, linewidth=0)
        ax.set_xlabel("environment time (s)" if over == "time" else "actions other than noop")
        ax.set_ylabel("reward gathered")
        ax.set_xlim(left=0)
        _limit(ax, [0.0, *(p.reward for p in here)])
        ax.set_title(_heading(name, here), loc="left", fontsize="small")
        style.plain(ax, legend=False, grid="both")
    _finish(figure, axes, title)
    return figure


def _last(points: Sequence[Point]) -> list[Point]:
    found: dict[tuple[str, str, int, int, int], Point] = {}
    for p in points:
        key = (p.panel, p.method, p.depth, p.parameters, p.delay_steps)
        if key not in found or found[key].step < p.step:
            found[key] = p
    return list(found.values())


def _rank(ranks: dict[int, dict[int, int]], delay: int) -> int:
    return next((found[delay] for found in ranks.values() if delay in found), 0)


def _grid(panels: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(panels))
    columns = min(COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(5.2 * columns + 2.6, 3.4 * rows + 0.6), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    axes = dict(zip(names, grid, strict=False))
    for ax in grid[len(names) :]:
        ax.set_visible(False)
    return figure, axes


def _looks(points: Sequence[Point]) -> dict[tuple[str, int], style.Look]:
    """By method and depth; variants of one rule differ in marker and line, and the deeper networks' are hollow."""
    found: dict[tuple[str, int], style.Look] = {}
    seen: dict[str, int] = {}
    known = (p for p in points if p.method not in REFERENCES and p.method != NO_DELAY)
    for method, depth in sorted({(p.method, p.depth): None for p in known}, key=lambda key: key[1]):
        rule = method.partition(",")[0]
        found[method, depth] = style.look(rule, seen.get(rule, 0))
        seen[rule] = seen.get(rule, 0) + 1
    return found


def _named(method: str, depth: int) -> str:
    return "\n".join(textwrap.wrap(method, 26)) + ("" if depth == 15 else f",\n{depth} convolutions")


def _heading(name: str, points: Sequence[Point]) -> str:
    seeds = sorted({p.seeds for p in points})
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    plural = "" if seeds[-1] == 1 else "s"
    return f"{name}\n{points[0].budget_steps:,} steps, {count} seed{plural}".replace("$", r"\$")


def _limit(ax: Axes, values: Sequence[float | None], *more: float | None) -> None:
    """The vertical axis by the means: intervals of few seeds are wider than all there is to see."""
    known = [value for value in (*values, *more) if value is not None]
    if known:
        low, high = min(known), max(known)
        room = 0.12 * (high - low) or 1.0
        ax.set_ylim(low - room, high + room)


def _references(ax: Axes, points: Sequence[Point], value: Any) -> None:
    for method, look in REFERENCES.items():
        for point in points:
            if point.method == method and value(point) is not None:
                ax.axhline(value(point), label=method, zorder=1.2, **look)


def _bars(points: Sequence[Point]) -> tuple[list[float], list[list[float]]]:
    """Scores, and how far their intervals reach below and above them."""
    y = [float(p.score or 0.0) for p in points]
    ends = [p.score_ci95 or (middle, middle) for p, middle in zip(points, y, strict=True)]
    below = [middle - low for middle, (low, _) in zip(y, ends, strict=True)]
    return y, [below, [high - middle for middle, (_, high) in zip(y, ends, strict=True)]]


def _errorbars(
    ax: Axes,
    start: Point | None,
    points: Sequence[Point],
    ranks: dict[int, dict[int, int]],
    look: style.Look,
    label: str,
    aside: float,
) -> None:
    """A method's line and markers; it begins without a mark at the training without delay, which is all methods'."""
    if not points:
        return
    x = [aside + ranks[p.depth][p.delay_steps] for p in points]
    y, (below, above) = _bars(points)
    if start is not None:
        x, y, below, above = [0.0, *x], [float(start.score or 0.0), *y], [math.nan, *below], [math.nan, *above]
    ax.errorbar(
        x,
        y,
        yerr=[below, above],
        color=look.colour,
        linestyle=look.line,
        linewidth=1.2,
        capsize=2,
        label=label,
        markevery=slice(int(start is not None), None),
        **look.marks(6),
    )


def _size_axis(ax: Axes, sizes: dict[int, list[tuple[int, int]]]) -> None:
    """Sizes side by side, those of one place in either depth at one place."""
    labels = {0: f"{NO_DELAY}\n0"}
    for rank in range(1, max(map(len, sizes.values()), default=0) + 1):
        here = [found[rank - 1] for found in sizes.values() if rank <= len(found)]
        names = dict.fromkeys(_size(parameters) for parameters, _ in here)
        labels[rank] = f"{' / '.join(names)}\n{' / '.join(str(delay) for _, delay in here)}"
    ax.set_xticks(list(labels), list(labels.values()), fontsize="small")
    deep = "" if len(sizes) < 2 else f" ({' / '.join(map(str, sizes))} convolutions)"
    ax.set_xlabel(f"parameters $|θ|$, delay in steps{deep}")


def _size(parameters: int) -> str:
    """A number of parameters in three digits.

    >>> _size(55_000), _size(10**6), _size(10**9)
    ('55k', '1M', '1B')
    """
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if parameters >= unit:
            return f"{parameters / unit:.3g}{name}"
    return str(parameters)


def _finish(figure: Figure, axes: dict[str, Axes], title: str) -> None:
    found: dict[str, Any] = {}
    for ax in axes.values():
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), loc="outside right upper", frameon=False, fontsize="small")
    if title:
        figure.suptitle("\n".join(textwrap.wrap(title, 90)).replace("$", r"\$"), fontsize="medium", x=0.01, ha="left")
