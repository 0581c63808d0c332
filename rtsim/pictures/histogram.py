"""How long the environment goes without the agent: the interaction time's histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.pictures import style
from rtsim.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Counts that span more than this factor are drawn on a logarithmic axis.
LOG_FROM = 100


def interaction_steps(schedule: Schedule, warmup_steps: int = 0) -> NDArray[np.int64]:
    """Environment steps from each step the agent acted on to the next, int64, each >= 1.

    Raises
    ------
    InvalidValue
        If the agent acted fewer than twice after the warm-up.
    """
    if not 0 <= warmup_steps < len(schedule):
        raise InvalidValue(f"warmup_steps {warmup_steps} must lie in 0..{len(schedule) - 1}, inside the run")
    acted = np.flatnonzero(schedule.acted[warmup_steps:])
    if len(acted) < 2:
        raise InvalidValue(
            f"the agent acted on {len(acted)} of {len(schedule) - warmup_steps} steps, so there is no interaction "
            "time; give more steps or a smaller warmup_steps"
        )
    return np.diff(acted)


def step_mean_s(schedule: Schedule) -> float:
    """Mean time between environment steps of the run, seconds; the run has at least two steps."""
    times = schedule.steps["time_ns"]
    return float(times[-1] - times[0]) / (len(times) - 1) / 1e9


def interaction_time_rows(schedule: Schedule, *, warmup_steps: int = 0) -> list[dict[str, Any]]:
    """The histogram as rows: interaction time in steps and seconds, count, share; empty bins left out."""
    gaps = interaction_steps(schedule, warmup_steps)
    values, counts = np.unique(gaps, return_counts=True)
    step = step_mean_s(schedule)
    return [
        {
            "interaction_steps": int(value),
            "interaction_time_s": int(value) * step,
            "count": int(count),
            "share": int(count) / len(gaps),
        }
        for value, count in zip(values, counts, strict=True)
    ]


def plot_interaction_time(
    schedule: Schedule, *, warmup_steps: int = 0, theory_s: float | None = None, ax: Axes | None = None
) -> Axes:
    """Histogram of the interaction time: one bin per whole number of environment steps.

    Parameters
    ----------
    schedule : Schedule
    warmup_steps : int
        Steps left out at the start.
    theory_s : float, optional
        Mean interaction time by theory, seconds: a black dashed line.
    ax : Axes, optional
        Drawn into; else into a Figure of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidValue
        If the agent acted fewer than twice after the warm-up.
    """
    rows = interaction_time_rows(schedule, warmup_steps=warmup_steps)
    values = np.array([row["interaction_steps"] for row in rows])
    counts = np.array([row["count"] for row in rows])
    step = step_mean_s(schedule)
    scale, unit = style.time_unit(float(values[-1]) * step)
    rule = str(schedule.settings["rule"])
    colour = style.colour(style.rule_name(rule))
    ax = ax if ax is not None else style.new_axes(8.0, 4.0)
    # The edge keeps a bar visible where a bin is thinner than a pixel.
    ax.bar(values, counts, width=0.84, color=colour, edgecolor=colour, linewidth=0.6, label=rule)
    mean = float(values @ counts / counts.sum())
    spelt = f"mean {style.digits(mean)} step{'' if mean == 1 else 's'} = {style.digits(mean * step * scale)} {unit}"
    # Broad and pale, so that a theory line on top of it leaves both visible.
    ax.axvline(mean, color="#555555", linewidth=4, alpha=0.55, label=spelt)
    if theory_s is not None:
        spelt = f"theory {style.digits(theory_s / step)} steps = {style.digits(theory_s * scale)} {unit}"
        ax.axvline(theory_s / step, label=spelt, **style.THEORY)
    if counts.max() > LOG_FROM * counts.min():
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.6)
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(16, integer=True, min_n_ticks=1))
    ax.set_xlim(min(0.0, values[0] - 1.0) if values[-1] < 60 else values[0] - 1.0, values[-1] + 1.0)
    ax.set_xlabel("interaction time $τ_I$ (environment steps)")
    ax.set_ylabel(f"interactions (of {counts.sum()})")
    factor = step * scale

    def to_time(x: Any) -> Any:
        return x * factor

    def to_steps(x: Any) -> Any:
        return x / factor

    top = ax.secondary_xaxis("top", functions=(to_time, to_steps))
    top.set_xlabel(f"interaction time $τ_I$ ({unit})")
    top.spines["top"].set_color("#888888")
    ax.set_title(style.headline(schedule.settings, len(schedule.busy_ns)), loc="left", fontsize="small")
    style.plain(ax)
    return ax
