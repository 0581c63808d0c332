"""Inaction against the number of inference workers, beside theory and the capacity limit."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Room below 0 and above the highest value, as shares of it, so that markers are whole.
BELOW, ABOVE = 0.02, 0.06


class Row(Protocol):
    """One algorithm at one number of workers."""

    @property
    def alg(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def workers(self) -> int: ...
    @property
    def inaction_fraction(self) -> float: ...
    @property
    def inaction_fraction_ci95(self) -> tuple[float, float] | None: ...
    @property
    def interaction_time_s(self) -> float | None: ...
    @property
    def delay_steps_mean(self) -> float | None: ...
    @property
    def delay_steps_p99(self) -> float | None: ...
    @property
    def overwritten_fraction(self) -> float: ...
    @property
    def capacity_limit(self) -> float: ...
    @property
    def theory_inaction_fraction(self) -> float | None: ...


class Required(Protocol):
    """The smallest number of workers that reaches a target."""

    @property
    def target(self) -> float: ...
    @property
    def workers(self) -> int | None: ...
    @property
    def paper_formula(self) -> int | None: ...


class Comparison(Protocol):
    """What :func:`plot_inaction` reads of the result of a comparison.

    ``inference_time_s`` is the mean time one inference takes a worker, ``step_time_s`` the
    mean time between environment steps; ``required_workers`` is by the rows' ``key``.
    """

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def scenario(self) -> Mapping[str, Any]: ...
    @property
    def step_time_s(self) -> float: ...
    @property
    def inference_time_s(self) -> float: ...
    @property
    def required_workers(self) -> Mapping[str, Required]: ...


def inaction_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_inaction`, one row per algorithm and number of workers."""
    found = []
    for row in comparison.rows:
        low, high = row.inaction_fraction_ci95 or (None, None)
        required = comparison.required_workers.get(row.key)
        found.append(
            {
                "key": row.key,
                "alg": row.alg,
                "workers": row.workers,
                "inaction_fraction": row.inaction_fraction,
                "inaction_fraction_ci95_low": low,
                "inaction_fraction_ci95_high": high,
                "theory_inaction_fraction": row.theory_inaction_fraction,
                "capacity_limit": row.capacity_limit,
                "interaction_time_s": row.interaction_time_s,
                "delay_steps_mean": row.delay_steps_mean,
                "delay_steps_p99": row.delay_steps_p99,
                "overwritten_fraction": row.overwritten_fraction,
                "target": required.target if required else None,
                "required_workers": required.workers if required else None,
                "required_workers_paper_formula": required.paper_formula if required else None,
            }
        )
    return found


def plot_inaction(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Inaction fraction against inference workers, one line per algorithm.

    Simulation is markers with 95 % intervals, theory black dashed lines. What no rule with
    one action per inference can reach, ``max(0, 1 − N τ_M / mean τ_θ)``, is shaded; rules
    with more actions per inference have a limit of their own, dotted in their colour. A short
    upright stroke at the bottom stands at the number of workers an algorithm requires.

    Parameters
    ----------
    comparison : Comparison
        E.g. what ``rtsim.experiments`` returns.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If it has no rows.
    """
    if not comparison.rows:
        raise InvalidValue("the comparison has no rows to plot; give at least one algorithm and number of workers")
    ax = ax if ax is not None else style.new_axes(9.0, 4.8)
    series = style.grouped(comparison.rows, lambda row: row.key, lambda row: row.workers)
    looks = style.looks((key, rows[0].alg) for key, rows in series.items())
    counts = sorted({row.workers for row in comparison.rows})
    pad = max(0.5, 0.02 * (counts[-1] - counts[0]))
    edges = (counts[0] - pad, counts[-1] + pad)
    # With one number of workers there is no curve: the algorithms stand side by side.
    spread = np.linspace(-0.3, 0.3, len(series)) if len(counts) == 1 and len(series) > 1 else np.zeros(len(series))

    offsets: dict[str, float] = dict(zip(series, spread.tolist(), strict=True))

    top = _top(comparison.rows)
    _draw_capacity(ax, comparison, series, looks, edges, offsets)
    for key, rows in series.items():
        _draw_series(ax, rows, looks[key], _label(key, comparison.required_workers.get(key)), offsets[key])
    _draw_theory(ax, series, offsets, edges)
    _draw_required(ax, comparison, looks, edges, offsets)

    from matplotlib.ticker import FixedLocator, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(counts) <= 8:
        ax.set_xticks(counts)
    # Where there is no number the stroke has a tick of its own; the legend has its number.
    ax.xaxis.set_minor_locator(FixedLocator(list(_required(comparison, edges).values())))
    ax.set_xlim(*edges)
    ax.set_ylim(-BELOW * top, min((1 + ABOVE) * top, 1 + BELOW))
    ax.set_xlabel("inference workers $N_I$")
    ax.set_ylabel("inaction fraction")
    ax.set_title(_title(comparison), loc="left", fontsize="small")
    style.plain(ax)
    return ax


def _top(rows: Sequence[Row]) -> float:
    """The highest that is drawn of inaction, its intervals, theory and limits, at most 1."""
    values: list[float] = []
    for row in rows:
        interval = row.inaction_fraction_ci95 or (0.0, 0.0)
        values += [row.inaction_fraction, interval[1], row.theory_inaction_fraction or 0.0, row.capacity_limit]
    return min(max(values), 1.0) or 1.0


def _required(comparison: Comparison, edges: tuple[float, float]) -> dict[str, int]:
    """Numbers of workers that a search found, by algorithm, as far as they lie in the picture."""
    found = {key: required.workers for key, required in comparison.required_workers.items()}
    return {key: n for key, n in found.items() if n is not None and edges[0] <= n <= edges[1]}


def _label(key: str, required: Required | None) -> str:
    needed = ""
    if required is not None:
        needed = f" ($N_I^*$ = {required.workers})" if required.workers is not None else " ($N_I^*$: none found)"
    return "\n".join(_wrapped(key)) + needed


def _wrapped(key: str) -> list[str]:
    # An option is never broken in two: only the blanks between options are.
    return textwrap.wrap(key, 34, break_long_words=False, break_on_hyphens=False)


def _title(comparison: Comparison) -> str:
    scenario = dict(comparison.scenario)
    lines = [style.conditions(scenario)]
    runs = []
    if "steps" in scenario:
        runs.append(f"{scenario['steps']} steps")
    seeds = scenario.get("seeds")
    count = len(seeds) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else seeds
    if count is not None:
        runs.append(f"{count} seed{'' if count == 1 else 's'}, bars: 95 % interval")
    if comparison.required_workers and scenario.get("target") is not None:
        runs.append(f"$N_I^*$: inaction ≤ {scenario['target']:g}")
    if runs:
        lines.append("; ".join(runs))
    return "\n".join(lines)


def _draw_series(ax: Axes, rows: Sequence[Row], look: style.Look, label: str, offset: float) -> None:
    x = np.array([row.workers for row in rows]) + offset
    y = np.array([row.inaction_fraction for row in rows])
    intervals = [row.inaction_fraction_ci95 or (row.inaction_fraction, row.inaction_fraction) for row in rows]
    below = [max(0.0, row.inaction_fraction - low) for row, (low, _) in zip(rows, intervals, strict=True)]
    above = [max(0.0, high - row.inaction_fraction) for row, (_, high) in zip(rows, intervals, strict=True)]
    alone = len(rows) == 1
    ax.errorbar(
        x,
        y,
        yerr=np.array([below, above]),
        color=look.colour,
        linestyle="none" if alone else look.line,
        **look.marks(8 if alone else 5.5 if len(rows) <= 30 else 4),
        linewidth=1.2,
        elinewidth=1.2,
        capsize=2,
        label=label,
        zorder=3 if alone else 2.5,
    )


def _draw_capacity(
    ax: Axes,
    comparison: Comparison,
    series: Mapping[str, Sequence[Row]],
    looks: Mapping[str, style.Look],
    edges: tuple[float, float],
    offsets: Mapping[str, float],
) -> None:
    """Shade what one action per inference cannot reach; dot the limits of rules with more."""
    mean = comparison.inference_time_s
    ratio = comparison.step_time_s / mean if mean > 0 and math.isfinite(mean) else math.inf

    def limit(workers: float) -> float:
        return max(0.0, 1.0 - workers * ratio)

    others = {
        key: rows
        for key, rows in series.items()
        if any(abs(row.capacity_limit - limit(row.workers)) > 1e-6 for row in rows)
    }
    counts = {row.workers for rows in series.values() for row in rows}
    if len(others) < len(series) and limit(min(counts)) > 0:
        last = min(1 / ratio, edges[1])
        # A straight line down to its corner; all whole numbers too, so that it can be read off.
        at = sorted({edges[0], last, *(float(n) for n in range(math.ceil(edges[0]), math.floor(last) + 1))})
        ax.fill_between(
            at,
            # With one number of workers the axis is no scale: algorithms stand side by side on it.
            [limit(workers if len(counts) > 1 else min(counts)) for workers in at],
            -BELOW,
            color="#000000",
            alpha=0.10,
            linewidth=0,
            zorder=0.5,
            label="unreachable: below\n$1 - N_I\\,τ_M / \\bar{τ}_θ$",
        )
    for key, rows in others.items():
        if all(row.capacity_limit <= 0 for row in rows):
            continue
        limits = [(row.workers + offsets[key], row.capacity_limit) for row in rows]
        dotted = {"color": looks[key].colour, "linestyle": (0, (1, 1.5)), "linewidth": 1.7, "zorder": 1.5}
        _level(ax, limits, edges, label=f"limit of {_label(key, None)}", **dotted)


def _level(ax: Axes, points: Sequence[tuple[float, float]], edges: tuple[float, float], **look: Any) -> None:
    """A line through the points; a single point becomes a short level line."""
    if len(points) == 1:
        (x, y), half = points[0], 0.035 * (edges[1] - edges[0])
        points = [(x - half, y), (x + half, y)]
    ax.plot([x for x, _ in points], [y for _, y in points], **look)


def _draw_theory(
    ax: Axes, series: Mapping[str, Sequence[Row]], offsets: Mapping[str, float], edges: tuple[float, float]
) -> None:
    """Black dashed lines; algorithms with the same theory share one."""
    groups: dict[tuple[tuple[float, float], ...], list[str]] = {}
    for key, rows in series.items():
        points = tuple(
            (row.workers + offsets[key], round(row.theory_inaction_fraction, 12))
            for row in rows
            if row.theory_inaction_fraction is not None
        )
        if points:
            groups.setdefault(points, []).append(key)
    lines = {points: keys for points, keys in groups.items() if len(points) > 1}
    rules = [name for keys in lines.values() for name in {style.rule_name(key) for key in keys}]
    for number, (points, keys) in enumerate(lines.items()):
        # A rule's name says enough where all its variants share the line.
        names = (style.rule_name(key) if rules.count(style.rule_name(key)) == 1 else key for key in keys)
        who = ",\n  ".join("\n    ".join(_wrapped(name)) for name in dict.fromkeys(names))
        # Above the lines of simulation, so that dashes show where both agree.
        look = {**style.THEORY, "linestyle": style.THEORY_DASHES[number % len(style.THEORY_DASHES)], "zorder": 2.8}
        label = "theory" if len(lines) == 1 and len(keys) == len(series) else f"theory of {who}"
        _level(ax, points, edges, label=label, **look)
    drawn = {point for points in lines for point in points}
    alone = [points for points in groups if len(points) == 1 and points[0] not in drawn]
    for number, points in enumerate(alone):
        label = "theory, one point" if lines else "theory"
        _level(ax, points, edges, label=label if number == 0 else None, **style.THEORY, zorder=2.2)


def _draw_required(
    ax: Axes,
    comparison: Comparison,
    looks: Mapping[str, style.Look],
    edges: tuple[float, float],
    offsets: Mapping[str, float],
) -> None:
    """A stroke at each required number of workers; strokes at the same place stand on each other."""
    height = 0.06
    stacked: dict[float, int] = {}
    found = _required(comparison, edges)
    for key, look in looks.items():
        if key not in found:
            continue
        at = found[key] + offsets[key]
        level = stacked.get(at, 0)
        stacked[at] = level + 1
        ax.plot(
            [at] * 2,
            [level * height, (level + 0.85) * height],
            transform=ax.get_xaxis_transform(),
            color=look.colour,
            linewidth=3,
            solid_capstyle="butt",
            zorder=2.1,
            gid=f"required {key}",
        )
    if stacked:
        ax.plot([], [], color="#888888", linewidth=3, label="stroke at the bottom: $N_I^*$")
