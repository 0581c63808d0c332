"""Regret rate against inference time: sequential interaction against staggered (Remark 1 against Remark 2)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rtsim.errors import InvalidValue
from rtsim.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Rate(Protocol):
    """One scenario's regret rate; see :class:`rtsim.experiments.RegretRate`."""

    @property
    def series(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def workers(self) -> int: ...
    @property
    def inference_time_s(self) -> float: ...
    @property
    def step_time_s(self) -> float: ...
    @property
    def steps(self) -> int: ...
    @property
    def seeds(self) -> int: ...
    @property
    def inaction_per_s(self) -> float: ...
    @property
    def inaction_per_s_ci95(self) -> tuple[float, float] | None: ...
    @property
    def theory_per_s(self) -> float | None: ...


def regret_rate_rows(points: Sequence[Rate]) -> list[dict[str, Any]]:
    """The numbers of :func:`plot_regret_rate`."""
    found = []
    for point in points:
        low, high = point.inaction_per_s_ci95 or (None, None)
        found.append(
            {
                "series": point.series,
                "rule": point.rule,
                "workers": point.workers,
                "inference_time_s": point.inference_time_s,
                "step_time_s": point.step_time_s,
                "steps": point.steps,
                "seeds": point.seeds,
                "inaction_per_s": point.inaction_per_s,
                "inaction_per_s_ci95_low": low,
                "inaction_per_s_ci95_high": high,
                "theory_per_s": point.theory_per_s,
            }
        )
    return found


def plot_regret_rate(points: Sequence[Rate], *, ax: Axes | None = None) -> Axes:
    """Inaction regret per second against mean inference time, one line of markers for each series.

    Markers are means over seeds with 95 % intervals; black dashed lines are Equation 3 with the interaction time that
    theory predicts: Remark 1 of Riemer et al. 2025 for sequential interaction, Remark 2 for staggered. The dotted line
    at the top is 1/τ_M, the loss of an environment that is never acted upon.

    Parameters
    ----------
    points : sequence of RegretRate
        E.g. of :func:`rtsim.experiments.regret_rates`.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If there are no points.
    """
    if not points:
        raise InvalidValue("there are no regret rates to plot; give regret_rates() at least one scenario")
    ax = ax if ax is not None else style.new_axes(8.6, 4.4)
    series = style.grouped(points, lambda point: point.series, lambda point: point.inference_time_s)
    looks = style.looks((name, style.rule_name(here[0].rule)) for name, here in series.items())
    scale, unit = style.time_unit(max(point.inference_time_s for point in points))
    for name, here in series.items():
        x, y = [p.inference_time_s * scale for p in here], [p.inaction_per_s for p in here]
        intervals = [p.inaction_per_s_ci95 or (p.inaction_per_s, p.inaction_per_s) for p in here]
        bars = [
            [max(0.0, mean - low) for mean, (low, _) in zip(y, intervals, strict=True)],
            [max(0.0, high - mean) for mean, (_, high) in zip(y, intervals, strict=True)],
        ]
        ax.errorbar(
            x,
            y,
            yerr=bars,
            color=looks[name].colour,
            linestyle="none",
            **looks[name].marks(7),
            elinewidth=1.2,
            capsize=2,
            label="\n".join(textwrap.wrap(name, 34, break_long_words=False, break_on_hyphens=False)),
            clip_on=False,
            zorder=3,
        )
        if any(p.theory_per_s is not None for p in here):
            predicted = [math.nan if p.theory_per_s is None else p.theory_per_s for p in here]
            ax.plot(x, predicted, gid=name, label="theory" if name == next(iter(series)) else None, **style.THEORY)
    rates = sorted({1 / point.step_time_s for point in points})
    for rate in rates:
        ax.axhline(rate, color="#888888", linestyle=":", linewidth=1.2, label="never acted upon: $1/τ_M$", gid="most")
    steps = sorted({point.step_time_s * scale for point in points})
    for step in steps:
        ax.axvline(step, color="#888888", linewidth=0.8, gid="step time", label="step time $τ_M$")
    ax.set_xlim(left=0.0, right=max(p.inference_time_s for p in points) * scale * 1.03)
    ax.set_ylim(0.0, rates[-1] * 1.05)
    ax.set_xlabel(rf"mean inference time $\bar{{τ}}_θ$ ({unit})")
    ax.set_ylabel("inaction regret (units of reward / s)")
    ax.set_title(_title(points, scale, unit), loc="left", fontsize="small")
    style.plain(ax)
    _legend(ax)
    return ax


def _legend(ax: Axes) -> None:
    """Each label once, the series first."""
    handles: dict[str, Any] = {}
    pairs = list(zip(*ax.get_legend_handles_labels(), strict=True))
    for handle, label in sorted(pairs, key=lambda pair: not hasattr(pair[0], "has_yerr")):
        handles.setdefault(str(label), handle)
    ax.legend(
        list(handles.values()),
        list(handles),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize="small",
        borderaxespad=0.0,
    )


def _title(points: Sequence[Rate], scale: float, unit: str) -> str:
    steps = ", ".join(style.digits(step * scale) for step in sorted({point.step_time_s for point in points}))
    seeds, lengths = sorted({p.seeds for p in points}), sorted({p.steps for p in points})
    count = " to ".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
    long = " to ".join(map(str, dict.fromkeys((lengths[0], lengths[-1]))))
    return f"Inaction worst case, step time {steps} {unit}; {long} steps, {count} seed{'s' * (seeds[-1] > 1)}" + (
        ", bars: 95 % interval" if seeds[-1] > 1 else ""
    )
